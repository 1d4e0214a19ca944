"""A bare server of `websockets`, a contender: it sends the events of RTM by `broadcast`, and does nothing else."""

from __future__ import annotations

import inspect
import sys
from functools import partial
from typing import Any

import anyio
import anyio.abc
import trio
import websockets.asyncio.server
import websockets.trio.server

from benchmarks.common.events import payload
from benchmarks.common.serving import Serving
from benchmarks.common.worker import run, serve

#: Those that cost least.
OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None}


class Bare(Serving):
    """Takes orders.

    Args:
        group: runs the server.
    """

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group
        self._connections = set[Any]()
        on_trio = sys.argv[1] == "trio"
        self._broadcast: Any = websockets.trio.server.broadcast if on_trio else websockets.asyncio.server.broadcast

    async def listen(self, group: str) -> dict[str, int]:
        """Start the server."""
        if sys.argv[1] == "trio":
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            serving = partial(websockets.trio.server.serve, self._hold, listeners=listeners, **OPTIONS)
            self._group.start_soon(serving)
            return {"port": listeners[0].socket.getsockname()[1]}
        server = await websockets.asyncio.server.serve(self._hold, "127.0.0.1", 0, **OPTIONS)
        return {"port": next(iter(server.sockets)).getsockname()[1]}

    async def emit(self, group: str, times: int, size: int) -> dict[str, int]:
        """Send so many events to all."""
        for _ in range(times):
            sent = self._broadcast(self._connections, payload(size).decode())
            if inspect.isawaitable(sent):
                await sent
            await anyio.lowlevel.checkpoint()
        return {}

    async def _hold(self, connection: Any) -> None:
        self._connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            self._connections.discard(connection)


async def main() -> None:
    """Serve."""
    async with anyio.create_task_group() as group:
        await serve(Bare(group))
        group.cancel_scope.cancel()


if __name__ == "__main__":
    run(main)
