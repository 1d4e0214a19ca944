"""One supervisor per client decides what happens next to its connection; nothing else reconnects.

It is independent of any protocol: a `Driver` returns the endpoint, makes a `Conversation` for each connection, and
has the final decision on what follows its loss. The first half of the class is `run`, in the order of events: pause,
attempt, stay connected, decide. The second half is for other tasks.
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

from rcex_ws.connection.attempt import Attempt
from rcex_ws.connection.driver import Driver
from rcex_ws.connection.heartbeat import Heartbeat
from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss, LossKind
from rcex_ws.connection.pause import Pause
from rcex_ws.connection.schedule import ReconnectDelays, Schedule, default_delays
from rcex_ws.connection.status import Reason, State, StateReason, Status
from rcex_ws.errors import NotConnected, RcexError
from rcex_ws.loop import Signal
from rcex_ws.named_log import Log
from rcex_ws.trace import SILENT, Tracer
from rcex_ws.websocket.frames import CloseFrame
from rcex_ws.websocket.opener import Opener, open_websocket

__all__ = ["Supervisor"]

logger = logging.getLogger("rcex_ws.connection")


class _Outcome:
    """The outcome of the attempt under way, or else of the next one; callers of `attempt` wait for it."""

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
        auto_reconnect: False to reconnect only when `attempt` is called.
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
        auto_reconnect: bool = True,
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
        self._auto_reconnect = auto_reconnect
        self._schedule = Schedule(reconnect_delays, driver.on_misconfigured)
        self._pause = Pause(log)
        self._new_attempt = partial(
            Attempt,
            driver,
            attempt_timeout=attempt_timeout,
            close_timeout=close_timeout,
            new_heartbeat=partial(heartbeat, heartbeat_interval, heartbeat_timeout),
            open_socket=open_socket,
            on_ready=self._on_ready,
            on_lost=self._on_lost,
            check_wanted=self._check_wanted,
            log=log,
            trace=trace,
        )
        self._opening: Attempt | None = None  # the attempt under way
        self._current: Attempt | None = None  # the attempt whose connection is ready
        self._outcome = _Outcome()
        self._was_ready = False
        self._tasks: TaskGroup

    # -- one connection after another ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and reconnect until the protocol ends the client or another attempt cannot succeed."""
        async with anyio.create_task_group() as self._tasks:
            await self._stay_connected(0.0)

    async def _stay_connected(self, delay: float | None) -> None:
        """Connect after `delay` seconds, and reconnect after each loss.

        To replace a connection before it is lost, `replace` runs this once more in a second task. That task is then
        responsible for all that follows; the first one returns when its connection has ended.
        """
        while delay is not None:
            await self._pause.wait(math.inf if self._only_on_request and not self.is_ready else delay)
            if self.status.ended:
                break
            attempt = self._begin_attempt()
            try:
                ended = await attempt.run()
            finally:
                if self._opening is attempt:
                    self._opening = None
            if attempt.replaced:
                return
            delay = None if self.status.ended else await self._delay_after(attempt, ended)
            if delay is None and self._current is not None:
                self.log.warning("the connection cannot be replaced and stays: %s", ended)
                self._current.replaced = False  # its task is responsible again
                return
        if not self.status.ended:
            self.status.enter(State.CLOSED, StateReason(Reason.ENDED, "ended by the protocol"))
            self._outcome.settle(NotConnected("the client has ended"))
        if self._current is None and self._opening is None:
            self._tasks.cancel_scope.cancel()  # do not wait for replaced connections that are closing

    def _begin_attempt(self) -> Attempt:
        if not self.is_ready:  # else the state stays READY until the connection is replaced
            first = self.status.state is State.IDLE
            self.status.enter(State.CONNECTING, StateReason(Reason.STARTED) if first else self.status.reason)
        attempt = self._opening = self._new_attempt()
        return attempt

    def _start_beside(self, delay: float) -> None:
        self._tasks.start_soon(self._stay_connected, delay)

    def _on_ready(self, attempt: Attempt) -> None:
        """Make the attempt's connection the current one; called by the attempt."""
        former, self._current, self._opening = self._current, attempt, None
        self._was_ready = True
        if former is None:
            self.log.info("connected")
            reason = StateReason(Reason.CONNECTED, "connected")
        else:
            self.log.info("the connection is replaced")
            reason = StateReason(Reason.REPLACED, "connected")
            if former.link is not None:  # pragma: no branch - it was ready
                former.link.begin_close(CloseFrame(1000))  # still read until the peer answers
        self.status.enter(State.READY, reason)
        self._settle_outcome()

    def _on_lost(self, attempt: Attempt, loss: Loss) -> None:
        """Update the state at once; called by the attempt."""
        if self._current is not attempt:
            return  # its connection was replaced, or never ready
        self._current = None
        if self.is_ready:
            state = State.WAITING if self._opening is None else State.CONNECTING
            self.status.enter(state, StateReason(Reason.LOST, f"lost: {loss}"))

    async def _delay_after(self, attempt: Attempt, ended: Loss | RcexError) -> float | None:
        """Return the delay before the next attempt, from schedule and driver; None for no further attempt."""
        try:
            if isinstance(ended, Loss):
                level = logging.INFO if attempt.link is not None and attempt.link.closing else logging.WARNING
                self.log.log(level, "connection lost after %.1f s: %s", attempt.lived, ended)
                return await self._driver.next_delay(ended, self._schedule.after_loss(attempt.lived))
            delay = await self._driver.next_delay(ended, self._schedule.after_failure(ended.retry_after))
            self._attempt_failed(ended)  # not before: a fatal refusal must not pass through WAITING
        except RcexError as error:
            if self._current is None:
                self.give_up(error)
            else:
                self._attempt_failed(error)
            return None
        return delay

    def _attempt_failed(self, error: RcexError) -> None:
        self.log.info("an attempt failed: %s", error)
        if not self.is_ready:  # else the connection that was to be replaced is still ready
            self.status.enter(State.WAITING, StateReason(Reason.ATTEMPT_FAILED, str(error)))
        self._settle_outcome(error)

    def _settle_outcome(self, error: Exception | None = None) -> None:
        self._outcome.settle(error)
        self._outcome = _Outcome()

    def give_up(self, error: Exception) -> None:
        """Make the state FAILED, because of a fatal refusal or an exception that ended a task of the client."""
        error = _innermost(error)
        expected = isinstance(error, RcexError)
        self.log.error("giving up: %s: %s", type(error).__name__, error, exc_info=None if expected else error)
        if self.status.state is State.CLOSED:
            return
        self.status.failure = error
        self.status.enter(State.FAILED, StateReason(Reason.REFUSED if expected else Reason.BUG, str(error)))
        self._outcome.settle(error)
        self._pause.cut_short()
        if self._opening is not None:
            self._opening.cancel()
        if self.link is not None:
            self.link.lose(Loss(LossKind.ABORTED, text=str(error)))
        self._driver.on_failed(error)

    # -- for other tasks -------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether the state is READY."""
        return self.status.state is State.READY

    @property
    def link(self) -> Link | None:
        """The connection that is ready, or else the one being opened; None while there is none."""
        attempt = self._current or self._opening
        return None if attempt is None else attempt.link

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the next attempt is due, by the wall clock; None while none is scheduled."""
        return self._pause.ends_at

    async def wait_ready(self) -> None:
        """Wait until the connection is ready, through any failed attempts.

        Raises:
            RcexError: the error that made the state FAILED.
            NotConnected: the client is closed, or has lost its connection and only `attempt` reconnects it.
        """
        while not self.is_ready:
            self.check_open()
            self.check_reconnecting()
            await self.status.wait_changed()

    async def wait_ended(self) -> None:
        """Wait until the state is CLOSED or FAILED."""
        while not self.status.ended:
            await self.status.wait_changed()

    def check_open(self) -> None:
        """Raise the exception that made the state FAILED, or `NotConnected` if it is CLOSED."""
        if self.status.state is State.FAILED and self.status.failure is not None:
            raise self.status.failure
        if self.status.state is State.CLOSED:
            raise NotConnected("the client is closed")

    def check_reconnecting(self) -> None:
        """Raise `NotConnected` when the connection is lost and only `attempt` reconnects it."""
        if self.status.state is State.WAITING and self._only_on_request:
            raise NotConnected(f"not connected ({self.status.reason}); call recover(), or switch auto_recover on")

    async def attempt(self) -> None:
        """Make one attempt now, or join the one under way; do nothing when connected.

        Raises:
            RcexError: the attempt failed.
        """
        if self.is_ready:
            return
        self.check_open()
        outcome = self._outcome
        if self.status.state is not State.CONNECTING:  # else it would skip the pause after this attempt
            self._pause.cut_short()
        await outcome.wait()

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
            current.replaced = True
            # The caller may be the reader, which cannot start tasks; the link does.
            current.link.do_soon(partial(self._start_beside, self._schedule.after_loss(current.lived)))
        if at_once and self._opening is None:
            self._pause.cut_short()

    def reschedule(self, delay: float) -> None:
        """Make the scheduled attempt in `delay` seconds from now; do nothing if none is scheduled."""
        if self.status.state is State.WAITING and self._opening is None:
            self._pause.change(delay)

    def close(self) -> None:
        """Make the state CLOSED, which is final, so that no further attempt begins.

        A ready connection stays open for the protocol's farewell, until its link is closed or `run` is cancelled.
        """
        self.status.enter(State.CLOSED, StateReason(Reason.CLOSED, "closed by the application"))
        self._outcome.settle(NotConnected("the client was closed"))
        self._pause.cut_short()

    async def cancel_attempt(self) -> None:
        """Cancel the attempt under way and wait until it has ended; not callable from within that attempt."""
        attempt = self._opening
        if attempt is not None:
            attempt.cancel()
            await attempt.wait_ended()

    @property
    def _only_on_request(self) -> bool:
        """Whether only `attempt` reconnects."""
        return self._was_ready and not self._auto_reconnect

    def _check_wanted(self) -> None:
        """Raise `NotConnected` in an attempt that was not cancelled because its own code closed the client."""
        if self.status.ended:
            raise NotConnected("the client was closed")


def _innermost(error: Exception) -> Exception:
    """Return the exception inside nested exception groups of one member each."""
    members: Sequence[Exception] = (error,)
    while len(members) == 1:
        error = members[0]
        members = cast("Sequence[Exception]", getattr(error, "exceptions", ()))
    return error
