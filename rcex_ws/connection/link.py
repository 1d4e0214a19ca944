"""What belongs to one connection and dies with it: its socket, its outbox, its heartbeat and the way it ended.

Made by the supervisor for each connection and thrown away whole, so that no flag of an old connection can speak for a
new one. What outlives a connection stands elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from rcex_ws.connection.heartbeat import Beat, ClockWatch, Heartbeat
from rcex_ws.connection.outbox import Outbox
from rcex_ws.errors import RcexError
from rcex_ws.home import Home
from rcex_ws.loop import Errands, Signal
from rcex_ws.named_log import Log
from rcex_ws.readers import printable
from rcex_ws.trace import SILENT, Span, Step, Tracer
from rcex_ws.websocket.frames import CloseFrame, Sendable
from rcex_ws.websocket.socket import Receivers

if TYPE_CHECKING:
    from rcex_ws.websocket.socket import Ending, Socket

__all__ = ["Conversation", "Link", "Loss", "LossKind", "utc_now"]

logger = logging.getLogger("rcex_ws.connection")

_ids = count(1)


def utc_now() -> datetime:
    """Give the wall-clock time, aware."""
    return datetime.now(UTC)


class LossKind(StrEnum):
    """How a connection ended."""

    CLOSED = "closed"  #: the peer sent a close frame
    REFUSED = "refused"  #: the peer said in its protocol that it ends the connection
    DROPPED = "dropped"  #: reset or end of stream without a close frame
    SILENT = "silent"  #: no inbound frame in answer to a heartbeat
    UNREADABLE = "unreadable"  #: the peer sent something that cannot be read: a frame over the size limit, say
    ABORTED = "aborted"  #: this side dropped it


class Loss(Struct, frozen=True, gc=False):
    """Say how and when a connection was lost.

    Attributes:
        kind: how it ended.
        code: the close code, or the peer's own error code; None if there was none.
        text: for people.
        at: when it was noticed.
    """

    kind: LossKind
    code: int | str | None = None
    text: str = ""
    at: datetime = field(default_factory=utc_now)

    @property
    def announced(self) -> bool:
        """Whether the peer said that it ends the connection, so that nothing before it is missing."""
        return self.kind in (LossKind.CLOSED, LossKind.REFUSED)

    def __str__(self) -> str:
        text = printable(self.text)
        if text and self.kind in (LossKind.ABORTED, LossKind.SILENT):
            return text  # which says it all
        how = str(self.kind) if self.code in (None, "") else f"{self.kind} {printable(self.code)}"
        return f"{how}: {text}" if text else how


class Conversation(Protocol):
    """What a protocol does with one connection; made for each and thrown away with it."""

    def received(self, data: bytes, binary: bool) -> None:
        """Take one message. Runs in the reader: never waits, never runs user code."""
        ...

    def ponged(self, data: bytes) -> None:
        """Take the data of a pong frame. Runs in the reader, too."""
        ...

    def heartbeat(self) -> bytes | Sendable:
        """Make a message or ping that the peer answers."""
        ...

    def suspended(self, seconds: float) -> None:
        """Hear that the machine slept, or was blocked, for so long."""
        ...

    def lost(self, loss: Loss) -> None:
        """Hear at once that the connection is gone."""
        ...

    async def handshake(self) -> None:
        """Do what must happen within the attempt's time-out; raise `RcexError` when it fails."""
        ...

    async def prepare(self) -> None:
        """Do what must happen before the connection counts as ready; raise `RcexError` when it fails."""
        ...

    async def ready(self) -> None:
        """Hear that the connection is ready; may go on until it is lost."""
        ...


class Link:
    """One connection.

    Args:
        socket: the open WebSocket.
        clock: gives the event loop's time, in seconds.
        monitor: makes the judge of whether the peer lives, at that time.
        on_lost: hears of the loss before the conversation does.
        close_timeout: seconds for the closing handshake that `begin_close` begins.
        log: where it says what is odd.
        trace: hears of heartbeats.

    Attributes:
        id: counts the connections of this process.
        opened_at: when it was opened.
        monitor: judges whether the peer lives.
        loss: how it ended; None while it lives.
        round_trip: seconds from the last heartbeat that was answered to its answer; None before.
        send: see `Outbox.put`.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        clock: Callable[[], float],
        monitor: Callable[[float], Heartbeat],
        on_lost: Callable[[Loss], None],
        close_timeout: float = 5.0,
        log: Log = logger,
        trace: Tracer = SILENT,
    ) -> None:
        self.id = next(_ids)
        self.opened_at = utc_now()
        self.monitor = monitor(clock())
        self.loss: Loss | None = None
        self.round_trip: float | None = None
        self._trace = trace
        self._asked: tuple[float, Span] | None = None  # since when a heartbeat waits for its answer
        self._socket = socket
        self._clock = clock
        self._opened = clock()
        self._clocks = ClockWatch(self._opened, time.time())
        self._close_timeout = close_timeout
        self._log = log
        self._errands = Errands()  # of the reader, which is no task on asyncio; done between heartbeats
        self._home = Home("this connection")
        self._home.check()
        self._outbox = Outbox(socket, self._errands, close_timeout=close_timeout)
        self.send = self._outbox.put
        self._closing = False
        self._scope: anyio.CancelScope | None = None  # of all that `run` does
        self._begun = False  # its steps are taken
        self._failure: RcexError | None = None  # of these
        self._ended = Signal()
        self._on_lost = on_lost
        self._conversation: Conversation | None = None

    def __repr__(self) -> str:
        return f"<Link {self.id} {f'lost: {self.loss}' if self.loss else 'open'}>"

    @property
    def closing(self) -> bool:
        """Whether this side has begun to close it."""
        return self._closing

    def withdraw_requests(self) -> None:
        """Send no requests that are not written yet: they go over another connection."""
        self._outbox.withdraw_requests()

    @property
    def lived(self) -> float:
        """Seconds since the connection was opened."""
        return self._clock() - self._opened

    @property
    def last_inbound_at(self) -> datetime:
        """When the last frame came (at first: when the connection was opened)."""
        return datetime.fromtimestamp(self.monitor.last_inbound + self._clocks.offset, UTC)  # in any thread

    def begin_close(self, frame: CloseFrame) -> None:
        """Begin the closing handshake when what waits is written; nothing is sent after the frame. Never waits."""
        self._closing = True
        # Also where the peer reads nothing, so that the frame cannot go out.
        self._errands.put(partial(self._end_by, self._clock() + self._close_timeout))
        self._outbox.close(frame)

    def do_soon(self, errand: Callable[[], object]) -> None:
        """Have something done in a task, while the connection lives; callable by the reader."""
        self._errands.put(errand)

    def abort(self) -> None:
        """Drop the connection at once; the supervisor goes on as after any loss.

        Raises:
            WrongEventLoop: called from another event loop or thread.
        """
        self._home.check()
        self.lose(Loss(LossKind.ABORTED, text="dropped by abort()"))

    def lose(self, loss: Loss) -> None:
        """Declare the connection lost; the first reason counts."""
        if self.loss is None:
            self.loss = loss
            self._socket.stop_reading()
            self._outbox.stop()
            self._errands.end()
            if self._asked is not None:
                self._asked[1].detail = str(loss)
                self._asked[1].failed()
            self._on_lost(loss)
            if self._conversation is not None:
                self._conversation.lost(loss)

    def ask(self, beat: bytes | Sendable) -> None:
        """Send a heartbeat."""
        if self._asked is None:
            self._asked = (self._clock(), self._trace.begin(Step.HEARTBEAT))
        self.send(beat)

    def answered(self) -> None:
        """Hear that a heartbeat is answered; callable by the reader."""
        if self._asked is not None:
            (asked_at, span), self._asked = self._asked, None
            self.round_trip = self._clock() - asked_at
            span.done()

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Write what waits, do the closing handshake, for at most `within` seconds, then abort. Safe from any task."""
        try:
            if self.loss is None:
                self.begin_close(CloseFrame(code, reason))
                with anyio.move_on_after(within):
                    await self._ended.wait()
        finally:
            self.lose(Loss(LossKind.ABORTED, text="closed by the application"))

    async def run(self, conversation: Conversation, steps: Callable[[], Awaitable[None]]) -> None:
        """Read, write and beat while `steps` runs, and then until the connection is lost.

        Raises:
            RcexError: `steps` raised it; the connection is over.
        """
        self._conversation = conversation
        try:
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                self._outbox.start(group)
                group.start_soon(self._begin, group, conversation, steps)
                await self._beat(conversation)
                if not self._begun or self._outbox.writing:
                    group.cancel_scope.cancel()  # else nothing runs any more, and cancelling costs much
            self.lose(Loss(LossKind.DROPPED, text="the peer did not answer the closing handshake"))
        finally:
            self.lose(Loss(LossKind.ABORTED, text="closed by the application"))  # unless there was a reason before
            self._ended.set()
        if self._failure is not None:
            raise self._failure

    async def _begin(self, group: TaskGroup, conversation: Conversation, steps: Callable[[], Awaitable[None]]) -> None:
        self._read(group, conversation)
        try:
            await steps()
            self._begun = True
        except RcexError as exc:  # kept out of the group, which would wrap it
            if self.loss is None:  # else this is only how the loss showed
                self._failure = exc
                self.lose(Loss(LossKind.ABORTED, text=str(exc)))

    def _read(self, group: TaskGroup, conversation: Conversation) -> None:
        """Let the conversation have what comes, from when the first step waits."""
        monitor, clock, outbox = self.monitor, self._clock, self._outbox

        def heard() -> None:
            monitor.last_inbound = clock()
            outbox.heard()

        receivers = Receivers(conversation.received, conversation.ponged, heard, self._on_ending, self._on_bug)
        self._socket.start_reading(receivers, group)

    def _on_ending(self, ending: Ending) -> None:
        kind = LossKind.CLOSED if ending.by_peer else LossKind.DROPPED
        if ending.unreadable:
            kind = LossKind.UNREADABLE
        self.lose(Loss(kind, ending.code, ending.reason))

    def _on_bug(self, error: Exception) -> None:
        """Have a bug of ours, met where the loop calls us, raised by the task that owns the connection."""

        def fail() -> None:
            raise error

        self._errands.put(fail)

    def _end_by(self, deadline: float) -> None:
        if self._scope is not None:
            self._scope.deadline = deadline

    async def _beat(self, conversation: Conversation) -> None:
        """Send heartbeats and judge the answers; in between, do the errands of the connection."""
        monitor, clock = self.monitor, self._clock
        excused = False
        while True:
            due = monitor.wake_at(clock())
            await self._errands.run(until=due)
            if self.loss is not None:
                return
            now = clock()
            slept, late = self._clocks.jumped(now, time.time()), now - due
            blocked = late > monitor.timeout / 2
            if slept or (blocked and not excused):
                # The answer to an older heartbeat may still lie unread in the socket: ask anew before judging, once.
                excused = True
                if blocked:
                    self._log.warning("the event loop was blocked for %.1f s; heartbeats came late", late)
                else:
                    self._log.info("the machine was suspended for about %.0f s", slept)
                conversation.suspended(slept or late)
                beat = monitor.ask(now)
            else:
                excused = False
                beat = monitor.poll(now)
            if beat is Beat.SEND:
                self.ask(conversation.heartbeat())
            elif beat is Beat.LOST:
                self.lose(Loss(LossKind.SILENT, text="no answer to a heartbeat"))
