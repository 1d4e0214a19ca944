"""The bounded, ordered queue between the reader of a socket and the user's code.

The reader puts and never waits; one consumer takes and runs user code. When the consumer is too slow the oldest item
that may be dropped goes, counted, with one report at the start of the episode and one at its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Generic, TypeVar

import anyio.lowlevel
from msgspec import Struct

from rcex_ws.errors import ConfigurationError
from rcex_ws.loop import Waiter, waiter_factory
from rcex_ws.time_slice import TimeSlice

__all__ = ["DeliveryQueue", "Overflow"]

T = TypeVar("T")


class Overflow(Struct, gc=False):
    """One episode in which items were dropped: from the first drop until the queue was half empty.

    Attributes:
        dropped: how many were.
    """

    dropped: int = 0


class DeliveryQueue(Generic[T]):
    """Hold items for one consumer, in order, bounded by number and by bytes.

    Args:
        max_items: most items held.
        max_bytes: most bytes held; a single larger item is held alone.
        on_overflow: called at the start of an episode with `over=False`, and at its end with `over=True`.
        on_drop: called with each item that is dropped.
        on_take: called whenever the consumer has taken an item; None for nobody.

    Attributes:
        in_hand: the item that `deliver` has passed to a handler which has not returned yet.
        delivered: items taken by the consumer.
        dropped: items dropped because the queue was full.
        discarded: items that were thrown away when it was closed, or came after that.
    """

    def __init__(
        self,
        *,
        max_items: int,
        max_bytes: int,
        on_overflow: Callable[[Overflow, bool], None],
        on_drop: Callable[[T], None] = lambda _: None,
        on_take: Callable[[], None] | None = None,
    ) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._on_overflow = on_overflow
        self._on_drop = on_drop
        self._on_take = on_take
        self._items: deque[tuple[T, int]] = deque()  # what may be dropped, and its size
        # What may not, apart, so that it is never in the way of a drop: the item, its size, and its turn, which comes
        # when so many of the others are gone.
        self._kept: deque[tuple[T, int, int]] = deque()
        self._removed = 0  # others taken or dropped
        self._bytes = 0
        self._episode: Overflow | None = None
        self._held = False
        self._closed = False
        self._failure: Exception | None = None
        self._slice: TimeSlice | None = None  # of the consumer
        self._waiter: Waiter | None = None  # the consumer, while it waits
        self.in_hand: T | None = None
        self.delivered = 0
        self.dropped = 0
        self.discarded = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._kept)

    @property
    def closed(self) -> bool:
        """Tell whether nothing more will be put."""
        return self._closed

    @property
    def held(self) -> bool:
        """Tell whether the consumer is kept waiting."""
        return self._held

    @property
    def pending_bytes(self) -> int:
        """The bytes of all items that wait."""
        return self._bytes

    def put(self, item: T, size: int, *, keep: bool = False) -> None:
        """Append an item; drop the oldest ones when that is too much. Ignored once closed.

        Args:
            item: what to deliver.
            size: its bytes.
            keep: whether it is outside all bounds and never dropped: for the rare, not for what a peer may send.
        """
        if self._closed:
            self.discarded += 1
            return
        if keep:
            self._kept.append((item, size, self._removed + len(self._items)))
        else:
            self._items.append((item, size))
        self._bytes += size
        if len(self._items) > self._max_items or self._bytes > self._max_bytes:
            self._shrink()
        if self._waiter is not None:
            self._wake()

    def hold(self) -> None:
        """Keep back what is queued until `release`; putting goes on."""
        self._held = True

    def release(self) -> None:
        """Let the consumer go on."""
        self._held = False
        self._wake()

    def close(self, failure: Exception | None = None, *, discard: bool = False) -> None:
        """Take nothing more; the consumer gets what is buffered, then ends or has `failure` raised.

        Args:
            failure: raised to the consumer after the last item.
            discard: throw away what is buffered.
        """
        if not self._closed:
            self._closed, self._failure = True, failure
        if discard:
            self.discarded += len(self)
            self._items.clear()
            self._kept.clear()
            self._bytes = 0
        self._end_episode()
        self._wake()

    def queued(self) -> Iterator[T]:
        """Give what waits, oldest first, without taking it."""
        return (item for item, _, _ in self._entries())

    def move_to(
        self, other: DeliveryQueue[T], wanted: Callable[[T], bool] = lambda _: True, *, behind: bool = False
    ) -> None:
        """Put all that waits and is wanted into another queue, in order, behind or ahead of what waits there."""
        moved: list[tuple[T, int, bool]] = []
        stays: list[tuple[T, int, bool]] = []
        for entry in self._entries():
            (moved if wanted(entry[0]) else stays).append(entry)
        self._refill(stays)
        self._end_episode()
        there = [*other._entries()]
        other._refill([*there, *moved] if behind else [*moved, *there])
        other._wake()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        """Take the oldest item; wait while there is none or the queue is held, and now and then let others run."""
        while (item := self.take_ready()) is None:
            if not await self.wait():
                raise StopAsyncIteration
        return item

    def take_ready(self) -> T | None:
        """Take the oldest item without waiting; None when it is to be waited for by `wait`.

        For a consumer of many: it spares a coroutine for each item.
        """
        if self._held or not (self._items or self._kept):
            return None
        if self._slice is None:
            self._slice = TimeSlice()
        elif self._slice.expired():
            return None
        if self._kept and self._kept[0][2] <= self._removed:
            item, size, _ = self._kept.popleft()
        else:
            item, size = self._items.popleft()
            self._removed += 1
        self._bytes -= size
        self.delivered += 1
        if self._on_take is not None:
            self._on_take()
        if self._episode is not None and len(self._items) <= self._max_items // 2:
            self._end_episode()
        return item

    async def wait(self) -> bool:
        """Let others run, and wait for an item; False when none will come any more.

        Raises:
            Exception: what the queue was closed with, after the last item.
            ConfigurationError: somebody else waits for it.
        """
        if not self._held and (self._items or self._kept):  # it has had its turn
            await anyio.lowlevel.checkpoint()
        while self._held or not (self._items or self._kept):
            if self._closed and not (self._items or self._kept):
                if self._failure is not None:
                    raise self._failure
                return False
            if self._waiter is not None:
                raise ConfigurationError("this queue is being iterated already; it has one consumer")
            self._waiter = waiter_factory()()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._slice = TimeSlice()
        return True

    def _shrink(self) -> None:
        while len(self._items) > self._max_items or (self._bytes > self._max_bytes and len(self._items) > 1):
            self._drop_oldest()

    def _entries(self) -> Iterator[tuple[T, int, bool]]:
        """Give each item with its size and whether it is kept, oldest first."""
        removed, kept = self._removed, iter(self._kept)
        next_kept = next(kept, None)
        for item, size in self._items:
            while next_kept is not None and next_kept[2] <= removed:
                yield next_kept[0], next_kept[1], True
                next_kept = next(kept, None)
            yield item, size, False
            removed += 1
        while next_kept is not None:
            yield next_kept[0], next_kept[1], True
            next_kept = next(kept, None)

    def _refill(self, entries: Iterable[tuple[T, int, bool]]) -> None:
        """Hold these instead of what is held."""
        self._items.clear()
        self._kept.clear()
        self._bytes = 0
        for item, size, keep in entries:
            if keep:
                self._kept.append((item, size, self._removed + len(self._items)))
            else:
                self._items.append((item, size))
            self._bytes += size
        self._shrink()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _drop_oldest(self) -> None:
        item, size = self._items.popleft()
        self._removed += 1
        self._bytes -= size
        self.dropped += 1
        self._on_drop(item)
        if self._episode is None:
            self._episode = Overflow(1)
            self._on_overflow(self._episode, False)
        else:
            self._episode.dropped += 1

    def _end_episode(self) -> None:
        if self._episode is not None:
            episode, self._episode = self._episode, None
            self._on_overflow(episode, True)
