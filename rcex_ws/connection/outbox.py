"""The queue of messages to be written to one socket: in order, whole, in as few writes as possible.

On asyncio the first message after an inbound frame is written at once, which is all that a client needs that awaits
each answer; further ones of the same iteration of the loop follow in one write, without a task. Where that is not
possible - the network is slow, or this is trio - a writer task does it, started when first needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from rcex_ws.connection.requests import Pending
from rcex_ws.loop import Errands, Signal
from rcex_ws.websocket.frames import CloseFrame, Sendable

if TYPE_CHECKING:
    from rcex_ws.websocket.socket import Socket

__all__ = ["Outbox"]

#: Most messages passed to the socket at once: from then on a request counts as sent, however slow the peer is.
_BATCH = 32


class Outbox:
    """The queue and the writer of one socket.

    Args:
        socket: the open WebSocket.
        errands: runs what starts the writer task.
        close_timeout: seconds for the closing handshake that `close` begins.
    """

    def __init__(self, socket: Socket, errands: Errands, *, close_timeout: float) -> None:
        self._socket = socket
        self._errands = errands
        self._close_timeout = close_timeout
        # A deque from the first queued message on: an empty one takes 0.7 KiB, and on asyncio it is rarely needed.
        self._messages: deque[bytes | Sendable | Pending[Any]] | tuple[()] = ()
        self._scheduled = False  # a flush or the writer will write what is queued
        self._may_write_now = True  # nothing was written directly since the last inbound frame
        self._open = True
        self._close_frame: CloseFrame | None = None
        self._failure: Exception | None = None
        self._group: TaskGroup | None = None
        self._wakeup: Signal | None = None  # of the writer, once it runs

    @property
    def writing(self) -> bool:
        """Whether the writer has been started."""
        return self._wakeup is not None

    def put(self, message: bytes | Sendable | Pending[Any]) -> None:
        """Write a message, or queue it behind the others; never waits.

        Bytes are an encoded text message. A request that is settled while queued is not sent.
        """
        if not self._open:
            return
        if self._may_write_now and not self._scheduled and self._write_now(message):
            self._may_write_now = False
            return
        if not self._messages:
            self._messages = deque()
        self._messages.append(message)
        if self._scheduled:
            return
        self._scheduled = True
        if self._socket.can_write():
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._wake_writer()

    def close(self, frame: CloseFrame) -> None:
        """Begin the closing handshake once all that is queued is written; accept nothing more."""
        if self._open:
            self._open, self._scheduled = False, True
            self._close_frame = frame
            self._wake_writer()

    def on_inbound(self) -> None:
        """Allow the next message to be written at once: it may be the only one that follows from this frame."""
        self._may_write_now = True

    def start(self, group: TaskGroup) -> None:
        """Run the writer in this group, once it is needed."""
        self._group = group
        if self._messages or self._close_frame is not None:
            self._wake_writer()

    def stop(self) -> None:
        """Write nothing more, because the connection is lost."""
        self._open, self._group = False, None
        self._messages = ()

    def withdraw_requests(self) -> None:
        """Drop the requests that are not written yet; they are sent over another connection."""
        self._messages = deque(message for message in self._messages if not isinstance(message, Pending))

    def _write_now(self, message: bytes | Sendable | Pending[Any]) -> bool:
        """Write a message while none is queued, if the socket accepts it; a shortcut past `_flush`."""
        try:
            if isinstance(message, Pending):
                message.sent = written = self._socket.write((message.frame,))
            else:
                written = self._socket.write((message,))
        except Exception as exc:  # noqa: BLE001 - as in `_flush`
            self._failure, self._scheduled = exc, True
            self._wake_writer()
            return True
        return written

    def _flush(self) -> None:
        """Write as much as the socket accepts without waiting; leave the rest to the writer."""
        try:
            while self._messages and self._socket.write(self._next_batch()):
                pass
        except Exception as exc:  # noqa: BLE001 - raised again by the writer
            self._failure = exc
        self._scheduled = bool(self._messages) or self._close_frame is not None or self._failure is not None
        if self._scheduled:
            self._wake_writer()

    def _wake_writer(self) -> None:
        if self._wakeup is not None:
            self._wakeup.set()
        elif self._group is not None:
            self._wakeup = Signal()
            self._errands.put(partial(self._group.start_soon, self._write))

    async def _write(self) -> None:
        while True:
            if self._failure is not None:
                raise self._failure
            while self._messages:
                if not await self._socket.send(self._next_batch()):
                    return  # the reader reports how the connection ended
            if (close := self._close_frame) is not None:
                await self._socket.close(close.code, close.reason, within=self._close_timeout)
                return
            self._scheduled = False
            self._wakeup = Signal()
            await self._wakeup.wait()

    def _next_batch(self) -> Iterator[bytes | Sendable]:
        """Yield the next batch; a message leaves the queue when the socket asks for it, which a closed one does not."""
        for _ in range(_BATCH):
            if not self._messages:
                return
            message = self._messages.popleft()
            if isinstance(message, Pending):
                if message.settled:
                    continue
                message.sent = True
                message = message.frame
            yield message
