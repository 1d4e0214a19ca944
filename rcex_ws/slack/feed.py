"""Events on their way to the application: one queue, one order, one task that runs the handlers.

Lifecycle events, frames and the callbacks of messages share one `DeliveryQueue`, so that handlers get them in the order
in which they happened. When handlers are too slow, only frames are dropped, never lifecycle events or callbacks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

from msgspec import Struct

from rcex_ws.connection import DeliveryQueue, EventEmitter, Overflow, deliver
from rcex_ws.errors import SlowConsumer
from rcex_ws.files import Complaints
from rcex_ws.slack.directory import Directory
from rcex_ws.slack.frames import Event
from rcex_ws.slack.models import Events
from rcex_ws.slack.settings import SlackSettings
from rcex_ws.slack.store import DataStore, DataStoreError
from rcex_ws.slack.web import StartData

__all__ = ["EventFeed", "running_feed"]

Step = Callable[[], Awaitable[object]]

running_feed: ContextVar[EventFeed | None] = ContextVar("rcex_ws_slack_feed", default=None)
"""The feed that runs the current handler: two lives of a client may overlap."""


# Needed for each frame, and looking up an enum member is ten times slower before Python 3.12.
_RAW_MESSAGE, _SLACK_EVENT = Events.RAW_MESSAGE, Events.SLACK_EVENT


class _Frame(Struct, gc=False):
    """A queued frame; unlike a `partial` it is invisible to the garbage collector, and there are many of them."""

    data: bytes
    event: Event
    public: bool


class EventFeed:
    """The ordered queue of one life, and the task that runs its handlers.

    Args:
        emitter: holds the handlers.
        store: applies each event before the handlers get it; or None.
        settings: the options of the client.
        log: gets the errors for which there is no handler.
        directory: looks up for the store whom events name; or None.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        store: DataStore | None,
        settings: SlackSettings,
        log: logging.Logger,
        *,
        directory: Directory | None = None,
    ) -> None:
        self._emitter = emitter
        self._store = store
        self._directory = directory
        self._all_subtypes = settings.subtype_events == "all"
        self._log = log
        self._complaints = Complaints(log)
        self._queue: DeliveryQueue[Step | _Frame] = DeliveryQueue(
            max_items=settings.max_pending, max_bytes=settings.max_pending_bytes, on_overflow=self._overflowed
        )
        self._self_id: str | None = None
        self._team_id: str | None = None
        self._queued_callbacks = 0  # of messages
        self._after_close: deque[Step] = deque()  # run when the queue is closed and empty

    # -- queuing, which never waits --------------------------------------------------------------------------------

    def emit(self, event: str, *args: object) -> None:
        """Queue a lifecycle event."""
        self.in_turn(partial(self._emitter.dispatch, event, *args))

    def error(self, error: Exception, *, logged: bool = False) -> None:
        """Queue a `client_error`; log it if it has no handler, unless it is `logged` already."""
        if not logged:
            self._log_if_unhandled(error)
        step = partial(self._emitter.dispatch, Events.CLIENT_ERROR, error)
        if self._queue.closed:  # one of the last handlers has raised it
            self._after_close.append(step)
        else:
            self.in_turn(step)

    def rate_limited(self, seconds: float) -> None:
        """Queue a `rate_limited` event, and log it."""
        self._log.warning("Slack asks to wait %g s", seconds)
        self.emit(Events.RATE_LIMITED, seconds)

    def in_turn(self, step: Step) -> None:
        """Run a step after everything that is queued already."""
        self._queue.put(step, 0, keep=True)

    def queue_callback(self, step: Step) -> None:
        """Queue the callback of a message; drop it if the feed is closed."""
        if self._queue.closed:
            self._log.warning("the callback of a message was dropped: the client is closed")
            return
        self._queued_callbacks += 1
        self.in_turn(partial(self._run_callback, step))

    def started(self, start: StartData) -> None:
        """Queue the answer to rtm.connect or rtm.start: for the store, then as `authenticated`."""
        self._self_id, self._team_id = start.self_id, start.team_id
        if self._store is not None:
            self.in_turn(partial(self._cache_start, self._store, start))
        self.emit(Events.AUTHENTICATED, start.data)

    def hello(self, *, fill: bool) -> None:
        """Queue `open`, after the reading of the lists where the store is filled by them.

        Args:
            fill: whether there was no connection just before, so that the store may have missed events.
        """
        if fill and self._directory is not None and self._directory.by_lists:
            self.in_turn(partial(self._directory.fill, self.error))
        self.emit(Events.OPEN)

    def frame(self, data: bytes, event: Event, *, public: bool) -> None:
        """Queue a frame.

        Args:
            data: the frame as received.
            event: the decoded frame.
            public: whether it is an event of the team, not one between server and client.
        """
        self._queue.put(_Frame(data, event, public), len(data))

    def bad_frame(self, data: bytes, error: Exception) -> None:
        """Queue an unreadable frame and its `client_error`; both may be dropped, since many such frames may come."""
        self._queue.put(partial(self._deliver_bad, data, error), len(data))

    def own_message(self, message: Mapping[str, Any]) -> None:
        """Queue a message of our own for the store: Slack does not send it back to us."""
        if self._store is not None:
            self.in_turn(partial(self._apply, self._store, message))

    def close(self) -> None:
        """Accept no more events; deliver what is queued, without looking anybody up."""
        self._queue.close()
        if self._directory is not None:
            self._directory.stop()

    def undelivered(self) -> tuple[int, int]:
        """Return the numbers of queued events and of queued callbacks."""
        return len(self._queue) + len(self._after_close) - self._queued_callbacks, self._queued_callbacks

    # -- delivering ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run handlers until the feed is closed and empty."""
        running_feed.set(self)
        await deliver(self._queue, self._handle, lambda _, exc: self._report(exc))
        while self._after_close:
            await self._after_close.popleft()()

    def _handle(self, item: Step | _Frame) -> Awaitable[object]:
        return self._deliver(item) if isinstance(item, _Frame) else item()

    async def _run_callback(self, step: Step) -> None:
        self._queued_callbacks -= 1
        await step()

    async def _deliver_bad(self, data: bytes, error: Exception) -> None:
        await self._deliver_raw(data)
        self._log_if_unhandled(error)
        await self._emitter.dispatch(Events.CLIENT_ERROR, error)

    async def _deliver_raw(self, data: bytes) -> None:
        await self._emitter.dispatch(_RAW_MESSAGE, data.decode(errors="replace"))

    async def _deliver(self, frame: _Frame) -> None:
        emitter, event = self._emitter, frame.event
        if emitter.has_handlers(_RAW_MESSAGE):
            await self._deliver_raw(frame.data)
        if not frame.public:
            return
        if self._store is not None:
            try:
                await self._apply(self._store, event)
            except Exception as exc:  # noqa: BLE001 - logged and reported
                self._report(exc)
        kind = event["type"]
        if event.get("reply_to") and kind != "error":
            return  # a message of our own, whose sender gets the reply
        if emitter.has_handlers(_SLACK_EVENT):
            await emitter.dispatch(_SLACK_EVENT, kind, event)
        if emitter.has_handlers(kind):
            await emitter.dispatch(kind, event)
        subtype = event.get("subtype")
        if subtype is not None and (kind == "message" or self._all_subtypes):
            name = f"{kind}::{subtype}"
            if emitter.has_handlers(name):
                await emitter.dispatch(name, event)

    async def _cache_start(self, store: DataStore, start: StartData) -> None:
        await store.cache_start(start.data)
        if self._directory is not None:
            self._directory.reset()

    async def _apply(self, store: DataStore, event: Mapping[str, Any]) -> None:
        directory = self._directory
        if directory is not None and (missing := directory.missing(event)):
            await directory.look_up(missing)
        await store.apply(event, self_id=self._self_id, team_id=self._team_id)

    def _report(self, error: Exception) -> None:
        if isinstance(error, DataStoreError) and error.event_type is None:  # the file is at fault, not this event
            if self._complaints.report_repeated("the data store cannot be used, and misses events", error):
                self.error(error)
            return
        self._log.error("a callback or the data store raised; the next event follows", exc_info=error)
        self.error(error, logged=True)

    def _log_if_unhandled(self, error: Exception) -> None:
        if not self._emitter.has_handlers(Events.CLIENT_ERROR):
            self._log.error("no handler for the event 'client_error': %s: %s", type(error).__name__, error)

    def _overflowed(self, episode: Overflow, ended: bool) -> None:
        if ended:
            self._log.warning("%d frames were dropped", episode.dropped)
        else:
            self.error(SlowConsumer("handlers are too slow: frames are dropped, the oldest first"))
