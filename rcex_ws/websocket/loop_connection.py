"""What both sides of a WebSocket do on an asyncio or uvloop transport: frames are read in the loop's callbacks.

No task stands between the network and the receivers. The loop itself calls the methods here, while no task is current:
so the callbacks create and call nothing of anyio's, and each of them stores its exception for the task that reads or
opens to raise.
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

#: Bytes buffered by a transport before writers have to wait.
WRITE_BUFFER = 2**15

#: Bytes buffered before there is a receiver; beyond that, reading from the network pauses.
_MAX_UNCLAIMED = 2**16


class Timer(Protocol):
    """What `call_later` returns."""

    def cancel(self) -> None:
        """Cancel the call."""
        ...


class Scheduler(Protocol):
    """The part of an asyncio loop that a connection needs; `StreamTransport` has it as well, for trio."""

    def call_soon(self, callback: Callable[[], Any], /) -> object:
        """Call in the next iteration of the loop."""
        ...

    def call_later(self, delay: float, callback: Callable[[], Any], /) -> Timer:
        """Call after `delay` seconds."""
        ...


class LoopConnection(asyncio.Protocol):
    """The protocol of one transport: reads one WebSocket.

    Args:
        loop: the running loop.
    """

    def __init__(self, loop: Scheduler) -> None:
        self._codec: Codec | None = None
        self._receivers: Receivers | None = None
        self._transport: asyncio.Transport
        self._loop = loop
        self._writable = Signal()  # set while the transport's buffer has room
        self._writable.set()
        self._ended = Signal()
        self._gone = Signal()
        self._got_eof = False
        self._has_backlog = False  # more is buffered than one turn of the loop may process
        self._unclaimed = 0  # bytes received before there was a receiver
        self._failure: Exception | None = None
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptor of the connection, if it has one and is open."""
        socket = self._transport.get_extra_info("socket")
        return () if socket is None or socket.fileno() < 0 else (socket.fileno(),)

    # -- implemented by each side --------------------------------------------------------------------------------------

    @abstractmethod
    def _feed_handshake(self, data: bytes) -> None:
        """Handle data received before there is a codec."""

    @abstractmethod
    def _handshake_eof(self) -> None:
        """Handle the end of the stream before there is a codec."""

    def _on_ended(self) -> None:
        """Wake the tasks that wait for the end of the WebSocket."""
        self._ended.set()

    # -- called by the loop --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and limit its buffer."""
        self._transport = cast("asyncio.Transport", transport)  # as good as: uvloop's has no common base class
        if not transport.is_closing():  # on a closed transport of uvloop it raises, as `write` does
            self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Feed data to the handshake or to the codec."""
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
        """Make writers wait: the transport's buffer is full."""
        self._writable = Signal()

    def resume_writing(self) -> None:
        """Let writers continue, and write the replies that had to wait."""
        try:
            self._writable.set()
            self._write_replies()
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(exc)

    def eof_received(self) -> bool:
        """Handle the end of the stream, and let the loop close the transport."""
        self._on_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the loss of the transport; data received before is still delivered."""
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
        """Process the data that the previous turn left."""
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

    # -- helpers -------------------------------------------------------------------------------------------------------

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
        """Pause reading when too much has arrived before there is a receiver."""
        self._unclaimed += len(data)
        if self._unclaimed > _MAX_UNCLAIMED and not self._transport.is_closing():
            self._transport.pause_reading()

    def _write_replies(self) -> None:
        """Write pongs and close frames, unless the transport's buffer is full; they then wait in the codec."""
        if self._codec is None or not self._writable.is_set() or self._transport.is_closing():
            return
        if replies := self._codec.replies():
            self._transport.write(replies)

    def _fail(self, exc: Exception) -> None:
        if self._failure is None:
            self._failure = exc
        self._ended.set()

    # -- called by tasks -----------------------------------------------------------------------------------------------

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
            del failure  # otherwise it, its traceback and this frame would form a reference cycle
