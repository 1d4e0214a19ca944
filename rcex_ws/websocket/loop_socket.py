"""The client's side of one WebSocket on an asyncio or uvloop transport.

Messages are written to the network in the same iteration of the loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import anyio

from rcex_ws.loop import Signal
from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.loop_connection import LoopConnection, Scheduler
from rcex_ws.websocket.socket import NOBODY, Receivers

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["LoopSocket"]


class LoopSocket(LoopConnection):
    """A `Socket` on asyncio or uvloop; also the protocol of its transport.

    Args:
        handshake: the client's side of the opening handshake.
        loop: the running loop.
    """

    def __init__(self, handshake: ClientHandshake, loop: Scheduler) -> None:
        super().__init__(loop)
        self._handshake = handshake
        self._answered = Signal()

    # -- called by the loop --------------------------------------------------------------------------------------------

    def _feed_handshake(self, data: bytes) -> None:
        if self._answered.is_set():  # the body of a refusal
            return
        if self._handshake.feed(data):
            self._codec = self._handshake.codec
            del self._handshake  # it holds the whole response
            self._answered.set()

    def _handshake_eof(self) -> None:
        if not self._answered.is_set():
            self._handshake.feed_eof()

    def _on_ended(self) -> None:
        super()._on_ended()
        if self._receivers is not None:
            self._loop.call_soon(self._deliver_ending)  # after the tasks that wait for earlier messages have been woken

    def _deliver_ending(self) -> None:
        receivers, self._receivers = self._receivers or NOBODY, NOBODY
        try:
            receivers.ended(self._opened().finish())
        except Exception as exc:  # noqa: BLE001 - a task of the owner raises it
            receivers.failed(exc)

    def _fail(self, exc: Exception) -> None:
        super()._fail(exc)
        self._answered.set()
        if (receivers := self._receivers) is not None:
            self._receivers, self._failure = NOBODY, None
            receivers.failed(exc)

    # -- called by tasks -----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Do the opening handshake.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101.
            ConnectFailed: there was no response, or an invalid one.
        """
        if not self._transport.is_closing():  # otherwise `_answered` is set, or about to be
            self._transport.write(self._handshake.request())
        await self._answered.wait()
        self._raise_failure()

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Deliver messages from the caller's next checkpoint on, until the WebSocket ends."""
        self._raise_failure()
        if self._opened().deaf:
            return
        self._receivers, self._has_backlog = receivers, True
        self._loop.call_soon(self._process_rest)  # data received before this call

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write complete messages; return whether the WebSocket was open. `bytes` stand for an encoded text message."""
        await self._writable.wait()
        if not self._is_open():
            return False
        self._transport.write(self._opened().encode(messages))
        return True

    def stop_reading(self) -> None:
        """Deliver nothing more from now on, not even how the WebSocket ends."""
        self._opened().deaf = True
        self._receivers = NOBODY

    def can_write(self) -> bool:
        """Return whether `write` is possible: the WebSocket is open and the transport's buffer has room."""
        return self._writable.is_set() and self._is_open()

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages without waiting, in one system call; write none and return False unless `can_write`."""
        if not self.can_write():
            return False
        self._transport.write(self._opened().encode(messages))
        return True

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake within `within` seconds, then abort the connection."""
        try:
            if self._is_open():
                self._transport.write(self._opened().close(code, reason))
            with anyio.move_on_after(within):
                await self._ended.wait()
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        if not self._gone.is_set():
            self._transport.abort()
            with anyio.CancelScope(shield=True):
                await self._gone.wait()
