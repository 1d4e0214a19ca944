"""What is written to one peer: at once if the network takes it, else later, counted; held back while it is frozen.

Owned by one `ServerPeer`. Nothing here waits but `drain`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rcex_ws.loop import Signal
from rcex_ws.websocket.loop_connection import Scheduler, Timer
from rcex_ws.websocket.outgoing import Outgoing
from rcex_ws.websocket.socket import ignore

__all__ = ["PeerWriter"]


class PeerWriter:
    """Write to a transport.

    Args:
        transport: connected.
        loop: the running one, or what does its part.
        failed: takes what goes wrong in a timer.

    Attributes:
        outgoing: what waits.
        frozen: whether nothing is written.
        finishing: whether nothing more is written but what waits.
        got_eof: whether the peer has ended its side of the stream.
    """

    def __init__(self, transport: asyncio.Transport, loop: Scheduler, failed: Callable[[Exception], None]) -> None:
        self.outgoing = Outgoing()
        self.frozen = self.finishing = self.got_eof = False
        self._transport = transport
        self._loop = loop
        self._failed = failed
        self._blocked = False  # by the network
        self._gap: float | None = None
        self._next: Timer | None = None
        self._drained = Signal()

    def put(self, data: bytes) -> bool:
        """Write, or let it wait if something waits already; tell whether nothing has to."""
        if self.outgoing.size or self._blocked or self.frozen or self._gap is not None:
            self.outgoing.put(data)
            self.flush()
            return False
        self._transport.write(data)
        return True

    def block(self) -> None:
        """Hear that the network is slow."""
        self._blocked = True

    def unblock(self) -> None:
        """Hear that the network takes more."""
        self._blocked = False
        self.flush()

    def pace(self, gap: float, piece: int) -> None:
        """Write each frame by itself, or in pieces, some seconds apart."""
        self._gap, self.outgoing.apart, self.outgoing.piece = gap, True, piece

    def flush(self) -> None:
        """Write what waits, as far as the network takes it."""
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
        """Write what waits, then an end of the stream."""
        self.finishing = True
        self.flush()

    def stop(self) -> None:
        """Hear that the transport is gone."""
        if self._next is not None:
            self._next.cancel()
        self._failed = ignore  # else this and the peer would keep each other, and what they hold, for the collector
        self.release_waiters()

    async def drain(self) -> None:
        """Wait until nothing waits, or it is given up."""
        if self.outgoing.size or self._blocked:
            if self._drained.is_set():
                self._drained = Signal()
            await self._drained.wait()

    def release_waiters(self) -> None:
        """Let nobody wait any longer."""
        self._drained.set()

    def _write_next(self) -> None:
        self._next = None
        try:
            self.flush()
        except Exception as exc:  # noqa: BLE001 - for the task that reads
            self._failed(exc)

    def _end(self) -> None:
        """End our side of the stream.

        Closed at once it would be reset if the peer has sent more than we have read, and what we wrote last be lost.
        """
        transport = self._transport
        if transport.is_closing():
            return
        if self.got_eof or not transport.can_write_eof():
            self._loop.call_soon(transport.close)  # asyncio would tell of the end twice, within `resume_writing`
            return
        try:
            transport.write_eof()
            transport.resume_reading()
        except OSError:  # the peer has reset the connection
            transport.abort()
