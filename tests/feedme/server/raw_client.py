"""A client that sends and receives raw messages, over the house's own WebSocket client."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, Text
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.socket import Ending, Receivers, Socket
from tests.feedme.wire import HANDSHAKE


class RawClient:
    """One WebSocket.

    Attributes:
        ending: how it ended; None while it is open.
        lost: set when it has ended.
    """

    def __init__(self, socket: Socket) -> None:
        self.ending: Ending | None = None
        self.lost = anyio.Event()
        self._socket = socket
        self._received: deque[Any] = deque()
        self._more = anyio.Event()

    def take(self, data: bytes, binary: bool) -> None:
        assert not binary
        self._received.append(json.loads(data))
        self._more.set()

    def end(self, ending: Ending) -> None:
        self.ending = ending
        self.lost.set()
        self._more.set()

    async def send(self, *messages: Any) -> None:
        """Send messages in one write: JSON of a dict, text of a str, binary of bytes."""
        frames = [
            Binary(one) if isinstance(one, bytes) else Text(one if isinstance(one, str) else json.dumps(one))
            for one in messages
        ]
        assert await self._socket.send(frames)

    async def receive(self) -> Any:
        """Return the next message; None when the connection has ended."""
        with anyio.fail_after(10):
            while not self._received:
                if self.ending is not None:
                    return None
                self._more = anyio.Event()
                await self._more.wait()
        return self._received.popleft()

    async def ask(self, message: Any) -> Any:
        """Send a message, and return the next one that is received."""
        await self.send(message)
        return await self.receive()

    async def rest(self) -> list[Any]:
        """Return all that is received until the answer to a message that breaks the rules."""
        await self.send("the end")
        messages = []
        while (message := await self.receive()) is not None and message["MessageType"] != "ViolationResponse":
            messages.append(message)
        return messages

    async def close(self) -> None:
        await self._socket.close(1000, "", within=5)

    async def drop(self) -> None:
        await self._socket.abort()


@asynccontextmanager
async def connected(url: str, *, handshake: bool = True, **options: Any) -> AsyncIterator[RawClient]:
    """Connect to a server, and do the handshake."""
    endpoint = Endpoint(url, proxy=False, **({"subprotocol": "feedme"} | options))
    async with anyio.create_task_group() as group, open_websocket(endpoint) as socket:
        client = RawClient(socket)
        socket.start_reading(Receivers(client.take, lambda _: None, ended=client.end), group)
        if handshake:
            answer = await client.ask(HANDSHAKE)
            assert (answer["MessageType"], answer["Success"]) == ("HandshakeResponse", True)
        yield client
        socket.stop_reading()
        group.cancel_scope.cancel()
