"""A WebSocket server with every bad habit.

It runs in a thread of its own, so that one and the same serves clients on asyncio and on trio.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

__all__ = ["Peer"]

SECRET = "SECRET-in-the-url"
# The peer writes request lines, and with them the secret; what the tests read is the client's log.
quiet = logging.getLogger("peer")
quiet.setLevel(logging.CRITICAL + 1)  # who configures logging, as uvicorn does, may enable what was disabled
RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0


class Peer:
    """Serve WebSockets that echo, and misbehave on command; the methods may be called from any thread.

    Attributes:
        refusals: (status, headers) answered to the next upgrades, in order.
        hang: leave upgrades without an answer.
        reset_upgrade: reset the connection instead of answering the upgrade.
        deaf: take messages and answer none.
        received: all messages.
        upgrades: the upgrade requests.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.hang = self.reset_upgrade = self.deaf = False
        self.received: list[str | bytes] = []
        self.upgrades: list[Request] = []
        self.open: set[ServerConnection] = set()
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="peer")

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://localhost:{self.port}/path?access_token={SECRET}"

    def send(self, *messages: str | bytes) -> None:
        """Send messages over every connection."""

        async def send() -> None:
            for connection in tuple(self.open):
                for message in messages:
                    await connection.send(message)

        self.run(send())

    def close(self, code: int, reason: str = "") -> None:
        """Close every connection with a close frame."""

        async def close() -> None:
            await asyncio.gather(*(connection.close(code, reason) for connection in tuple(self.open)))

        self.run(close())

    def end(self) -> None:
        """End every stream without a close frame."""
        self._call(lambda connection: connection.transport.close())

    def reset(self) -> None:
        """Reset every connection."""
        self._call(_reset)

    def freeze(self) -> None:
        """Read nothing any more, and keep the connections open."""
        self._call(lambda connection: connection.transport.pause_reading())

    def thaw(self) -> None:
        """Read again."""
        self._call(lambda connection: connection.transport.resume_reading())

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _call(self, act: Callable[[ServerConnection], None]) -> None:
        async def call() -> None:
            for connection in tuple(self.open):
                act(connection)

        self.run(call())

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        options: dict[str, Any] = {"open_timeout": None, "close_timeout": 1, "ping_interval": None}
        options |= {"ssl": self._tls, "logger": quiet}
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._upgrade, **options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            for connection in tuple(self.open):
                connection.transport.abort()
        # What asyncio has just accepted is in a task that no server knows of, and may be making another. Left to the
        # end of the loop they would be found by a collector, during some other test.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left)

    async def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        self.upgrades.append(request)
        if self.hang:
            await self._stop.wait()
        if self.reset_upgrade:
            _reset(connection)
            await connection.wait_closed()
        if self.refusals:
            status, headers = self.refusals.pop(0)
            response = connection.respond(status, "no\n")
            response.headers.update(headers)
            return response
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self.open.add(connection)
        try:
            async for message in connection:
                self.received.append(message)
                if not self.deaf:
                    await connection.send(message)
        except ConnectionClosed:
            pass  # what the test wanted
        finally:
            self.open.discard(connection)

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


def _reset(connection: ServerConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    connection.transport.abort()
