"""The limit in C: `picows`, a WebSocket client written in Cython, and msgspec; it does what the ceiling does.

A notification goes to a sync function, straight from where its frame is parsed. The socket is read in C, too, on
asyncio as on uvloop: by `aiofastnet`, which picows brings along. There is no permessage-deflate, and no trio.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import picows

from benchmarks.common.worker import run
from benchmarks.contenders.ceiling import Ceiling, Waiter, main, read_envelope, read_frame


class Limit(Ceiling):
    """Take those orders that need no second connection."""

    @asynccontextmanager
    async def connected(self, wsc: str = "") -> AsyncGenerator[str, None]:
        """Get a token, connect; the first frame is taken by the listener, and its recovery token not kept."""
        url = await self.address(wsc)
        context = ssl.create_default_context() if url.startswith("wss:") else None
        listener = _Listener(self, self.waiters)
        transport, _ = await picows.ws_connect(lambda: listener, url, ssl_context=context)
        self.websocket = _Socket(transport)
        try:
            yield ""
        finally:
            transport.disconnect()
            await transport.wait_disconnected()

    async def read(self) -> None:
        """Do nothing: picows calls the listener."""


class _Listener(picows.WSListener):
    """Take all frames."""

    def __init__(self, limit: Limit, waiters: dict[str, Waiter]) -> None:
        self._limit = limit
        self._waiters = waiters

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take one; as bytes, since an application may keep what it gets."""
        read = read_frame(frame.get_payload_as_bytes())
        waiter = self._waiters.pop(read.meta.message_id, None)
        if waiter is not None:
            waiter.set_result(read)
        elif read.meta.type == "ServerNotification":
            self._limit.on_notification(read_envelope(read.body))


class _Socket:
    """Send as a connection of `websockets` does."""

    def __init__(self, transport: picows.WSTransport) -> None:
        self._transport = transport

    async def send(self, message: bytes, *, text: bool) -> None:
        """Send a message."""
        self._transport.send(picows.WSMsgType.TEXT if text else picows.WSMsgType.BINARY, message)


if __name__ == "__main__":
    run(main, sys.argv[2], Limit)
