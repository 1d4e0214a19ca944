"""Write to one peer: at once if the network accepts it, otherwise later from a bounded buffer.

Owned by one `ServerPeer`. Only `drain` waits.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from rcex_ws.loop import Signal
from rcex_ws.websocket.loop_connection import Scheduler, Timer
from rcex_ws.websocket.outgoing import Outgoing
from rcex_ws.websocket.socket import ignore

__all__ = ["PeerWriter"]


class PeerWriter:
    """A buffered writer on a transport.

    Args:
        transport: a connected transport.
        loop: the running loop, or its stand-in.
        failed: called with an exception raised in a timer.
        sock: the socket of the transport, non-blocking, if its bytes go there unchanged.

    Attributes:
        outgoing: the buffer.
        frozen: whether writing is suspended.
        finishing: whether the stream ends as soon as the buffer is empty.
        got_eof: whether the peer has ended its side of the stream.
    """

    __slots__ = (
        "_blocked",
        "_direct",
        "_drained",
        "_failed",
        "_gap",
        "_loop",
        "_next",
        "_sock",
        "_transport",
        "finishing",
        "frozen",
        "got_eof",
        "outgoing",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: Scheduler,
        failed: Callable[[Exception], None],
        sock: socket.socket | None = None,
    ) -> None:
        self.outgoing = Outgoing()
        self.frozen = self.finishing = self.got_eof = False
        self._transport = transport
        self._loop = loop
        self._failed = failed
        self._sock = sock
        self._direct: socket.socket | None = None  # while neither a buffer nor anything else stands before it
        self._blocked = False  # by the network
        self._gap: float | None = None
        self._next: Timer | None = None
        self._drained = Signal()

    def put(self, data: bytes) -> bool:
        """Write data, or buffer it if it cannot be written now; return whether it was written at once."""
        if self._direct is not None:  # the transport would do the same for more
            try:
                sent = self._direct.send(data)
            except OSError:  # the network accepts nothing now, or is lost: the transport will see
                sent = 0
            if sent == len(data):
                return True
            self._direct, data = None, data[sent:]
        elif self.outgoing.size or self._blocked or self.frozen or self._gap is not None:
            self.outgoing.put(data)
            self.flush()
            return False
        elif self._sock is not None and not self._transport.get_write_buffer_size():
            self._direct = self._sock
            return self.put(data)
        self._transport.write(data)
        return True

    def freeze(self) -> None:
        """Suspend writing."""
        self.frozen, self._direct = True, None

    def block(self) -> None:
        """Stop writing: the transport's buffer is full."""
        self._blocked, self._direct = True, None

    def unblock(self) -> None:
        """Continue writing: the transport's buffer has room."""
        self._blocked = False
        self.flush()

    def pace(self, gap: float, piece: int) -> None:
        """Write single frames, or pieces of them, `gap` seconds apart."""
        self._gap, self.outgoing.apart, self.outgoing.piece = gap, True, piece
        self._direct = None

    def flush(self) -> None:
        """Write the buffer, as far as the network accepts it."""
        outgoing = self.outgoing
        while outgoing.size and not (self._blocked or self.frozen or self._next or self._transport.is_closing()):
            self._transport.write(outgoing.take())
            if self._gap is not None:
                self._next = self._loop.call_later(self._gap, self._write_next)
        if not (outgoing.size or self._blocked):
            self._drained.set()
        if self.finishing and not (outgoing.size or self.frozen):
            self._end()

    def finish(self) -> None:
        """Write the buffer, then end our side of the stream."""
        self.finishing = True
        self.flush()

    def stop(self) -> None:
        """Stop for good: the transport is gone."""
        if self._next is not None:
            self._next.cancel()
        self._failed = ignore  # otherwise this and the peer would form a reference cycle
        self.release_waiters()

    async def drain(self) -> None:
        """Wait until the buffer is empty, or until `release_waiters`."""
        if self.outgoing.size or self._blocked:
            if self._drained.is_set():
                self._drained = Signal()
            await self._drained.wait()

    def release_waiters(self) -> None:
        """Wake the tasks in `drain`."""
        self._drained.set()

    def _write_next(self) -> None:
        self._next = None
        try:
            self.flush()
        except Exception as exc:  # noqa: BLE001 - the reading task raises it
            self._failed(exc)

    def _end(self) -> None:
        """End our side of the stream.

        Closing at once would reset the connection if the peer has sent more than we have read, and lose our last data.
        """
        transport = self._transport
        if transport.is_closing():
            return
        if self.got_eof or not transport.can_write_eof():
            self._loop.call_soon(transport.close)  # asyncio would report the end twice within `resume_writing`
            return
        try:
            transport.write_eof()
            transport.resume_reading()
        except OSError:  # the peer has reset the connection
            transport.abort()
