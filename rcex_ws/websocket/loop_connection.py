"""What both sides of a WebSocket do on a transport of asyncio or uvloop: frames are read where the loop calls us.

No task stands between the network and the receivers. What runs here is called by the loop itself, where no task is
current: so nothing of anyio's is made or called in the callbacks, and each catches what it raises, for the task that
reads or opens to raise it again.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from rcex_ws.home import close_in_forks
from rcex_ws.loop import Signal
from rcex_ws.websocket.codec import Codec
from rcex_ws.websocket.socket import Receivers

__all__ = ["WRITE_BUFFER", "LoopConnection", "Scheduler"]

#: Bytes that wait in a transport before writers have to wait, too.
WRITE_BUFFER = 2**15

#: Bytes that are read while nobody takes them; then the network has to wait.
_MAX_UNCLAIMED = 2**16


class Timer(Protocol):
    """What `call_later` gives."""

    def cancel(self) -> None:
        """Call nothing any more."""
        ...


class Scheduler(Protocol):
    """The part of a loop of asyncio that a connection needs; streams of trio have one, too."""

    def call_soon(self, callback: Callable[[], Any], /) -> object:
        """Call in the next turn of the loop."""
        ...

    def call_later(self, delay: float, callback: Callable[[], Any], /) -> Timer:
        """Call after some seconds."""
        ...


class LoopConnection(asyncio.Protocol):
    """Read one WebSocket; made by the loop for a new transport.

    Args:
        loop: the running one.
    """

    def __init__(self, loop: Scheduler) -> None:
        self._codec: Codec | None = None
        self._receivers: Receivers | None = None
        self._transport: asyncio.Transport
        self._loop = loop
        self._writable = Signal()  # set while the transport takes more
        self._writable.set()
        self._ended = Signal()
        self._gone = Signal()
        self._got_eof = False
        self._has_backlog = False  # there is more to read than fits in a turn of the loop
        self._unclaimed = 0  # bytes that came when there was no receiver yet
        self._failure: Exception | None = None
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the connection, if it has one and is open."""
        socket = self._transport.get_extra_info("socket")
        return () if socket is None or socket.fileno() < 0 else (socket.fileno(),)

    # -- what each side does in its own way ------------------------------------------------------------------------

    @abstractmethod
    def _feed_handshake(self, data: bytes) -> None:
        """Take bytes that came before there was a codec."""

    @abstractmethod
    def _handshake_eof(self) -> None:
        """Hear that the stream ended before there was a codec."""

    def _on_ended(self) -> None:
        """Hear that the WebSocket has ended."""
        self._ended.set()

    # -- called by the loop ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's are, but for the name
        if not transport.is_closing():  # uvloop's raises once it is closed, as its `write` does
            self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        try:
            if self._codec is None:
                self._feed_handshake(data)
                return
            self._codec.feed(data)
            if self._receivers is None:
                self._limit_unclaimed(data)
            elif not self._has_backlog:
                self._process(self._codec, self._receivers)
        except Exception as exc:  # noqa: BLE001 - raised again by the task that waits
            self._fail(exc)

    def pause_writing(self) -> None:
        """Hear that the network is slow."""
        self._writable = Signal()

    def resume_writing(self) -> None:
        """Hear that the network takes more."""
        try:
            self._writable.set()
            self._write_replies()
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(exc)

    def eof_received(self) -> bool:
        """Hear that the peer sends nothing more; let the loop close the transport."""
        self._on_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the transport is gone; what has come before is still handed over."""
        self._writable.set()
        self._gone.set()
        self._on_eof()

    def _on_eof(self) -> None:
        self._got_eof = True
        try:
            if self._codec is None:
                self._handshake_eof()
            if not self._has_backlog:
                self._on_ended()
        except Exception as failure:  # noqa: BLE001 - as above
            self._fail(failure)

    def _process_rest(self) -> None:
        """Process what did not fit in the turn before."""
        try:
            self._has_backlog = False
            if self._codec is not None and self._receivers is not None:
                self._process(self._codec, self._receivers)
            if not self._has_backlog:
                if self._got_eof:
                    self._on_ended()
                elif not self._transport.is_closing():
                    self._transport.resume_reading()
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(exc)

    # -- how -------------------------------------------------------------------------------------------------------

    def _process(self, codec: Codec, receivers: Receivers) -> None:
        more = codec.process(receivers)
        self._write_replies()
        if codec.ending is not None:
            self._on_ended()
        elif more:
            self._has_backlog = True
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._loop.call_soon(self._process_rest)

    def _limit_unclaimed(self, data: bytes) -> None:
        """Let the network wait when too much has come for which there is no receiver yet."""
        self._unclaimed += len(data)
        if self._unclaimed > _MAX_UNCLAIMED and not self._transport.is_closing():
            self._transport.pause_reading()

    def _write_replies(self) -> None:
        """Answer pings and a close frame; while the network is slow the newest answers wait."""
        if self._codec is None or not self._writable.is_set() or self._transport.is_closing():
            return
        if replies := self._codec.replies():
            self._transport.write(replies)

    def _fail(self, exc: Exception) -> None:
        if self._failure is None:
            self._failure = exc
        self._ended.set()

    # -- called by tasks -------------------------------------------------------------------------------------------

    def _is_open(self) -> bool:
        return self._codec is not None and self._codec.is_open and not self._transport.is_closing()

    def _opened(self) -> Codec:
        if self._codec is None:
            raise AssertionError("the handshake comes first")
        return self._codec

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # else it, its traceback and this would keep each other until the collector comes
