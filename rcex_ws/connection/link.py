"""What belongs to one connection: its socket, its outbox, its heartbeat, and how it ended.

Made for each connection and discarded with it, so that no flag of an old connection can be mistaken for one of the new.
What outlives a connection is kept elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from rcex_ws.connection.heartbeat import Beat, ClockWatch, Heartbeat
from rcex_ws.connection.loss import Loss, LossKind, utc_now
from rcex_ws.connection.outbox import Outbox
from rcex_ws.errors import RcexError
from rcex_ws.home import Home
from rcex_ws.loop import Errands, Signal
from rcex_ws.named_log import Log
from rcex_ws.trace import SILENT, Span, Step, Tracer
from rcex_ws.websocket.frames import CloseFrame, Ping, Sendable
from rcex_ws.websocket.socket import Receivers

if TYPE_CHECKING:
    from rcex_ws.connection.driver import Conversation
    from rcex_ws.websocket.socket import Ending, Socket

__all__ = ["Link"]

logger = logging.getLogger("rcex_ws.connection")

_ids = count(1)


class Link:
    """One connection, from its opening to its loss; the next one is another object.

    Args:
        socket: the open WebSocket.
        clock: returns the event loop's time, in seconds.
        monitor: decides whether the peer is alive.
        on_lost: called when the connection is lost, before `on_lost` of the conversation.
        close_timeout: seconds for the closing handshake started by `begin_close`.
        log: gets unusual events.
        trace: gets the heartbeats.

    Attributes:
        id: the number of this connection, counting all of this process.
        opened_at: when the connection was opened, by the wall clock.
        monitor: as given.
        was_ready: whether the state of the client was READY with this connection.
        loss: how the connection was lost; None while it is open.
        round_trip: seconds from the last answered heartbeat to its answer; None before the first.
        send: `Outbox.put`, which queues a message or request.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        clock: Callable[[], float],
        monitor: Heartbeat,
        on_lost: Callable[[Loss], None],
        close_timeout: float = 5.0,
        log: Log = logger,
        trace: Tracer = SILENT,
    ) -> None:
        self.id: int = next(_ids)
        self.opened_at: datetime = utc_now()
        self.monitor = monitor
        self.was_ready = False
        self.loss: Loss | None = None
        self.round_trip: float | None = None
        self._trace = trace
        self._unanswered: tuple[float, Span] | None = None  # the oldest unanswered heartbeat: time, span
        self._socket = socket
        self._clock = clock
        self._opened = clock()
        self._clocks = ClockWatch(self._opened, time.time())
        self._close_timeout = close_timeout
        self._log = log
        self._errands = Errands()  # of the reader, which on asyncio is not a task; done by the task that runs `run`
        self._home = Home("this connection")
        self._home.check()
        self._pinged = False  # the last heartbeat was a ping frame, which any pong answers
        self._outbox = Outbox(socket, self._errands, close_timeout=close_timeout)
        self.send = self._outbox.put  # a method would cost one more call for each request
        self._closing = False
        self._scope: anyio.CancelScope | None = None  # of all that `run` does
        self._start_done = False  # `become_ready` has returned
        self._failure: RcexError | None = None  # the error that `become_ready` raised
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
        """Drop the requests that are not written yet; they are sent over another connection."""
        self._outbox.withdraw_requests()

    @property
    def lived(self) -> float:
        """Seconds since the connection was opened."""
        return self._clock() - self._opened

    @property
    def last_inbound(self) -> float:
        """The event loop's time of the last inbound frame; at first, when the connection was opened."""
        return self.monitor.last_inbound

    @property
    def last_inbound_at(self) -> datetime:
        """When the last inbound frame came, by the wall clock; at first, when the connection was opened."""
        return datetime.fromtimestamp(self.last_inbound + self._clocks.offset, UTC)  # callable in any thread

    def begin_close(self, frame: CloseFrame) -> None:
        """Start the closing handshake without waiting: the frame is sent after what is queued, and is the last."""
        self._closing = True
        # The time-out starts now, not once the frame is written: a peer that does not read would prevent that.
        self._errands.put(partial(self._end_by, self._clock() + self._close_timeout))
        self._outbox.close(frame)

    def do_soon(self, errand: Callable[[], object]) -> None:
        """Call a function that does not wait in a task of the connection; callable by the reader."""
        self._errands.put(errand)

    def abort(self) -> None:
        """Drop the connection at once; the supervisor reconnects as after any other loss.

        Raises:
            WrongEventLoop: called from another event loop or thread.
        """
        self._home.check()
        self.lose(Loss(LossKind.ABORTED, text="dropped by abort()"))

    def lose(self, loss: Loss) -> None:
        """Declare the connection lost; ignored if it is lost already."""
        if self.loss is not None:
            return
        self.loss = loss
        self._socket.stop_reading()
        self._outbox.stop()
        self._errands.end()
        if self._unanswered is not None:
            self._unanswered[1].detail = str(loss)
            self._unanswered[1].failed()
        self._on_lost(loss)
        if self._conversation is not None:
            self._conversation.on_lost(loss)

    def send_heartbeat(self, heartbeat: bytes | Sendable) -> None:
        """Send a heartbeat."""
        self._pinged = isinstance(heartbeat, Ping)
        if self._unanswered is None:
            self._unanswered = (self._clock(), self._trace.begin(Step.HEARTBEAT))
        self.send(heartbeat)

    def heartbeat_answered(self) -> None:
        """Record that a heartbeat was answered; callable by the reader."""
        if self._unanswered is not None:
            (sent_at, span), self._unanswered = self._unanswered, None
            self.round_trip = self._clock() - sent_at
            span.done()

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Write what is queued and close with a handshake, or abort after `within` seconds; callable by any task."""
        try:
            if self.loss is None:
                self.begin_close(CloseFrame(code, reason))
                with anyio.move_on_after(within):
                    await self._ended.wait()
        finally:
            self.lose(Loss(LossKind.ABORTED, text="closed by the application"))

    async def run(self, conversation: Conversation, become_ready: Callable[[], Awaitable[None]]) -> None:
        """Read, write and send heartbeats, during `become_ready` and after it, until the connection is lost.

        Raises:
            RcexError: `become_ready` raised it; the connection is lost.
        """
        self._conversation = conversation
        # On each way out the connection is declared lost, with this loss unless there is one already.
        loss = Loss(LossKind.ABORTED, text="closed by the application")  # the task was cancelled
        try:
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                self._outbox.start(group)
                group.start_soon(self._start, group, conversation, become_ready)
                await self._keep_alive(conversation)
                if not self._start_done or self._outbox.writing:
                    group.cancel_scope.cancel()  # otherwise no other task is left, and cancelling is expensive
            # Unless it is lost already, the group has ended at the deadline set by `begin_close`.
            loss = Loss(LossKind.DROPPED, text="the peer did not answer the closing handshake")
        finally:
            self.lose(loss)
            self._ended.set()
        if self._failure is not None:
            raise self._failure

    async def _start(
        self, group: TaskGroup, conversation: Conversation, become_ready: Callable[[], Awaitable[None]]
    ) -> None:
        self._start_reading(group, conversation)
        try:
            await become_ready()
            self._start_done = True
        except RcexError as exc:  # raised by `run`, because the group would wrap it
            if self.loss is None:  # else the error is a consequence of the loss
                self._failure = exc
                self.lose(Loss(LossKind.ABORTED, text=str(exc)))

    def _start_reading(self, group: TaskGroup, conversation: Conversation) -> None:
        """Pass what is received to the conversation, from the first time that its handshake waits."""
        monitor, clock, outbox = self.monitor, self._clock, self._outbox

        def on_inbound() -> None:
            monitor.last_inbound = clock()
            outbox.on_inbound()

        def on_pong(data: bytes) -> None:
            if self._pinged:
                self.heartbeat_answered()
            conversation.on_pong(data)

        receivers = Receivers(
            message=conversation.on_message,
            pong=on_pong,
            heard=on_inbound,
            ended=self._on_ending,
            failed=self._on_bug,
        )
        self._socket.start_reading(receivers, group)

    def _on_ending(self, ending: Ending) -> None:
        kind = LossKind.CLOSED if ending.by_peer else LossKind.DROPPED
        if ending.unreadable:
            kind = LossKind.UNREADABLE
        self.lose(Loss(kind, ending.code, ending.reason))

    def _on_bug(self, error: Exception) -> None:
        """Raise a bug of the reader in the task that owns the connection: the event loop would only log it."""

        def fail() -> None:
            raise error

        self._errands.put(fail)

    def _end_by(self, deadline: float) -> None:
        if self._scope is not None:  # pragma: no branch - errands run within `run`, which sets it
            self._scope.deadline = deadline

    async def _keep_alive(self, conversation: Conversation) -> None:
        """Send heartbeats and check for answers until the connection is lost; in between, run the reader's errands."""
        monitor, clock = self.monitor, self._clock
        excused = False
        while True:
            due = monitor.wake_at(clock())
            await self._errands.run(until=due)
            if self.loss is not None:
                return
            now = clock()
            suspended, late = self._clocks.jumped(now, time.time()), now - due
            blocked = late > monitor.timeout / 2
            if suspended or (blocked and not excused):
                # The answer to an earlier heartbeat may still be unread in the socket: send one more before deciding.
                excused = True
                if blocked:
                    self._log.warning("the event loop was blocked for %.1f s; heartbeats came late", late)
                else:
                    self._log.info("the machine was suspended for about %.0f s", suspended)
                conversation.on_suspended(suspended or late)
                beat = monitor.force(now)
            else:
                excused = False
                beat = monitor.poll(now)
            if beat is Beat.SEND:
                self.send_heartbeat(conversation.heartbeat())
            elif beat is Beat.LOST:
                self.lose(Loss(LossKind.SILENT, text="no answer to a heartbeat"))
