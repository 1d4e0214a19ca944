"""What one `Feed` of the application desires, and what it was told last."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from rcex_ws.connection import EventEmitter, utc_now
from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.feedme.changes import Changes, FeedChange
from rcex_ws.feedme.errors import FeedmeError
from rcex_ws.feedme.events import FeedEvents
from rcex_ws.feedme.timers import Timer
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.loop import Signal

__all__ = ["FeedCore", "FeedState"]


class FeedState(StrEnum):
    """The states of a `Feed`."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"


class FeedCore:
    """The core of a `Feed`, for the `SharedFeed` that it shares with others.

    Its state is what its last event said, so that the two cannot differ.

    Args:
        events: the queue of the client.
        emitter: holds the handlers of the feed.

    Attributes:
        desired_open: whether the application desires it open.
        destroyed: whether the application has destroyed it.
        state: as its last event said.
        data: the feed data while it is open.
        error: why it is closed; None if the application desires that, or if it is not closed.
        unsynced_since: since when it has not been synced; None while it is.
        changed: set, and replaced, when the state or what follows it changes.
        stream: what the application iterates over; None while it does not.
        timer: limits how long it waits for the server while it is OPENING.
    """

    __slots__ = (
        "_emitter",
        "_events",
        "changed",
        "data",
        "desired_open",
        "destroyed",
        "error",
        "state",
        "stream",
        "timer",
        "unsynced_since",
    )

    def __init__(self, events: EventQueue, emitter: EventEmitter) -> None:
        self.desired_open = False
        self.destroyed = False
        self.state = FeedState.CLOSED
        self.data: FrozenDict | None = None
        self.error: FeedmeError | None = None
        self.unsynced_since: datetime | None = utc_now()
        self.changed = Signal()
        self.stream: Changes | None = None
        self.timer: Timer | None = None
        self._events = events
        self._emitter = emitter

    @property
    def synced(self) -> bool:
        """Whether the data is known to be the server's."""
        return self.unsynced_since is None

    def show_opening(self) -> None:
        """Report that the server was asked to open the feed."""
        self._enter(FeedState.OPENING, None)
        self._emit(FeedEvents.OPENING)

    def show_open(self, data: FrozenDict, *, verified: bool) -> None:
        """Report that the feed is open.

        Args:
            data: the feed data.
            verified: whether it is known to be the server's.
        """
        self.data = data
        self._enter(FeedState.OPEN, None)
        self.set_synced(verified)
        self._emit(FeedEvents.OPEN, data)
        if self.stream is not None:
            self.stream.put_opened(data)

    def show_action(self, change: FeedChange, *, verified: bool, size: int) -> None:
        """Report an action.

        Args:
            change: what it changed.
            verified: whether a hash confirms the new data to be the server's.
            size: bytes that the change holds.
        """
        self.data = change.new_data
        if verified is not self.synced:
            self.set_synced(verified)
        # A handler that is still to run, that of OPEN for example, may attach one for actions.
        if self._emitter.has_handlers(FeedEvents.ACTION) or not self._events.idle:
            args = (change.action_name, change.action_data, change.new_data, change.old_data)
            self._events.put_or_drop(partial(self._emitter.dispatch, FeedEvents.ACTION, *args), size)
        if self.stream is not None:
            self.stream.put(change, size)

    def show_closed(self, error: FeedmeError | None) -> None:
        """Report that the feed is closed, unless the last event said so for the same reason.

        Args:
            error: why; None if the application desires it. Desires alternate, so that this is reported each time.
        """
        same = self.state is FeedState.CLOSED and _code(error) == _code(self.error)
        self.data = None
        self._enter(FeedState.CLOSED, error)
        self.set_synced(False)
        if not same:
            self._emit(FeedEvents.CLOSE, error)

    def destroy(self) -> None:
        """Take the feed from the application."""
        self.destroyed, self.desired_open = True, False
        self.state, self.data = FeedState.CLOSED, None
        self.end_stream(None)
        self.wake_waiters()

    def end_stream(self, error: FeedmeError | None) -> None:
        """End the iteration after what is queued, with an error or without."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close(error)

    def wake_waiters(self) -> None:
        """Let those look again who wait for a change."""
        self.changed.set()
        self.changed = Signal()

    def set_synced(self, synced: bool) -> None:
        """Record whether the data is known to be the server's, and since when it is not."""
        if synced:
            self.unsynced_since = None
        elif self.unsynced_since is None:
            self.unsynced_since = utc_now()

    def _enter(self, state: FeedState, error: FeedmeError | None) -> None:
        self.state, self.error = state, error
        self.wake_waiters()

    def _emit(self, event: FeedEvents, *args: Any) -> None:
        self._events.put(partial(self._emitter.dispatch, event, *args))


def _code(error: FeedmeError | None) -> str | None:
    return None if error is None else error.code
