"""A server that sends the same message to many clients: ours, or that of `websockets`. Without compression, both.

::

    python -m benchmarks.contenders.broadcaster asyncio ours|websockets [ADDRESS OF THE DRAIN, NOT USED]
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import websockets.asyncio.server

from benchmarks.common.process import ROOT
from benchmarks.common.worker import measured, run, serve
from rcex_ws.websocket import listen
from rcex_ws.websocket.peer import Peer, PeerOptions, broadcast

HEAD = 4  # bytes before a frame of more than 125


class Broadcaster:
    """Take orders.

    Args:
        port: where clients connect.
        connected: gives how many are.
        send: sends a message to all of them.
    """

    def __init__(self, port: int, connected: Callable[[], int], send: Callable[[bytes], None]) -> None:
        self._port = port
        self._connected = connected
        self._send = send
        self._audience: asyncio.subprocess.Process | None = None

    async def gather(self, clients: int) -> dict[str, float]:
        """Let so many clients connect."""
        with measured() as sample:
            command = (sys.executable, "-m", "benchmarks.contenders.audience", str(self._port), str(clients))
            self._audience = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            await self._hear()
            while self._connected() < clients:  # noqa: ASYNC110 - the last ones take a moment
                await anyio.sleep(0.01)
            sample.count = clients
        return sample()

    async def broadcast(self, times: int, size: int) -> dict[str, float]:
        """Send so many messages, one after the other, each when all have read the one before; count each client's."""
        audience = self._audience
        if audience is None or audience.stdin is None:
            raise RuntimeError("there is no audience")
        text = json.dumps({"data": "x" * (size - 12)}).encode()
        with measured() as sample:
            for _ in range(times):
                audience.stdin.write(b"%d\n" % (len(text) + HEAD))
                self._send(text)
                await self._hear()
            sample.count = times * self._connected()
        return sample()

    async def disperse(self) -> dict[str, float]:
        """End the clients."""
        if self._audience is not None:
            self._audience.kill()
            await self._audience.wait()
        return {}

    async def _hear(self) -> None:
        audience = self._audience
        if audience is None or audience.stdout is None or not await audience.stdout.readline():
            raise RuntimeError("the audience has gone")


@asynccontextmanager
async def ours() -> AsyncGenerator[Broadcaster]:
    """Serve with rcex_ws."""
    peers: set[Peer] = set()

    async def listen_to(peer: Peer) -> None:
        await peer.accept()
        peers.add(peer)
        try:
            await peer.read(lambda data, binary: None)
        finally:
            peers.discard(peer)

    with listen.bind() as listener:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: listen.serve(listener, listen_to, options=PeerOptions(compress=False)))
            yield Broadcaster(
                listener.getsockname()[1], lambda: len(peers), lambda text: [broadcast(peers, [text]), None][1]
            )
            group.cancel_scope.cancel()


@asynccontextmanager
async def of_websockets() -> AsyncGenerator[Broadcaster]:
    """Serve with `websockets`."""
    connections: set[websockets.asyncio.server.ServerConnection] = set()

    async def listen_to(connection: websockets.asyncio.server.ServerConnection) -> None:
        connections.add(connection)
        try:
            with suppress(websockets.ConnectionClosed):
                await connection.recv()
        finally:
            connections.discard(connection)

    serving = websockets.asyncio.server.serve(listen_to, "127.0.0.1", 0, compression=None, ping_interval=None)
    async with serving as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Broadcaster(
            port,
            lambda: len(connections),
            lambda text: websockets.asyncio.server.broadcast(connections, text.decode()),
        )


async def main(kind: str) -> None:
    """Serve."""
    async with ours() if kind == "ours" else of_websockets() as broadcaster:
        await serve(broadcaster)
        await broadcaster.disperse()


if __name__ == "__main__":
    run(main, sys.argv[2])
