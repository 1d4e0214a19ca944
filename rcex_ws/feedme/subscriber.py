"""What one `Feed` object of the application desires, and what it was told last."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from rcex_ws.connection import EventEmitter, utc_now
from rcex_ws.feedme.changes import Changes, FeedChange
from rcex_ws.feedme.errors import FeedmeError, Rejected
from rcex_ws.feedme.events import EventQueue, FeedEvents
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.loop import Signal

__all__ = ["FeedState", "Subscriber"]


class FeedState(StrEnum):
    """The states of a `Feed`."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"


class Subscriber:
    """One feed object, seen by the server feed that it shares with others.

    Its state is what its last event said, so that the two cannot differ.

    Args:
        events: the queue of the client.
        emitter: holds the handlers of this object.

    Attributes:
        desired_open: whether the application desires it open.
        destroyed: whether the application has destroyed it.
        state: as its last event said.
        data: the feed data while it is open.
        error: why it is closed; None if the application desires that, or if it is not closed.
        unsynced_since: since when it has not been synced; None while it is.
        changed: set, and replaced, at each change of the state.
        stream: what the application iterates over; None while it does not.
    """

    def __init__(self, events: EventQueue, emitter: EventEmitter) -> None:
        self.desired_open = False
        self.destroyed = False
        self.state = FeedState.CLOSED
        self.data: FrozenDict | None = None
        self.error: FeedmeError | None = None
        self.unsynced_since: datetime | None = utc_now()
        self.changed = Signal()
        self.stream: Changes | None = None
        self._events = events
        self._emitter = emitter
        self._last_data: FrozenDict | None = None  # while it is closed, too

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
        former, self._last_data, self.data = self._last_data, data, data
        self._enter(FeedState.OPEN, None)
        self.set_synced(verified)
        self._emit(FeedEvents.OPEN, data)
        if self.stream is not None and former is not None:
            self.stream.put(FeedChange(None, FrozenDict(), data, former), 0)

    def show_action(self, name: str, action_data: FrozenDict, data: FrozenDict, *, verified: bool, size: int) -> None:
        """Report an action.

        Args:
            name: the name of the action.
            action_data: its data.
            data: the feed data after it.
            verified: whether a hash confirms that data to be the server's.
            size: of the message in bytes.
        """
        former = self.data
        if former is None:
            raise AssertionError("only an open feed has actions")
        self._last_data = self.data = data
        if verified is not self.synced:
            self.set_synced(verified)
        # A handler that is still to run, that of OPEN for example, may attach one for actions.
        if self._emitter.has_handlers(FeedEvents.ACTION) or not self._events.idle:
            dispatch = partial(self._emitter.dispatch, FeedEvents.ACTION, name, action_data, data, former)
            self._events.put_or_drop(dispatch, size)
        if self.stream is not None:
            self.stream.put(FeedChange(name, action_data, data, former), size)

    def show_closed(self, error: FeedmeError | None, *, always: bool = False) -> None:
        """Report that the feed is closed, unless the last event said so for the same reason.

        Args:
            error: why; None if the application desires it.
            always: whether to report it in any case.
        """
        same = self.state is FeedState.CLOSED and _code(error) == _code(self.error)
        self.data = None
        self._enter(FeedState.CLOSED, error)
        self.set_synced(False)
        if always or not same:
            self._emit(FeedEvents.CLOSE, error)
        if self.stream is not None and (error is None or isinstance(error, Rejected)):
            self.stream.close(error)
            self.stream = None

    @property
    def synced(self) -> bool:
        """Whether the data is known to be the server's."""
        return self.unsynced_since is None

    def destroy(self) -> None:
        """Give the object up."""
        self.destroyed, self.desired_open = True, False
        self.state, self.data = FeedState.CLOSED, None
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        self.wake_waiters()

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
