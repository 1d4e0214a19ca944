"""One WebSocket on a transport of asyncio or uvloop: frames are read and written where the loop calls us.

No task stands between the network and the receivers. What runs here is called by the loop itself, where no task is
current: so nothing of anyio's is made or called in the callbacks, and each catches what it raises, for the task that
reads or opens to raise it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

import anyio

from rcex_ws.home import close_in_children
from rcex_ws.loop import Signal
from rcex_ws.websocket.codec import Codec
from rcex_ws.websocket.frames import Frame
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.socket import Ending, Receivers

__all__ = ["LoopSocket"]

#: Bytes that wait in a transport before writers have to wait, too.
WRITE_BUFFER = 2**15


class LoopSocket(asyncio.Protocol):
    """Read and write one WebSocket; made by the loop for a new transport.

    Args:
        handshake: the client's side of it.
    """

    def __init__(self, handshake: ClientHandshake) -> None:
        self._handshake = handshake
        self._codec: Codec | None = None
        self._receivers: Receivers | None = None
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._answered = Signal()
        self._writable = Signal()  # set while the transport takes more
        self._writable.set()
        self._ended = Signal()
        self._gone = Signal()
        self._stream_over = False
        self._behind = False  # there is more to read than fits in a turn of the loop
        self._failure: Exception | None = None
        close_in_children(self)

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the connection, if it has one and is open."""
        socket = self._transport.get_extra_info("socket")
        return () if socket is None or socket.fileno() < 0 else (socket.fileno(),)

    # -- called by the loop ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's are, but for the name
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        try:
            if self._codec is not None:
                self._codec.feed(data)
                if self._receivers is not None and not self._behind:
                    self._process(self._codec, self._receivers)
            elif self._handshake.feed(data):
                self._codec = self._handshake.codec
                del self._handshake  # with the whole answer
                self._answered.set()
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

    def eof_received(self) -> None:
        """Hear that the peer sends nothing more."""
        self._end_of_stream()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the transport is gone; what has come before is still handed over."""
        self._writable.set()
        self._gone.set()
        self._end_of_stream()

    def _end_of_stream(self) -> None:
        self._stream_over = True
        try:
            if self._codec is None:
                self._handshake.feed_eof()
        except Exception as failure:  # noqa: BLE001 - as above
            self._fail(failure)
        if not self._behind:
            self._ended.set()

    def _go_on(self) -> None:
        """Process what did not fit in the turn before."""
        try:
            self._behind = False
            if self._codec is not None and self._receivers is not None:
                self._process(self._codec, self._receivers)
            if not self._behind:
                if self._stream_over:
                    self._ended.set()
                elif not self._transport.is_closing():
                    self._transport.resume_reading()
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(exc)

    # -- how -------------------------------------------------------------------------------------------------------

    def _process(self, codec: Codec, receivers: Receivers) -> None:
        more = codec.process(receivers)
        self._write_replies()
        if codec.ending is not None:
            self._ended.set()
        elif more:
            self._behind = True
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _write_replies(self) -> None:
        """Answer pings and a close frame; while the network is slow the newest answers wait."""
        if self._codec is not None and self._writable.is_set() and (replies := self._codec.replies()):
            self._transport.write(replies)

    def _fail(self, exc: Exception) -> None:
        if self._failure is None:
            self._failure = exc
        self._answered.set()
        self._ended.set()

    # -- called by tasks -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Do the opening handshake.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101.
            ConnectFailed: there was no answer, or another one.
        """
        self._transport.write(self._handshake.request())
        await self._answered.wait()
        self._raise_failure()

    async def read(self, receivers: Receivers) -> Ending:
        """Hand over what comes until the WebSocket ends; tell how it ended. Pings are answered by themselves."""
        codec = self._opened()
        self._receivers = receivers
        self._behind = True
        self._go_on()  # what came before this
        try:
            await self._ended.wait()
        finally:
            self._receivers = _NOBODY
        self._raise_failure()
        return codec.finish()

    async def send(self, messages: Iterable[bytes | Frame]) -> bool:
        """Write messages, whole; tell whether the WebSocket was still open. Bytes are a text message, encoded."""
        await self._writable.wait()
        if not self._is_open():
            return False
        self.write(messages)
        return True

    def can_write(self) -> bool:
        """Tell whether `write` is possible: while the WebSocket is open and the network not behind."""
        return self._writable.is_set() and self._is_open()

    def write(self, messages: Iterable[bytes | Frame]) -> None:
        """Write messages without waiting, in one system call if the network takes them; only if `can_write`."""
        self._transport.write(self._opened().encode(messages))

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake, for at most `within` seconds; then the connection is aborted."""
        try:
            if self._is_open():
                self._transport.write(self._opened().close(code, reason))
            with anyio.move_on_after(within):
                await self._ended.wait()
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        self._transport.abort()
        with anyio.CancelScope(shield=True):
            await self._gone.wait()

    def _is_open(self) -> bool:
        return self._codec is not None and self._codec.is_open and not self._transport.is_closing()

    def _opened(self) -> Codec:
        if self._codec is None:
            raise AssertionError("the handshake comes first")
        return self._codec

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _ignore(*_: object) -> None:
    """Take what comes after the last reader has gone."""


_NOBODY = Receivers(_ignore, _ignore)
