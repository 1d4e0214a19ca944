"""A client that sends and receives frames over a real socket, by the house's own WebSocket client."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from rcex_ws.rtm.resumption import HEADER
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, Text
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.socket import Ending, Receivers, Socket
from tests.conftest import TIME_FACTOR

__all__ = ["RawClient", "connected"]


class RawClient:
    """One WebSocket.

    Attributes:
        ending: how it ended; None while it is open.
    """

    def __init__(self, socket: Socket) -> None:
        self.ending: Ending | None = None
        self._socket = socket
        self._received: deque[Any] = deque()
        self._more = anyio.Event()

    def take(self, data: bytes, binary: bool) -> None:
        assert not binary
        self._received.append(json.loads(data))
        self._more.set()

    def end(self, ending: Ending) -> None:
        self.ending = ending
        self._more.set()

    async def send(self, *messages: Any) -> None:
        """Send messages in one write: JSON of a dict, text of a str, binary of bytes."""
        await self._socket.send(
            [
                Binary(one) if isinstance(one, bytes) else Text(one if isinstance(one, str) else json.dumps(one))
                for one in messages
            ]
        )

    async def receive(self) -> Any:
        """Return the next frame; None when the connection has ended."""
        with anyio.fail_after(10 * TIME_FACTOR):
            while not self._received:
                if self.ending is not None:
                    return None
                self._more = anyio.Event()
                await self._more.wait()
        return self._received.popleft()

    async def ask(self, message: Any) -> Any:
        """Send a message; return the next frame."""
        await self.send(message)
        return await self.receive()

    async def close(self) -> None:
        await self._socket.close(1000, "", within=5)

    async def drop(self) -> None:
        await self._socket.abort()


@asynccontextmanager
async def connected(url: str, *, resume: str | None = None, **options: Any) -> AsyncIterator[RawClient]:
    """Connect to a server; `resume` is the header that asks for a session."""
    headers = {} if resume is None else {HEADER: resume}
    endpoint = Endpoint(url, proxy=False, headers=headers, **options)
    async with anyio.create_task_group() as group, open_websocket(endpoint) as socket:
        client = RawClient(socket)
        socket.start_reading(Receivers(client.take, lambda _: None, ended=client.end), group)
        yield client
        socket.stop_reading()
        group.cancel_scope.cancel()
