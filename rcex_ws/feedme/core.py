"""The state of one client, which its methods, its connection and its timers change: it has one owner."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

import anyio

from rcex_ws.connection import EventEmitter, Link, Loss
from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.errors import TransportError
from rcex_ws.feedme.actions import Actions
from rcex_ws.feedme.changes import Changes
from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.errors import (
    BadFeedAction,
    BadServerMessage,
    Destroyed,
    Disconnected,
    FeedmeError,
    InvalidMessage,
    InvalidState,
    TimedOut,
    TransportFailure,
)
from rcex_ws.feedme.events import Events
from rcex_ws.feedme.feeds import FeedTable
from rcex_ws.feedme.messages import FeedClose, FeedOpen, ViolationResponse
from rcex_ws.feedme.settings import FeedmeSettings
from rcex_ws.feedme.shared_feed import SharedFeed
from rcex_ws.feedme.timers import Timers
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.home import Home
from rcex_ws.loop import Signal
from rcex_ws.tasks import BackgroundTask, RootTask, run_to_completion

__all__ = ["ClientCore", "ClientDriver", "ClientState"]

logger = logging.getLogger("rcex_ws.feedme")

ClientState = Literal["disconnected", "connecting", "connected"]
"""What a client is doing: disconnected, connecting or connected."""


class ClientDriver(Protocol):
    """What one `connect` of the application began; see `FeedmeSession`."""

    def begin(self) -> None:
        """Begin to connect."""
        ...

    def end(self, on_crash: Callable[[Exception], None]) -> BackgroundTask:
        """End it without waiting; return the task that closes the connection."""
        ...


class ClientCore:
    """The core of a `FeedmeClient`.

    Args:
        settings: the options of the client.
        emitter: holds the handlers of the client.
        new_driver: makes a driver that has not begun, whose tasks the given root owns.

    Attributes:
        state: the state of the client; it changes within the call or the message that is its cause.
        destroyed: whether the application has destroyed it.
        events: the queue of its events.
        actions: its actions.
        timers: its timers.
        feeds: its feeds.
    """

    def __init__(
        self,
        settings: FeedmeSettings,
        emitter: EventEmitter,
        new_driver: Callable[[ClientCore, RootTask], ClientDriver],
    ) -> None:
        self.state: ClientState = "disconnected"
        self.destroyed = False
        self.events = EventQueue(
            emitter,
            log=logger,
            max_pending=settings.max_pending,
            max_pending_bytes=settings.max_pending_bytes,
            start=self._start_delivery,
        )
        self.actions = Actions(self.events, lambda: self._spawn(self.actions.table.watch_deadlines, "time-outs"))
        self.timers = Timers(lambda: self._spawn(self.timers.watch, "timers"))
        self._settings = settings
        self._new_driver = new_driver
        self._home = Home()
        self._root = RootTask("rcex_ws feedme client")
        self._driver: ClientDriver | None = None  # while it connects, is connected, or will retry
        self._link: Link | None = None  # while it is connected
        self.feeds = FeedTable(self, settings)
        self._why_disconnected: FeedmeError | None = None
        self._changed = Signal()
        self._delivery: BackgroundTask | None = None
        self._closings: list[BackgroundTask] = []
        self._finishing: BackgroundTask | None = None

    # -- for the application ---------------------------------------------------------------------------------------

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
        self._home.check()

    def connect(self) -> None:
        """Begin to connect; a pending retry is dropped."""
        if self.state != "disconnected":
            raise InvalidState(f"the client is {self.state}")
        self._end_driver()
        self._driver = driver = self._new_driver(self, self._root)
        self._enter_connecting()
        driver.begin()

    def disconnect(self) -> None:
        """Disconnect, or stop connecting; no retry follows."""
        if self.state == "disconnected":
            raise InvalidState("the client is disconnected; cancel_retry() stops a pending retry")
        self._end_driver()
        self._become_disconnected(None)

    def cancel_retry(self) -> None:
        """Stop a pending retry."""
        if self.state == "disconnected" and self._driver is not None:
            self._end_driver()
            self._wake_waiters()

    def destroy(self) -> None:
        """Give up the client: only the events that are queued follow."""
        if self.state != "disconnected":
            raise InvalidState(f"the client is {self.state}; call disconnect() first")
        self._end_driver()
        self.destroyed = True
        self.feeds.destroy()
        self.events.close()
        self._wake_waiters()
        if self._delivery is not None:  # otherwise it has no task
            self._finishing = self._root.spawn(self._finish, name="finish", on_crash=_log_crash)

    async def wait_finished(self) -> None:
        """Wait until a destroyed client has no task any more, even if the caller is cancelled.

        A handler that calls this is left to finish.
        """
        if self._finishing is not None:
            with self._root.let_caller_finish():
                await run_to_completion(partial(self._wait_finished, self._finishing))

    async def wait_connected(self, within: float = math.inf) -> None:
        """Wait until the client is connected, through retries, for `within` seconds at most."""
        with anyio.move_on_after(within):
            await self._wait_connected()
            return
        raise TimedOut(f"no connection within {within:g} s (last: {self._why_disconnected or 'no answer'})")

    async def _wait_connected(self) -> None:
        while self.state != "connected":
            if self.destroyed:
                raise Destroyed("the client is destroyed")
            if self._driver is None:
                why = self._why_disconnected or Disconnected("the client is disconnected; call connect() first")
                raise why.with_traceback(None)
            await self._changed.wait()

    # -- for feeds -------------------------------------------------------------------------------------------------

    def new_stream(self, known: FrozenDict | None) -> Changes:
        """Return a stream of changes for a consumer that knows this feed data."""
        settings = self._settings
        return Changes(known, max_pending=settings.max_pending, max_pending_bytes=settings.max_pending_bytes)

    def will_reopen(self, feed: SharedFeed, error: FeedmeError) -> bool:
        """Return whether a feed that is closed with this error is opened again without the application."""
        if isinstance(error, Disconnected):
            return self._driver is not None
        return isinstance(error, BadFeedAction) and feed.may_reopen

    def ends_iterations(self, feed: SharedFeed, error: FeedmeError) -> bool:
        """Return whether iterations over a feed that is closed with this error end; a late answer may still open it."""
        return not isinstance(error, TimedOut) and not self.will_reopen(feed, error)

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._link is not None

    def send(self, feed: SharedFeed, message: FeedOpen | FeedClose) -> None:
        """Send a message about a feed over the current connection."""
        if self._link is not None:  # pragma: no branch - its callers have asked
            self._link.send(encode(message))
            if isinstance(message, FeedOpen):
                self.feeds.move_to_end(feed)

    def on_closed(self, feed: SharedFeed) -> None:
        """Handle that no answer of the server is awaited for a feed any more."""
        self.feeds.forget_if_unused(feed)

    # -- for the connection ----------------------------------------------------------------------------------------

    def is_current(self, driver: ClientDriver) -> bool:
        """Return whether the application still wants what this driver does."""
        return driver is self._driver

    def on_attempt(self, driver: ClientDriver) -> None:
        """Handle the start of an attempt."""
        if driver is self._driver and self.state == "disconnected":
            self._enter_connecting()

    def on_connected(self, link: Link) -> None:
        """Handle a completed handshake."""
        self._link = link
        self.state = "connected"
        self.events.emit(Events.CONNECT)
        self._wake_waiters()
        self.actions.connect(link.send)
        self.feeds.on_connected()

    def on_lost(self, link: Link, loss: Loss) -> None:
        """Handle the loss of a connection; that of one whose handshake was not complete is a failed attempt."""
        if link is self._link:
            self._become_disconnected(TransportFailure(TransportError(f"the connection was lost: {loss}")))

    def on_failure(self, error: FeedmeError) -> None:
        """Handle a failed attempt of the current driver; one that was ended makes no attempt."""
        self._become_disconnected(error)

    def on_driver_ended(self) -> None:
        """Handle that the current driver has ended by itself: no retry follows."""
        self._driver = None
        self._wake_waiters()

    def report_bad(self, error: BadServerMessage, size: int) -> None:
        """Report a message of `size` bytes that the server should not have sent."""
        if isinstance(error, InvalidMessage):
            self.feeds.doubt()
        self.events.emit_or_drop(Events.BAD_SERVER_MESSAGE, error, size)

    def on_violation(self, message: ViolationResponse, size: int) -> None:
        """Report that the server found a message of ours to be wrong."""
        self.events.emit_or_drop(Events.BAD_CLIENT_MESSAGE, message.diagnostics, size)

    # -- internals -------------------------------------------------------------------------------------------------

    def _enter_connecting(self) -> None:
        self.state = "connecting"
        self.events.emit(Events.CONNECTING)

    def _become_disconnected(self, error: FeedmeError | None) -> None:
        """Settle all that depends on the connection, in the order of the original, then report why.

        While disconnected it is reported only if the reason is another one than before.
        """
        former, self._why_disconnected = self._why_disconnected, error
        if self.state == "disconnected" and type(error) is type(former):
            return
        self.state, self._link = "disconnected", None
        self.actions.disconnect()
        self.feeds.on_disconnected()
        self.events.emit(Events.DISCONNECT, error)
        self._wake_waiters()

    def _end_driver(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            self._closings = [task for task in self._closings if not task.done]
            self._closings.append(driver.end(_log_crash))

    def _wake_waiters(self) -> None:
        """Let those look again who wait for the client or a feed: whether a retry follows may have changed."""
        self._changed.set()
        self._changed = Signal()
        self.feeds.wake_waiters(self.ends_iterations)

    def _start_delivery(self) -> None:
        self._delivery = self._spawn(self.events.run, "handlers")

    def _spawn(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        self._root.begin()
        return self._root.spawn(func, name=name, on_crash=_log_crash)

    async def _wait_finished(self, finishing: BackgroundTask) -> None:
        await finishing.wait()
        await self._root.aclose(within=0.1 * self._settings.close_timeout)  # of that task, too

    async def _finish(self) -> None:
        with anyio.move_on_after(self._settings.close_timeout):
            for task in (*self._closings, *(() if self._delivery is None else (self._delivery,))):
                await task.wait()
        if self.events.undelivered:
            logger.warning("closed before all handlers had run: %d events were dropped", self.events.undelivered)
        await self._root.aclose(within=0.1 * self._settings.close_timeout)


def _log_crash(error: Exception) -> None:  # pragma: no cover - only a bug of ours gets here
    logger.error("a task of the client failed", exc_info=error)
