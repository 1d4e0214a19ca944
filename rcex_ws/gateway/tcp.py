"""A TCP byte stream and its accept loop, with the one thing the usual streams do not offer: RST on command.

`server.py` listens with it, `wire.py` resets by it. anyio's own stream sends a FIN before it closes, so its peer sees
an orderly end first; faults need the bare reset of a lost connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import ByteStream

__all__ = ["TcpStream", "listen", "reset_on_close", "serve"]

_CHUNK = 65536


def reset_on_close(sock: socket.socket) -> None:
    """Let closing a socket send RST instead of FIN (SO_LINGER with a time of 0)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class TcpStream(ByteStream):
    """Wrap a connected, non-blocking socket.

    Args:
        sock: The socket; closed with the stream.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def receive(self, max_bytes: int = _CHUNK) -> bytes:
        """Return the next bytes.

        Raises:
            anyio.EndOfStream: After the peer's FIN.
            anyio.BrokenResourceError: After the peer's RST.
            anyio.ClosedResourceError: If it was closed here.
        """
        while True:
            await self._ready(anyio.wait_readable)
            try:
                data = self._sock.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error
            if not data:
                raise anyio.EndOfStream
            return data

    async def send(self, item: bytes) -> None:
        """Write all of it, in one call to the kernel if that takes it.

        Raises:
            anyio.BrokenResourceError: If the peer is gone.
            anyio.ClosedResourceError: If it was closed here.
        """
        await anyio.lowlevel.checkpoint()
        left = memoryview(item)
        while left:
            if self._sock.fileno() < 0:
                raise anyio.ClosedResourceError
            try:
                left = left[self._sock.send(left) :]
            except BlockingIOError:
                await self._ready(anyio.wait_writable)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Send FIN and go on reading."""
        with contextlib.suppress(OSError):  # the peer may be gone, then there is nobody to tell
            self._sock.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Close with FIN."""
        self._close()
        await anyio.lowlevel.checkpoint()

    def reset(self) -> None:
        """Close with RST, at once."""
        if self._sock.fileno() >= 0:
            reset_on_close(self._sock)
            self._close()

    def _close(self) -> None:
        if self._sock.fileno() >= 0:
            anyio.notify_closing(self._sock)
            self._sock.close()

    async def _ready(self, wait: Callable[[socket.socket], Awaitable[None]]) -> None:
        if self._sock.fileno() < 0:
            raise anyio.ClosedResourceError
        await wait(self._sock)
        if self._sock.fileno() < 0:
            raise anyio.ClosedResourceError


def listen(host: str, port: int) -> socket.socket:
    """Return a listening, non-blocking TCP socket; port 0 takes any free one."""
    sock = socket.create_server((host, port), backlog=100)
    sock.setblocking(False)
    return sock


async def serve(listener: socket.socket, handler: Callable[[TcpStream], Coroutine[Any, Any, None]]) -> None:
    """Accept connections until cancelled, one task per connection."""
    async with anyio.create_task_group() as group:
        while True:
            await anyio.wait_readable(listener)
            try:
                sock, _ = listener.accept()
            except OSError:
                continue  # the client left between the wake-up and the accept
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            group.start_soon(handler, TcpStream(sock))
