"""The changes of a feed as an asynchronous iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from rcex_ws.connection import DeliveryQueue, Overflow
from rcex_ws.errors import ConfigurationError
from rcex_ws.feedme.errors import FeedmeError, InvalidFeedState
from rcex_ws.feedme.values import FrozenDict

__all__ = ["Changes", "FeedChange"]


class FeedChange(Struct, frozen=True):
    """One change of feed data.

    Attributes:
        action_name: the name of the action; None if the feed was opened again, or if the consumer was too slow: what
            happened meanwhile is in `new_data` alone.
        action_data: the action data.
        new_data: the feed data after it.
        old_data: the feed data before it.
    """

    action_name: str | None
    action_data: FrozenDict
    new_data: FrozenDict
    old_data: FrozenDict


class Changes(AsyncIterator[FeedChange]):
    """The changes of one feed object, for one consumer; a slow consumer gets what it missed as one change.

    Args:
        known: the feed data that the consumer knows; None if it knows none.
        max_pending: maximum number of changes that wait for the consumer; beyond that the oldest are dropped.
        max_pending_bytes: maximum number of bytes that they hold, with the same effect.
    """

    __slots__ = ("_known", "_latest", "_next", "_queue")

    def __init__(self, known: FrozenDict | None, *, max_pending: int, max_pending_bytes: int) -> None:
        self._known = known
        self._latest = known  # what the consumer knows when it has consumed all that is queued
        self._next: FeedChange | None = None  # to follow the change that stands for what was missed
        self._queue: DeliveryQueue[FeedChange] = DeliveryQueue(
            max_items=max_pending, max_bytes=max_pending_bytes, on_overflow=_ignore
        )

    def put(self, change: FeedChange, size: int) -> None:
        """Queue a change that holds `size` bytes."""
        self._latest = change.new_data
        self._queue.put(change, size)

    def put_opened(self, data: FrozenDict) -> None:
        """Queue what happened while the feed was closed; the data of the first opening is no change."""
        former, self._latest = self._latest, data
        if former is not None:
            self._queue.put(FeedChange(None, FrozenDict(), data, former), 0)

    def close(self, error: FeedmeError | None = None) -> None:
        """End the iteration after what is queued, with an error or without."""
        self._queue.close(error)

    async def __anext__(self) -> FeedChange:
        change, self._next = self._next, None
        if change is None:
            try:
                change = await anext(self._queue)
            except ConfigurationError:
                raise InvalidFeedState("another task iterates over this Feed; each needs one of its own") from None
        if self._known is not None and change.old_data is not self._known:  # those in between were dropped
            missed, self._next = FeedChange(None, FrozenDict(), change.old_data, self._known), change
            change = missed
        self._known = change.new_data
        return change


def _ignore(_: Overflow, __: bool) -> None:
    """Report nothing: the consumer gets the change that stands for what was dropped."""
