"""A trio byte stream with the interface of an asyncio transport, so that both loops share one server.

Two tasks stand between the stream and the protocol: one reads, one writes when there is something to write. The rest
runs in them or in the handler's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, cast

import trio

from rcex_ws.loop import Signal
from rcex_ws.websocket.outgoing import Outgoing

__all__ = ["StreamTransport"]

_ENDINGS = (trio.BrokenResourceError, trio.ClosedResourceError)


class StreamTransport(asyncio.Transport):
    """Moves bytes between a stream and a protocol; also stands in for the loop, as a `Scheduler`.

    Args:
        stream: a connected stream; closed at the end of `run`.
        nursery: runs delayed calls, which may outlast `run`.
    """

    def __init__(self, stream: trio.abc.Stream, nursery: trio.Nursery) -> None:
        super().__init__()
        self._stream = stream
        self._later = nursery
        self._outgoing = Outgoing()
        self._writing = False  # whether there is a writing task
        self._readable = Signal()
        self._readable.set()
        self._closing = False
        self._eof = False
        self._paused = False
        self._high = 0
        self._nursery: trio.Nursery
        self._protocol: asyncio.Protocol

    async def run(
        self, protocol: asyncio.Protocol, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run a protocol until the stream ends or the transport is closed, then close the stream."""
        self._protocol = protocol
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    protocol.connection_made(self)
                    task_status.started()
                    await self._read()
                finally:
                    self._closing = True  # before the nursery refuses the writing task
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)
            self._protocol = asyncio.Protocol()  # otherwise the two would form a reference cycle
            protocol.connection_lost(None)

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.receive_some()
            except _ENDINGS:
                data = b""
            while not self._readable.is_set():
                await self._readable.wait()
            if not data:
                if not self._protocol.eof_received():
                    self.close()
                await trio.sleep_forever()  # the end of the writing task ends this one
            self._protocol.data_received(bytes(data))

    async def _write(self) -> None:
        while True:
            if data := self._outgoing.take():
                try:
                    await self._stream.send_all(data)
                except _ENDINGS:
                    self.abort()
                if self._paused and self._outgoing.size <= self._high // 4:
                    self._paused = False
                    self._protocol.resume_writing()
            elif self._closing:
                self.abort()
                return
            elif self._eof:
                await self._send_eof()
            else:
                self._writing = False
                return

    async def _send_eof(self) -> None:
        self._eof = False
        if isinstance(self._stream, trio.abc.HalfCloseableStream):  # pragma: no branch - see `can_write_eof`
            try:
                await self._stream.send_eof()
            except _ENDINGS:
                self.abort()

    # -- the transport's interface; none of this waits -----------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue data for the writing task."""
        if self._closing:
            return
        self._outgoing.put(bytes(data))
        if self._outgoing.size > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()
        self._start_writing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be written, at least 1 while there is a writing task."""
        return self._outgoing.size + self._writing

    def can_write_eof(self) -> bool:
        """Return whether our side of the stream can end before the peer's."""
        return isinstance(self._stream, trio.abc.HalfCloseableStream)

    def write_eof(self) -> None:
        """End our side of the stream once all data is written."""
        self._eof = True
        self._start_writing()

    def pause_reading(self) -> None:
        """Stop delivering data to the protocol."""
        if self._readable.is_set():
            self._readable = Signal()

    def resume_reading(self) -> None:
        """Deliver data to the protocol again."""
        self._readable.set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many bytes may wait before the protocol is paused; `low` is ignored."""
        self._high = high or 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket, if asked for and available."""
        stream: trio.abc.Stream = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = cast("trio.SSLStream[trio.abc.Stream]", stream).transport_stream
        return stream.socket if name == "socket" and isinstance(stream, trio.SocketStream) else default

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._closing

    def close(self) -> None:
        """Close once all data is written."""
        if not self._closing:
            self._closing = True
            self._start_writing()
            self._readable.set()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._nursery.cancel_scope.cancel()

    def _start_writing(self) -> None:
        """Start the writing task, which an idle connection does without: it takes 2 KiB."""
        if not self._writing:
            self._writing = True
            self._nursery.start_soon(self._write)

    # -- the loop's interface ------------------------------------------------------------------------------------------

    def call_soon(self, callback: Callable[[], Any]) -> object:
        """Call in the next iteration of the loop, in a task."""
        return self.call_later(-math.inf, callback)

    def call_later(self, delay: float, callback: Callable[[], Any]) -> trio.CancelScope:
        """Call after `delay` seconds, in a task."""
        scope = trio.CancelScope()
        self._later.start_soon(_call, delay, callback, scope)
        return scope


async def _call(delay: float, callback: Callable[[], Any], scope: trio.CancelScope) -> None:
    with scope:
        await trio.sleep(max(0.0, delay))
        callback()
