"""The state of one client, which its methods, its connection and its timers change: one owner, and nothing waits."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

import anyio

from rcex_ws.connection import EventEmitter, Link, Loss
from rcex_ws.errors import TransportError
from rcex_ws.feedme.actions import Actions
from rcex_ws.feedme.changes import Changes
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
    UnexpectedMessage,
)
from rcex_ws.feedme.events import EventQueue, Events
from rcex_ws.feedme.messages import (
    FeedAction,
    FeedArgs,
    FeedClose,
    FeedCloseResponse,
    FeedKey,
    FeedOpen,
    FeedOpenResponse,
    FeedTermination,
    ViolationResponse,
    encode,
    feed_key,
    members,
)
from rcex_ws.feedme.reopening import ReopenPolicy
from rcex_ws.feedme.server_feed import ServerFeed, ServerFeedState
from rcex_ws.feedme.settings import FeedmeSettings
from rcex_ws.feedme.subscriber import Subscriber
from rcex_ws.feedme.timers import Timers
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.home import Home
from rcex_ws.loop import Signal
from rcex_ws.tasks import BackgroundTask, RootTask, run_to_completion

__all__ = ["AnySession", "ClientCore", "ClientState"]

logger = logging.getLogger("rcex_ws.feedme")

ClientState = Literal["disconnected", "connecting", "connected"]


class AnySession(Protocol):
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
        new_session: makes a session that has not begun, whose tasks the given root owns.

    Attributes:
        state: the state of the client; it changes within the call or the message that is its cause.
        destroyed: whether the application has destroyed it.
        events: the queue of its events.
        actions: its actions.
        timers: its timers.
    """

    def __init__(
        self,
        settings: FeedmeSettings,
        emitter: EventEmitter,
        new_session: Callable[[ClientCore, RootTask], AnySession],
    ) -> None:
        self.state: ClientState = "disconnected"
        self.destroyed = False
        self.events = EventQueue(
            emitter,
            max_pending=settings.max_pending,
            max_pending_bytes=settings.max_pending_bytes,
            start=self._start_delivery,
        )
        self.actions = Actions(self.events, lambda: self._spawn(self.actions.table.watch_deadlines, "time-outs"))
        self.timers = Timers(lambda: self._spawn(self.timers.watch, "timers"))
        self._settings = settings
        self._new_session = new_session
        self._home = Home()
        self._root = RootTask("rcex_ws feedme client")
        self._session: AnySession | None = None  # while it connects, is connected, or will retry
        self._link: Link | None = None  # while it is connected
        self._feeds: dict[FeedKey, ServerFeed] = {}
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
        self._end_session()
        self._session = session = self._new_session(self, self._root)
        self._enter_connecting()
        session.begin()

    def disconnect(self) -> None:
        """Disconnect, or stop connecting; no retry follows."""
        if self.state == "disconnected":
            raise InvalidState("the client is disconnected; cancel_retry() stops a pending retry")
        self._end_session()
        self._become_disconnected(None)

    def cancel_retry(self) -> None:
        """Stop a pending retry."""
        if self.state == "disconnected" and self._session is not None:
            self._end_session()
            self._wake_waiters()

    def destroy(self) -> None:
        """Give the client up: only the events that are queued follow."""
        if self.state != "disconnected":
            raise InvalidState(f"the client is {self.state}; call disconnect() first")
        self._end_session()
        self.destroyed = True
        for feed in self._feeds.values():
            for subscriber in feed.subscribers:
                subscriber.destroy()
        self._feeds.clear()
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

    async def wait_connected(self) -> None:
        """Wait until the client is connected, through retries."""
        while self.state != "connected":
            if self.destroyed:
                raise Destroyed("the client is destroyed")
            if self._session is None:
                raise self._why_disconnected or Disconnected("the client is disconnected; call connect() first")
            await self._changed.wait()

    async def wait_open(self, within: float) -> None:
        """Wait until the client is connected, through retries, for `within` seconds at most."""
        with anyio.move_on_after(within):
            await self.wait_connected()
            return
        raise TimedOut(f"no connection within {within:g} s (last: {self._why_disconnected or 'no answer'})")

    # -- for feeds -------------------------------------------------------------------------------------------------

    def add_subscriber(self, name: str, args: FeedArgs, subscriber: Subscriber) -> ServerFeed:
        """Return the server feed that a new feed object shares."""
        key = feed_key(name, args)
        feed = self._feeds.get(key)
        if feed is None:
            settings = self._settings
            policy = ReopenPolicy(settings.reopen_max_attempts, settings.reopen_trailing)
            feed = ServerFeed(name, args, self, feed_timeout=settings.feed_timeout, policy=policy)
            self._feeds[key] = feed
        feed.subscribers.append(subscriber)
        return feed

    def remove_subscriber(self, feed: ServerFeed, subscriber: Subscriber) -> None:
        """Remove a feed object, which is desired closed."""
        subscriber.destroy()
        feed.subscribers.remove(subscriber)
        self.forget_if_unused(feed)

    def forget_if_unused(self, feed: ServerFeed) -> None:
        """Drop a server feed that no feed object shares, once no answer of the server is awaited."""
        if not feed.subscribers and feed.state is ServerFeedState.CLOSED:
            self._feeds.pop(feed.key, None)

    def new_stream(self, known: FrozenDict | None) -> Changes:
        """Return a stream of changes for a consumer that knows this feed data."""
        settings = self._settings
        return Changes(known, max_pending=settings.max_pending, max_pending_bytes=settings.max_pending_bytes)

    def will_reopen(self, feed: ServerFeed, error: FeedmeError) -> bool:
        """Return whether a feed that is closed with this error is opened again without the application."""
        if isinstance(error, Disconnected):
            return self._session is not None
        return isinstance(error, BadFeedAction) and feed.may_reopen

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._link is not None

    def send(self, message: FeedOpen | FeedClose) -> None:
        """Send a message over the current connection."""
        if self._link is not None:  # pragma: no branch - its callers have asked
            self._link.send(encode(message))

    # -- for the connection ----------------------------------------------------------------------------------------

    def is_current(self, session: AnySession) -> bool:
        """Return whether the application still wants what this session does."""
        return session is self._session

    def on_attempt(self, session: AnySession) -> None:
        """Handle the begin of an attempt."""
        if session is self._session and self.state == "disconnected":
            self._enter_connecting()

    def on_connected(self, link: Link) -> None:
        """Handle a completed handshake."""
        self._link = link
        self.state = "connected"
        self.events.emit(Events.CONNECT)
        self._wake_waiters()
        self.actions.connect(link.send)
        for feed in [*self._feeds.values()]:
            feed.on_connected()

    def on_lost(self, link: Link, loss: Loss) -> None:
        """Handle the loss of a connection; that of one whose handshake was not complete is a failed attempt."""
        if link is self._link:
            self._become_disconnected(TransportFailure(TransportError(f"the connection was lost: {loss}")))

    def on_failure(self, session: AnySession, error: FeedmeError) -> None:
        """Handle a failed attempt."""
        if session is self._session:
            self._become_disconnected(error)

    def on_session_ended(self, session: AnySession) -> None:
        """Handle the end of a session: no retry follows."""
        if session is self._session:
            self._session = None
            self._wake_waiters()

    def feed_of(self, message: FeedOpenResponse | FeedCloseResponse | FeedAction | FeedTermination) -> ServerFeed:
        """Return the feed that a message is about.

        Raises:
            UnexpectedMessage: the client has not opened it.
        """
        feed = self._feeds.get(feed_key(message.feed_name, message.feed_args))
        if feed is None:
            raise UnexpectedMessage("the feed is closed", members(message))
        return feed

    def report_bad(self, error: BadServerMessage, size: int) -> None:
        """Report a message of `size` bytes that the server should not have sent."""
        if isinstance(error, InvalidMessage):  # it may have been a notification of any feed
            for feed in self._feeds.values():
                feed.doubt()
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
        for feed in sorted(self._feeds.values(), key=_closing_order):
            feed.on_disconnected()
            self.forget_if_unused(feed)
        self.events.emit(Events.DISCONNECT, error)
        self._wake_waiters()

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._closings = [task for task in self._closings if not task.done]
            self._closings.append(session.end(_log_crash))

    def _wake_waiters(self) -> None:
        """Let those look again who wait for the client or a feed: whether a retry follows may have changed."""
        self._changed.set()
        self._changed = Signal()
        for feed in self._feeds.values():
            for subscriber in feed.subscribers:
                subscriber.wake_waiters()

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


def _closing_order(feed: ServerFeed) -> tuple[bool, int]:
    """Return the order in which feeds are closed: the open ones as they were opened, then the others."""
    return feed.state is ServerFeedState.CLOSED, feed.opened


def _log_crash(error: Exception) -> None:
    logger.error("a task of the client failed", exc_info=error)
