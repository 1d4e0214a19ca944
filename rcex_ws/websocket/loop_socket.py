"""The client's side of one WebSocket on a transport of asyncio or uvloop.

What is sent goes out in the same turn of the loop.
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
    """Read and write one WebSocket; made by the loop for a new transport.

    Args:
        handshake: the client's side of it.
        loop: the running one.
    """

    def __init__(self, handshake: ClientHandshake, loop: Scheduler) -> None:
        super().__init__(loop)
        self._handshake = handshake
        self._answered = Signal()

    # -- called by the loop ----------------------------------------------------------------------------------------

    def _feed_handshake(self, data: bytes) -> None:
        if self._answered.is_set():  # the body of a refusal
            return
        if self._handshake.feed(data):
            self._codec = self._handshake.codec
            del self._handshake  # with the whole answer
            self._answered.set()

    def _handshake_eof(self) -> None:
        if not self._answered.is_set():
            self._handshake.feed_eof()

    def _on_ended(self) -> None:
        super()._on_ended()
        if self._receivers is not None:
            self._loop.call_soon(self._deliver_ending)  # tasks that wait for what came before it are woken first

    def _deliver_ending(self) -> None:
        receivers, self._receivers = self._receivers or NOBODY, NOBODY
        try:
            receivers.ended(self._opened().finish())
        except Exception as exc:  # noqa: BLE001 - for a task of the owner's to raise
            receivers.failed(exc)

    def _fail(self, exc: Exception) -> None:
        super()._fail(exc)
        self._answered.set()
        if (receivers := self._receivers) is not None:
            self._receivers, self._failure = NOBODY, None
            receivers.failed(exc)

    # -- called by tasks -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Do the opening handshake.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101.
            ConnectFailed: there was no answer, or another one.
        """
        if not self._transport.is_closing():  # else `_answered` says why, or is about to
            self._transport.write(self._handshake.request())
        await self._answered.wait()
        self._raise_failure()

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Hand over what comes until the WebSocket ends, from the caller's next checkpoint on."""
        self._raise_failure()
        if self._opened().deaf:
            return
        self._receivers, self._has_backlog = receivers, True
        self._loop.call_soon(self._process_rest)  # what came before this

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages, whole; tell whether the WebSocket was still open. Bytes are a text message, encoded."""
        await self._writable.wait()
        if not self._is_open():
            return False
        self._transport.write(self._opened().encode(messages))
        return True

    def stop_reading(self) -> None:
        """Hand over nothing more, from this moment on, and do not tell how it ends."""
        self._opened().deaf = True
        self._receivers = NOBODY

    def can_write(self) -> bool:
        """Tell whether `write` is possible: while the WebSocket is open and the network not behind."""
        return self._writable.is_set() and self._is_open()

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages without waiting, in one system call; take none and return False unless `can_write`."""
        if not self.can_write():
            return False
        self._transport.write(self._opened().encode(messages))
        return True

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
        if not self._gone.is_set():
            self._transport.abort()
            with anyio.CancelScope(shield=True):
                await self._gone.wait()
