"""The changes of a feed as an asynchronous iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from rcex_ws.connection import DeliveryQueue, Overflow
from rcex_ws.feedme.values import FrozenDict

__all__ = ["Changes", "FeedChange"]


class FeedChange(Struct, frozen=True):
    """One change of feed data.

    Attributes:
        name: the name of the action; None if the feed was opened again, or if the consumer was too slow: what happened
            meanwhile is in `new_data` alone.
        data: the action data.
        new_data: the feed data after it.
        old_data: the feed data before it.
    """

    name: str | None
    data: FrozenDict
    new_data: FrozenDict
    old_data: FrozenDict


class Changes(AsyncIterator[FeedChange]):
    """The changes of one feed object, for one consumer; what a slow one misses it gets as one change without a name.

    Args:
        known: the feed data that the consumer knows; None if it knows none.
        max_pending: most changes that wait for the consumer; beyond that the oldest are dropped.
        max_pending_bytes: most bytes of their messages, likewise.
    """

    def __init__(self, known: FrozenDict | None, *, max_pending: int, max_pending_bytes: int) -> None:
        self._known = known
        self._next: FeedChange | None = None  # to follow the change that stands for what was missed
        self._queue: DeliveryQueue[FeedChange] = DeliveryQueue(
            max_items=max_pending, max_bytes=max_pending_bytes, on_overflow=_ignore
        )

    def put(self, change: FeedChange, size: int) -> None:
        """Queue a change whose message had `size` bytes."""
        self._queue.put(change, size)

    def close(self, error: Exception | None = None) -> None:
        """End the iteration after what is queued, with an error or without."""
        self._queue.close(error)

    async def __anext__(self) -> FeedChange:
        change, self._next = self._next, None
        if change is None:
            change = await anext(self._queue)
        if self._known is not None and change.old_data is not self._known:  # those in between were dropped
            missed, self._next = FeedChange(None, FrozenDict(), change.old_data, self._known), change
            change = missed
        self._known = change.new_data
        return change


def _ignore(_: Overflow, __: bool) -> None:
    """Report nothing: the consumer gets the change that stands for what was dropped."""
