"""One supervisor per client decides what happens next to its connection; nothing else reconnects.

It knows no protocol: a `Driver` says where to connect, makes a `Conversation` for each connection, and hears what
happened.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from rcex_ws.connection.driver import Driver, State
from rcex_ws.connection.heartbeat import Heartbeat
from rcex_ws.connection.link import Link, Loss, LossKind, utc_now
from rcex_ws.connection.schedule import ReconnectDelays, Schedule, default_delays
from rcex_ws.errors import ConnectFailed, NotConnected, RcexError
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.named_log import Log
from rcex_ws.trace import SILENT, Span, Step, Tracer
from rcex_ws.websocket.endpoint import Opener, open_websocket
from rcex_ws.websocket.frames import CloseFrame

__all__ = ["Supervisor"]

logger = logging.getLogger("rcex_ws.connection")


class _Attempt:
    """The attempt under way, or else the next: whoever waits for its outcome."""

    def __init__(self) -> None:
        self.done = Signal()
        self.error: Exception | None = None

    def settle(self, error: Exception | None = None) -> None:
        self.error = error
        self.done.set()


class _Connection:
    """One attempt and the connection it leads to; the next may be opened beside it, in a task of its own."""

    def __init__(self, span: Span) -> None:
        self.span = span  # of the attempt
        self.scope = anyio.CancelScope()  # of the attempt; its deadline goes when the handshake is done
        self.link: Link | None = None
        self.ended: Loss | RcexError | None = None
        self.gone = Signal()

    @property
    def lived(self) -> float:
        return 0.0 if self.link is None else self.link.lived


class Supervisor:
    """Keep one connection up.

    Args:
        driver: the protocol.
        auto_reconnect: False to wait for `attempt` after the first loss.
        attempt_timeout: seconds for one attempt, from asking the driver for the endpoint to the end of the handshake.
        heartbeat_interval: seconds without an inbound frame after which a heartbeat is sent.
        heartbeat_timeout: seconds to wait for an inbound frame after that.
        heartbeat: judges by other signs of life than any inbound frame.
        close_timeout: seconds for the closing handshake of a connection that was replaced.
        reconnect_delays: gives the wait in seconds after the n-th failure in a row.
        open_socket: opens a WebSocket; a test may bring its own.
        log: where it says what it does.
        trace: hears of each step.

    Attributes:
        state: what it is doing.
        since: since when.
        reason: why, for people.
        next_attempt_at: when the next attempt is due, by the wall clock; None while none is waited for.
        failure: what made the state FAILED; it stays when the client is closed after that.
        link: the connection; None while there is none.
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
        self.state = State.IDLE
        self.since = utc_now()
        self.reason = ""
        self.next_attempt_at: datetime | None = None
        self.failure: Exception | None = None
        self.link: Link | None = None
        self._driver = driver
        self._auto_reconnect = auto_reconnect
        self._attempt_timeout = attempt_timeout
        self._monitor = partial(heartbeat, heartbeat_interval, heartbeat_timeout)
        self._close_timeout = close_timeout
        self._schedule = Schedule(reconnect_delays, driver.complain)
        self._open_socket = open_socket
        self.log = log
        self.trace = trace
        self._attempt = _Attempt()
        self._current: _Connection | None = None  # the one that is ready
        self._opening: _Connection | None = None  # the one that is on its way
        self._followed: _Connection | None = None  # the one whose task goes on when it ends: no other replaces it
        self._tasks: TaskGroup
        self._wake = Signal()
        self._replanned = 0.0  # seconds to wait on when woken
        self._changed = Signal()
        self._was_ready = False

    # -- for others ------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Tell whether the connection is ready."""
        return self.state is State.READY

    async def wait_ready(self) -> None:
        """Wait, through failed attempts, until the connection is ready.

        Raises:
            RcexError: what made the state FAILED.
            NotConnected: the client was closed, or lost its connection and only `attempt` brings it back.
        """
        while not self.is_ready:
            self._raise_if_over()
            self.check_connected()
            await self._changed.wait()

    async def wait_over(self) -> None:
        """Wait until the state is CLOSED or FAILED."""
        while not self._over:
            await self._changed.wait()

    def check_connected(self) -> None:
        """Raise `NotConnected` when the connection is lost and only `attempt` brings it back."""
        if self.state is State.WAITING and self._by_hand:
            raise NotConnected(f"not connected ({self.reason}); call recover(), or switch auto_recover on")

    async def attempt(self) -> None:
        """Make one attempt now, or join the one under way; do nothing when connected.

        Raises:
            RcexError: what made the attempt fail.
        """
        if self.is_ready:
            return
        self._raise_if_over()
        attempt = self._attempt
        if self.state is not State.CONNECTING:  # else it would cut short the wait after this attempt
            self._replanned = 0.0
            self._wake.set()
        await attempt.done.wait()
        if attempt.error is not None:
            raise attempt.error

    def renew(self, *, at_once: bool = False) -> None:
        """Open the next connection beside this one, which is closed when the next is ready.

        For a server that says when it is going to close. Does nothing while there is no connection.

        Args:
            at_once: whether the application asks for it; else the schedule holds for a connection that lived shortly.
        """
        current = self._current
        if current is not None and current.link is not None:
            if self._followed is current:
                self._followed = None
                delay = self._schedule.after_loss(current.lived)
                current.link.do_soon(partial(self._replace, delay))
            if at_once and self._opening is None:
                self._wake.set()

    def replan(self, delay: float) -> None:
        """Make the next attempt after so many seconds from now, and not when it was due; do nothing when none is."""
        if self.state is State.WAITING and self._opening is None:
            self._replanned = delay
            self._wake.set()

    def close(self) -> None:
        """Say that the application closes: the state is final, whoever waits is told, no other attempt begins.

        A connection that is ready stays, for the farewell, until its link is closed or `run` cancelled.
        """
        self._set(State.CLOSED, "closed by the application")
        self._attempt.settle(NotConnected("the client was closed"))
        self._end_loop()

    async def end_attempt(self) -> None:
        """Cancel the attempt under way and wait until it is gone; not for what the attempt itself may call."""
        if self._opening is not None:
            self._opening.scope.cancel()
            await self._opening.gone.wait()

    # -- the loop --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and reconnect for ever; return when the driver ends it or trying again cannot help."""
        async with anyio.create_task_group() as self._tasks:
            await self._loop(0.0)

    def _replace(self, delay: float) -> None:
        self._tasks.start_soon(self._loop, delay)

    async def _loop(self, delay: float | None) -> None:
        """Connect, stay until the connection is lost, and reconnect; a task that replaces a connection takes over."""
        while delay is not None:
            await self._wait(delay)
            if self._over:
                break
            connection = self._open()
            await self._keep(connection)
            if self._followed is not connection:
                return
            delay = None if self._over else await self._follow(connection)
            if self._followed is not connection:
                return
        if not self._over:
            self._set(State.CLOSED, "ended by the protocol")
            self._attempt.settle(NotConnected("the client has ended"))
        if self._current is None and self._opening is None:  # else it ends by itself, or with this task
            self._tasks.cancel_scope.cancel()

    async def _follow(self, connection: _Connection) -> float | None:
        """Give the wait before what follows a connection that has ended, None for no next."""
        delay: float | None = None
        try:
            delay = await self._decide(connection)
        except RcexError as error:
            if self._current is None:
                self.crashed(error)
            else:
                self._finish_attempt(error)
        if delay is None and self._current is not None:
            self.log.warning("the connection cannot be replaced and stays: %s", connection.ended)
            self._followed = self._current
        return delay

    def _open(self) -> _Connection:
        connection = self._opening = self._followed = _Connection(self.trace.begin(Step.ATTEMPT))
        if not self.is_ready:
            self._set(State.CONNECTING, self.reason)
        return connection

    async def _decide(self, connection: _Connection) -> float | None:
        """Ask schedule and driver for the wait before the next attempt."""
        ended = connection.ended
        if ended is None:
            raise AssertionError("a connection ends only with a loss or an error")
        if isinstance(ended, Loss):
            level = logging.INFO if connection.link is not None and connection.link.closing else logging.WARNING
            self.log.log(level, "connection lost after %.1f s: %s", connection.lived, ended)
            return await self._driver.again(ended, self._schedule.after_loss(connection.lived))
        delay = await self._driver.again(ended, self._schedule.after_failure(ended.retry_after))
        self._finish_attempt(ended)
        return delay

    def crashed(self, error: Exception) -> None:
        """Give up for good: a fatal refusal, or a bug of ours that reached the root."""
        error = _innermost(error)
        self.log.error(
            "giving up: %s: %s", type(error).__name__, error, exc_info=None if isinstance(error, RcexError) else error
        )
        if self._closed:
            return
        self.failure = error
        self._set(State.FAILED, str(error))
        self._end_loop()
        if self._opening is not None:
            self._opening.scope.cancel()
        self._attempt.settle(error)
        if self.link is not None:
            self.link.lose(Loss(LossKind.ABORTED, text=str(error)))
        self._driver.failed(error)

    async def _wait(self, delay: float) -> None:
        """Wait before the next attempt; `attempt` cuts it short, `replan` changes it."""
        if self._by_hand and not self.is_ready:
            delay = math.inf
        while delay > 0 and not self._over:
            if delay == math.inf:
                self.log.info("no attempt until it is asked for: auto_recover is off")
            else:
                self.log.info("next attempt in %.1f s", delay)
                self.next_attempt_at = _in(delay)
            self._replanned = 0.0
            with anyio.move_on_after(delay):
                await self._wake.wait()
            self._wake, delay = Signal(), self._replanned
            self.next_attempt_at = None
        self._wake = Signal()

    async def _keep(self, connection: _Connection) -> None:
        """Make one attempt; once ready, stay until the connection is lost. Note how it ended."""
        try:
            await self._connect(connection)
        except RcexError as error:
            connection.span.failed(error)  # unless it was done
            if connection.ended is None:  # else this is only how the loss showed
                connection.ended = error
        finally:
            connection.span.failed()  # when it was cut short
            if self._opening is connection:
                self._opening = None
            connection.gone.set()

    async def _connect(self, connection: _Connection) -> None:
        link: Link | None = None
        became_ready = False
        with connection.scope as scope:
            scope.deadline = anyio.current_time() + self._attempt_timeout
            with self.trace.begin(Step.TOKEN):
                endpoint = await self._driver.endpoint()
            self._check_not_over()  # what the driver called may have closed the client
            async with self._open_socket(replace(endpoint, trace=self.trace)) as socket:
                connection.link = link = Link(
                    socket,
                    clock=loop_clock(),
                    monitor=self._monitor,
                    on_lost=partial(self._note_loss, connection),
                    close_timeout=self._close_timeout,
                    log=self.log,
                    trace=self.trace,
                )
                if self._current is None:
                    self.link = link
                conversation = self._driver.converse(link)

                async def steps() -> None:
                    nonlocal became_ready
                    with self.trace.begin(Step.HANDSHAKE):
                        await conversation.handshake()
                    scope.deadline = math.inf
                    await conversation.prepare()
                    self._check_not_over()
                    if link.loss is not None:  # in the same read: this task has not been cancelled yet
                        return
                    became_ready = True
                    self._note_ready(connection)
                    await conversation.ready()

                try:
                    await link.run(conversation, steps)
                finally:
                    if self.link is link:
                        self.link = None
        if scope.cancelled_caught:
            self._check_not_over()
            raise ConnectFailed(f"no connection within {self._attempt_timeout:g} s", upgrade_sent=True)
        if not became_ready:
            loss = None if link is None else link.loss
            raise ConnectFailed(f"the connection was lost before it was ready: {loss}", upgrade_sent=True)

    @property
    def _closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def _over(self) -> bool:
        return self.state in (State.CLOSED, State.FAILED)

    @property
    def _by_hand(self) -> bool:
        return self._was_ready and not self._auto_reconnect

    # -- states ----------------------------------------------------------------------------------------------------

    def _note_ready(self, connection: _Connection) -> None:
        replaced, self._current, self.link = self._current, connection, connection.link
        if replaced is not None and replaced.link is not None:
            replaced.link.begin_close(CloseFrame(1000))  # what the peer sent until its answer is still read
        self._was_ready, self._opening = True, None
        connection.span.done()
        if self.is_ready:
            self.log.info("the connection is replaced")
        else:
            self.log.info("connected")
        self._set(State.READY, "connected")
        self._attempt.settle()
        self._attempt = _Attempt()

    def _note_loss(self, connection: _Connection, loss: Loss) -> None:
        """Let the state and the loop follow at once."""
        if self._current is not connection:
            return  # it was replaced, or not ready yet
        self._current = None
        connection.ended = loss
        if self.is_ready:
            self._set(State.CONNECTING if self._opening is not None else State.WAITING, f"lost: {loss}")

    def _finish_attempt(self, error: RcexError) -> None:
        self.log.info("an attempt failed: %s", error)
        if not self.is_ready:  # else the connection that was to be replaced lives on
            self._set(State.WAITING, f"{error}")
        self._attempt.settle(error)
        self._attempt = _Attempt()

    def _set(self, state: State, reason: str) -> None:
        if self._closed:
            return
        self.log.debug("%s -> %s (%s)", self.state, state, reason)
        if self.state is not state:
            self.since = utc_now()
        self.state, self.reason = state, reason
        self._changed.set()
        self._changed = Signal()

    def _end_loop(self) -> None:
        self._wake.set()

    def _check_not_over(self) -> None:
        """Let an attempt end that nothing could cancel."""
        if self._over:
            raise NotConnected("the client was closed")

    def _raise_if_over(self) -> None:
        if self.state is State.FAILED and self.failure is not None:
            raise self.failure
        if self.state is State.CLOSED:
            raise NotConnected("the client is closed")


def _in(seconds: float) -> datetime:
    try:
        return utc_now() + timedelta(seconds=seconds)
    except OverflowError:  # an application's schedule may say anything
        return datetime.max.replace(tzinfo=UTC)


def _innermost(error: Exception) -> Exception:
    """Give the one exception that task groups have wrapped."""
    members: Sequence[Exception] = (error,)
    while len(members) == 1:
        error = members[0]
        members = cast("Sequence[Exception]", getattr(error, "exceptions", ()))
    return error
