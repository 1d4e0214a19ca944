"""A server for one test, and clients that exchange bytes instead of messages."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread

from rcex_ws.websocket.frames import Binary
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import Peer, PeerOptions

UPGRADE = (
    b"GET /path?token=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# RFC 6455, section 1.3: the response to that key.
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"  # masked with zeros, code 1000


def masked(first: int, data: bytes) -> bytes:
    """Return a client's frame."""
    assert len(data) < 126
    return bytes((first, 0x80 | len(data))) + b"\0\0\0\0" + data


async def echo(peer: Peer) -> None:
    await peer.accept()
    await peer.read(lambda data, binary: bool(peer.send([Binary(data) if binary else data])))


@contextlib.asynccontextmanager
async def serving(handler: Callable[[Any], Any] = echo, *, tls: Any = None, **options: Any) -> AsyncIterator[int]:
    """Run a server; yields its port."""
    with bind() as listener:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: serve(listener, handler, ssl_context=tls, options=PeerOptions(**options)))
            yield listener.getsockname()[1]
            group.cancel_scope.cancel()


class Raw:
    """A client that sends and receives bytes; runs in threads, so that it works with both loops."""

    def __init__(self, port: int, *, small: bool = False) -> None:
        self.sock = socket.socket()
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        await anyio.to_thread.run_sync(self.sock.sendall, data)

    async def some(self) -> bytes:
        return await anyio.to_thread.run_sync(self.sock.recv, 65536)

    async def until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            more = await self.some()
            assert more, data
            data += more
        return data

    async def rest(self) -> bytes:
        data = b""
        while more := await self.some():
            data += more
        return data

    async def open(self, more: bytes = b"") -> bytes:
        """Do the upgrade; return the bytes that follow the response."""
        await self.send(UPGRADE + more)
        head, _, rest = (await self.until(b"\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert ACCEPT in head
        return rest

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
