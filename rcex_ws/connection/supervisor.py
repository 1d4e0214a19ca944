"""One supervisor per client decides what follows each event of its connection; nothing else reconnects.

It knows no protocol: a `Driver` says where to connect, makes a `Conversation` for each connection, and has the last
word on what follows a loss. The life of a client is `run`, from top to bottom: pause, connect, stay connected, decide.
Below it stand the reports of connections, and what other tasks may ask for.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import cast

import anyio
from anyio.abc import TaskGroup

from rcex_ws.connection.connection import Connection
from rcex_ws.connection.driver import Driver
from rcex_ws.connection.heartbeat import Heartbeat
from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss, LossKind
from rcex_ws.connection.pause import Pause
from rcex_ws.connection.status import Reason, State, StateReason, Status
from rcex_ws.errors import NotConnected, RcexError
from rcex_ws.loop import Signal
from rcex_ws.named_log import Log
from rcex_ws.schedule import ReconnectDelays, Schedule, default_delays
from rcex_ws.trace import SILENT, Tracer
from rcex_ws.websocket.frames import CloseFrame
from rcex_ws.websocket.opener import Opener, open_websocket

__all__ = ["Supervisor"]

logger = logging.getLogger("rcex_ws.connection")


class _AttemptResult:
    """What callers of `attempt_now` wait for: how the attempt under way ends, or else the next one."""

    def __init__(self) -> None:
        self._settled = Signal()
        self._error: Exception | None = None

    def settle(self, error: Exception | None = None) -> None:
        self._error = error
        self._settled.set()

    async def wait(self) -> None:
        await self._settled.wait()
        if self._error is not None:
            raise self._error


class Supervisor:
    """The one part of a client that connects and reconnects it.

    Args:
        driver: the protocol.
        reconnect_hint: None to reconnect by schedule; otherwise a lost connection comes back only by `attempt_now`, and
            this tells the application how to have it called.
        attempt_timeout: seconds for one attempt, from asking the driver for the endpoint to the end of the handshake.
        heartbeat_interval: seconds without an inbound frame after which a heartbeat is sent.
        heartbeat_timeout: seconds to wait for an inbound frame after that.
        heartbeat: the class of heartbeat monitors; by default any inbound frame is a sign of life.
        close_timeout: seconds for a closing handshake, such as that of a replaced connection.
        reconnect_delays: returns the delay in seconds after the n-th consecutive failure.
        open_socket: opens a WebSocket; tests may replace it.
        log: gets the events of the connection.
        trace: gets a span for each step.

    Attributes:
        status: the state of the client, with its reason and time.
        log: as given.
        trace: as given.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        reconnect_hint: str | None = None,
        attempt_timeout: float = 10.0,
        heartbeat_interval: float = 30.0,
        heartbeat_timeout: float = 10.0,
        heartbeat: type[Heartbeat] = Heartbeat,
        close_timeout: float = 5.0,
        reconnect_delays: ReconnectDelays = default_delays,
        open_socket: Opener = open_websocket,
        log: Log = logger,
        trace: Tracer = SILENT,
    ) -> None:
        self.status = Status(log)
        self.log = log
        self.trace = trace
        self._driver = driver
        self._reconnect_hint = reconnect_hint
        self._schedule = Schedule(reconnect_delays, driver.on_misconfigured, log)
        self._pause = Pause(log)
        self._new_connection = partial(
            Connection,
            driver,
            attempt_timeout=attempt_timeout,
            close_timeout=close_timeout,
            new_monitor=partial(heartbeat, heartbeat_interval, heartbeat_timeout),
            open_socket=open_socket,
            report_ready=self._on_ready,
            report_lost=self._on_lost,
            report_ended=self._on_ended,
            is_wanted=lambda: not self.status.ended,
            log=log,
            trace=trace,
        )
        self._opening: Connection | None = None  # the one that an attempt is to open
        self._current: Connection | None = None  # the one that is ready
        self._result = _AttemptResult()
        self._ever_ready = False
        self._tasks: TaskGroup

    # -- one connection after another ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and reconnect until the protocol ends the client or another attempt cannot succeed."""
        async with anyio.create_task_group() as self._tasks:
            await self._stay_connected(0.0)

    async def _stay_connected(self, delay: float) -> None:
        """Connect after `delay` seconds, and reconnect after each loss.

        To replace a connection before it is lost, `replace` runs this once more in a second task. That one takes over
        reconnecting; the first one returns when its connection has ended.
        """
        ending: Loss | RcexError | None = None
        next_delay: float | None = delay
        while next_delay is not None:
            await self._wait(next_delay)
            if self.status.ended:
                break
            connection = self._begin_attempt()
            ending = await connection.run_until_lost()
            if connection.replaced:
                return
            next_delay = None if self.status.ended else await self._decide(connection, ending)

        if not self.status.ended:
            if self._current is not None:
                self.log.warning("the connection cannot be replaced and stays: %s", ending)
                self._current.replaced = False  # its own task reconnects again
                return
            self.status.enter(State.CLOSED, StateReason(Reason.ENDED, "ended by the protocol"))
            self._result.settle(NotConnected("the client has ended"))
        if self._current is None and self._opening is None:
            self._tasks.cancel_scope.cancel()  # of replaced connections, which may still be closing

    async def _wait(self, delay: float) -> None:
        """Wait before an attempt: `delay` seconds, or until it is asked for."""
        if self._on_request_only and not self.is_ready:
            self.log.info("no attempt until it is asked for: %s", self._reconnect_hint)
            delay = math.inf
        await self._pause.wait(delay)

    def _begin_attempt(self) -> Connection:
        if not self.is_ready:  # else the state stays READY until the connection is replaced
            first = self.status.state is State.IDLE
            self.status.enter(State.CONNECTING, StateReason(Reason.STARTED) if first else self.status.reason)
        connection = self._opening = self._new_connection()
        return connection

    async def _decide(self, connection: Connection, ending: Loss | RcexError) -> float | None:
        """Return the delay before the next attempt, which the driver decides; None for no further attempt.

        A failed attempt is not reported before the driver has decided: a fatal refusal must not pass through WAITING.
        """
        if isinstance(ending, Loss):
            level = logging.INFO if connection.link is not None and connection.link.closing else logging.WARNING
            self.log.log(level, "connection lost after %.1f s: %s", connection.lived, ending)
            delay = self._schedule.after_loss(connection.lived)
        else:
            delay = self._schedule.after_failure(ending.retry_after)
        try:
            next_delay = await self._driver.next_delay(ending, delay)
        except RcexError as error:
            if self._current is None:
                self.give_up(error)
            else:
                self._report_failure(error)
            return None
        if self.status.ended:  # while the driver decided
            return None
        if isinstance(ending, RcexError):
            self._report_failure(ending)
        return next_delay

    def _report_failure(self, error: RcexError) -> None:
        self.log.info("an attempt failed: %s", error)
        if not self.is_ready:  # else the connection that was to be replaced is still ready
            self.status.enter(State.WAITING, StateReason(Reason.ATTEMPT_FAILED, str(error)))
        self._settle_result(error)

    def _settle_result(self, error: Exception | None = None) -> None:
        self._result.settle(error)
        self._result = _AttemptResult()

    @property
    def _on_request_only(self) -> bool:
        """Whether only `attempt_now` reconnects."""
        return self._ever_ready and self._reconnect_hint is not None

    # -- reports of connections: none of these waits ---------------------------------------------------------------

    def _on_ready(self, connection: Connection) -> None:
        """Make it the current connection."""
        former, self._current, self._opening = self._current, connection, None
        self._ever_ready = True
        if former is None:
            self.log.info("connected")
            reason = StateReason(Reason.CONNECTED, "connected")
        else:
            self.log.info("the connection is replaced")
            reason = StateReason(Reason.REPLACED, "connected")
            if former.link is not None:  # pragma: no branch - it was ready
                former.link.begin_close(CloseFrame(1000))  # still read until the peer answers
        self.status.enter(State.READY, reason)
        self._settle_result()

    def _on_lost(self, connection: Connection, loss: Loss) -> None:
        """Update the state at once, in whatever task it was lost, or in the reader."""
        if self._current is not connection:
            return  # it was replaced, or never ready
        self._current = None
        if self.is_ready:
            state = State.WAITING if self._opening is None else State.CONNECTING
            self.status.enter(state, StateReason(Reason.LOST, f"lost: {loss}"))

    def _on_ended(self, connection: Connection) -> None:
        if self._opening is connection:
            self._opening = None

    # -- for other tasks -------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether the state is READY."""
        return self.status.state is State.READY

    @property
    def link(self) -> Link | None:
        """The link of the connection that is ready, or else of the one being opened; None while there is none."""
        connection = self._current or self._opening
        return None if connection is None else connection.link

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the next attempt is due, by the wall clock; None while none is scheduled."""
        return self._pause.ends_at

    async def wait_ready(self) -> None:
        """Wait until the connection is ready, through any failed attempts.

        Raises:
            RcexError: the error that made the state FAILED.
            NotConnected: the client is closed, or has lost its connection and only `attempt_now` reconnects it.
        """
        while not self.is_ready:
            self.raise_if_ended()
            self.raise_unless_reconnecting()
            await self.status.wait_changed()

    async def wait_ended(self) -> None:
        """Wait until the state is CLOSED or FAILED."""
        while not self.status.ended:
            await self.status.wait_changed()

    def raise_if_ended(self) -> None:
        """Raise the exception that made the state FAILED, or `NotConnected` if it is CLOSED."""
        if self.status.state is State.FAILED and self.status.failure is not None:
            raise self.status.failure
        if self.status.state is State.CLOSED:
            raise NotConnected("the client is closed")

    def raise_unless_reconnecting(self) -> None:
        """Raise `NotConnected` when the connection is lost and only `attempt_now` reconnects it."""
        if self.status.state is State.WAITING and self._on_request_only:
            raise NotConnected(f"not connected ({self.status.reason}); {self._reconnect_hint}")

    async def attempt_now(self) -> None:
        """Make one attempt now, or join the one under way; do nothing when connected.

        Raises:
            RcexError: the attempt failed.
        """
        if self.is_ready:
            return
        self.raise_if_ended()
        result = self._result
        if self.status.state is not State.CONNECTING:  # else it would skip the pause after this attempt
            self._pause.cut_short()
        await result.wait()

    def replace(self, *, at_once: bool = False) -> None:
        """Open the next connection while the current one stays open; close that when the next one is ready.

        For servers that announce the end of a connection. Does nothing while there is no connection.

        Args:
            at_once: whether to skip the delay that the schedule sets after a connection that lasted only briefly.
        """
        current = self._current
        if current is None or current.link is None:
            return
        if not current.replaced:
            current.link.do_soon(partial(self._open_replacement, current))  # in a task: the caller may be the reader
        if at_once and self._opening is None:
            self._pause.cut_short()

    def _open_replacement(self, connection: Connection) -> None:
        """Start the second task. Only then the connection counts as replaced: a link that ends may never call this."""
        if connection is self._current and not connection.replaced:
            connection.replaced = True
            self._tasks.start_soon(self._stay_connected, self._schedule.after_loss(connection.lived))

    def reschedule(self, delay: float) -> None:
        """Make the scheduled attempt in `delay` seconds from now; do nothing if none is scheduled."""
        if self.status.state is State.WAITING and self._opening is None:
            self._pause.change(delay)

    def begin_close(self) -> None:
        """Make the state CLOSED, which is final, so that no further attempt begins.

        A ready connection stays open for the protocol's farewell, until its link is closed or `run` is cancelled.
        """
        self.status.enter(State.CLOSED, StateReason(Reason.CLOSED, "closed by the application"))
        self._result.settle(NotConnected("the client was closed"))
        self._pause.cut_short()

    async def cancel_attempt(self) -> None:
        """Cancel the attempt under way and wait until it has ended; not callable from within that attempt."""
        connection = self._opening
        if connection is not None:
            connection.cancel()
            await connection.wait_ended()

    def give_up(self, error: Exception) -> None:
        """Make the state FAILED, because of a fatal refusal or an exception that ended a task of the client."""
        error = _innermost(error)
        expected = isinstance(error, RcexError)
        self.log.error("giving up: %s: %s", type(error).__name__, error, exc_info=None if expected else error)
        if self.status.ended:
            return
        self.status.failure = error
        self.status.enter(State.FAILED, StateReason(Reason.FATAL if expected else Reason.BUG, str(error)))
        self._result.settle(error)
        self._pause.cut_short()
        if self._opening is not None:
            self._opening.cancel()
        if self.link is not None:
            self.link.lose(Loss(LossKind.ABORTED, text=str(error)))
        self._driver.on_failed(error)


def _innermost(error: Exception) -> Exception:
    """Return the exception inside nested exception groups of one member each."""
    members: Sequence[Exception] = (error,)
    while len(members) == 1:
        error = members[0]
        members = cast("Sequence[Exception]", getattr(error, "exceptions", ()))
    return error
