"""One WebSocket over a trio byte stream: a TCP or TLS connection, or memory under a virtual clock.

The reading task wakes up once per read, not once per frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import trio

from rcex_ws.home import close_in_forks
from rcex_ws.loop import Signal
from rcex_ws.websocket.codec import Codec
from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.socket import Receivers

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["StreamSocket"]

#: Seconds to write the reply to the peer's close frame after reading has ended.
_LAST_WRITE = 1.0


class StreamSocket:
    """A `Socket` on trio.

    Args:
        stream: a connected stream.
        handshake: the client's side of the opening handshake.
    """

    def __init__(self, stream: trio.abc.Stream, handshake: ClientHandshake) -> None:
        self._stream = stream
        self._handshake = handshake
        self._codec: Codec | None = None
        self._one_at_a_time = trio.Lock()
        self._cut = False  # a write is incomplete, so nothing may follow
        self._ended = Signal()
        self._reading: trio.CancelScope | None = None
        self._replying = False
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptor of the connection, if it has one and is open."""
        stream: Any = self._stream
        while (below := getattr(stream, "transport_stream", None)) is not None:  # TLS, or `_PrefixedStream`
            stream = below
        socket = getattr(stream, "socket", None)  # a stream in memory has none
        return () if socket is None or socket.fileno() < 0 else (socket.fileno(),)

    async def open(self) -> None:
        """Do the opening handshake.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101.
            ConnectFailed: there was no response, or an invalid one.
        """
        handshake = self._handshake
        try:
            await self._stream.send_all(handshake.request())
            while data := await self._stream.receive_some():
                if handshake.feed(bytes(data)):
                    self._codec = handshake.codec
                    del self._handshake  # it holds the whole response
                    return
        except trio.BrokenResourceError:
            pass  # the end of the stream
        handshake.feed_eof()

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Deliver messages until the WebSocket ends, in a task of the group."""
        group.start_soon(self._read_all, receivers)

    async def _read_all(self, receivers: Receivers) -> None:
        codec, failure = self._opened(), None
        try:
            async with trio.open_nursery() as replying:
                self._reading = replying.cancel_scope
                try:
                    await self._read(codec, receivers, replying)
                except Exception as exc:  # noqa: BLE001 - kept out of the nursery, which would wrap it
                    failure = exc
                if not codec.deaf:  # pragma: no branch - Python 3.11 does not report the way out of the block
                    replying.cancel_scope.deadline = trio.current_time() + _LAST_WRITE
        finally:
            self._ended.set()
        if failure is not None:
            raise failure
        if not codec.deaf:
            receivers.ended(codec.finish())

    async def _read(self, codec: Codec, receivers: Receivers, replying: trio.Nursery) -> None:
        while not codec.deaf:
            while codec.process(receivers):
                await trio.lowlevel.checkpoint()
            if codec.has_replies and not self._replying:
                self._replying = True
                replying.start_soon(self._reply, codec)
            if codec.ending is not None or codec.deaf:
                return
            try:
                data = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not data:
                return
            codec.feed(bytes(data))

    async def _reply(self, codec: Codec) -> None:
        """Write pongs and close frames in a separate task, so that the reader never waits for the network."""
        async with self._one_at_a_time:
            self._replying = False
            await self._write_alone(codec.replies())

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write complete messages; return whether the WebSocket was open. `bytes` stand for an encoded text message."""
        async with self._one_at_a_time:
            codec = self._opened()
            if not codec.is_open or self._cut:
                return False
            return await self._write_alone(codec.encode(messages))

    def stop_reading(self) -> None:
        """Deliver nothing more from now on, not even how the WebSocket ends."""
        self._opened().deaf = True
        if self._reading is not None:
            self._reading.cancel()

    def can_write(self) -> bool:
        """Return False: a stream cannot write without waiting."""
        return False

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write nothing and return False, as `can_write` says."""
        return False

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake within `within` seconds, then abort the connection."""
        try:
            with trio.move_on_after(within):
                if await self._write(self._opened().close(code, reason)):
                    await self._ended.wait()
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)

    async def _write(self, data: bytes) -> bool:
        async with self._one_at_a_time:
            return await self._write_alone(data)

    async def _write_alone(self, data: bytes) -> bool:
        """Write with the lock held; return whether it succeeded. A cancellation leaves an incomplete frame."""
        if self._cut:
            return False
        if not data:
            return True
        self._cut = True
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self._cut = False
        return True

    def _opened(self) -> Codec:
        if self._codec is None:
            raise AssertionError("the handshake comes first")
        return self._codec
