"""One connection through the fault proxy: its two sockets, the bytes between them, and its end.

Used by `proxy.py`, which keeps the faults in two `Lane` objects and runs everything here in its own thread and event
loop. Sockets are used directly: a stream API would send a FIN before the RST that a test requires.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["Cut", "ForwardedConnection", "Lane"]

_CHUNK = 65536
_QUEUED_CHUNKS = 64  # limits the backlog of a delayed direction to 4 MiB
_LINGER_0 = struct.pack("ii", 1, 0)  # makes close() discard unsent data and send a RST


@dataclass(frozen=True, eq=False)
class Cut:
    """A pending fault: end the first connection that forwards `n_bytes` more."""

    n_bytes: int
    rst: bool


class Lane:
    """The faults and the byte counter of one direction, shared by all connections."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.delay = 0.0
        self.cut: Cut | None = None
        self.forwarded = 0


class ForwardedConnection:
    """One proxied connection.

    Args:
        client: the accepted socket, non-blocking.
        on_end: called once, when a FIN or RST has been sent to both sides.
    """

    def __init__(self, client: socket.socket, on_end: Callable[[ForwardedConnection], None]) -> None:
        self.ended = anyio.Event()
        self._client = client
        self._upstream = socket.socket(client.family)
        self._upstream.setblocking(False)
        for sock in (client, self._upstream):  # else two small writes in a row take 40 ms: Nagle's algorithm
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_end = on_end
        self._scope = anyio.CancelScope()
        self._rst = False

    def end(self, *, rst: bool) -> None:
        """Stop forwarding and end both sides; `ended` is set once that is done."""
        self._rst = rst
        self._scope.cancel()

    async def serve(self, target: tuple[str, int], up: Lane, down: Lane) -> None:
        """Connect to the target and forward until both sides have finished, one fails, or `end` is called."""
        try:
            try:
                with self._scope:
                    await self._forward(target, up, down)
            except* OSError:
                self._rst = True  # one side was reset or cannot be reached: reset the other, too
            finally:
                self._hang_up()
            if not self._rst:
                await self._drain()
        finally:
            for sock in (self._client, self._upstream):
                sock.close()

    def _hang_up(self) -> None:
        for sock in (self._client, self._upstream):
            if self._rst:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
                sock.close()
            else:
                _send_fin(sock)
        self._on_end(self)
        self.ended.set()

    async def _forward(self, target: tuple[str, int], up: Lane, down: Lane) -> None:
        await asyncio.get_running_loop().sock_connect(self._upstream, target)
        async with anyio.create_task_group() as lanes:
            lanes.start_soon(self._pump, up, self._client, self._upstream)
            lanes.start_soon(self._pump, down, self._upstream, self._client)

    async def _pump(self, lane: Lane, source: socket.socket, sink: socket.socket) -> None:
        send, receive = anyio.create_memory_object_stream[tuple[float, bytes]](_QUEUED_CHUNKS)
        async with anyio.create_task_group() as ends:
            ends.start_soon(self._read, lane, source, send)
            ends.start_soon(self._write, lane, sink, receive)

    async def _read(
        self, lane: Lane, source: socket.socket, chunks: MemoryObjectSendStream[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        # The exception of the writer explains why it has ended.
        with chunks, suppress(anyio.BrokenResourceError):
            while True:
                await lane.open.wait()
                data = await loop.sock_recv(source, _CHUNK)
                await chunks.send((loop.time() + lane.delay, data))
                if not data:
                    return

    async def _write(
        self, lane: Lane, sink: socket.socket, chunks: MemoryObjectReceiveStream[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        cut, before_cut = lane.cut, 0
        with chunks:
            async for due, data in chunks:
                await anyio.sleep_until(due)
                await lane.open.wait()
                if not data:
                    _send_fin(sink)
                    continue
                if lane.cut is not cut:
                    cut, before_cut = lane.cut, 0
                if cut is not None:
                    data = data[: cut.n_bytes - before_cut]
                await loop.sock_sendall(sink, data)
                lane.forwarded += len(data)
                before_cut += len(data)
                if cut is not None and before_cut == cut.n_bytes:
                    lane.cut = None if lane.cut is cut else lane.cut
                    self.end(rst=cut.rst)

    async def _drain(self) -> None:
        """Discard further incoming data: closing a socket with unread data would send a RST after the FIN."""
        loop = asyncio.get_running_loop()

        async def drain(sock: socket.socket) -> None:
            try:
                while await loop.sock_recv(sock, _CHUNK):
                    pass
            except OSError:
                return  # reset by that side, so the connection has ended as well

        async with anyio.create_task_group() as sides:
            for sock in (self._client, self._upstream):
                sides.start_soon(drain, sock)


def _send_fin(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return  # never connected, or already closed by that side
