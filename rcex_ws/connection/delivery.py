"""The bounded, ordered queue between the reader of a socket and the application's code.

The reader puts items without waiting; one consumer takes them and runs that code. When the consumer is too slow, the
oldest items are dropped and counted, with one report at the start of such an episode and one at its end.
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
    """An episode of dropping: from the first dropped item until the queue is half empty.

    Attributes:
        dropped: number of items dropped in it so far.
    """

    dropped: int = 0


class DeliveryQueue(Generic[T]):
    """A queue for one consumer, bounded by number of items and by bytes.

    Args:
        max_items: most items in the queue.
        max_bytes: most bytes in the queue; a single larger item is accepted alone.
        on_overflow: called with the episode, and whether it has ended: once at its start and once at its end.
        on_drop: called with each dropped item.
        on_take: called each time the consumer has taken an item, and when it waits for more.

    Attributes:
        in_hand: the item that the consumer is working on, if it says so, as `handlers.deliver` does; else None.
        delivered: number of items taken by the consumer.
        dropped: number of items dropped because the queue was full.
        discarded: number of items discarded by `close`, or put after it.
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
        self._items: deque[tuple[T, int]] = deque()  # those that may be dropped, with size
        # Those that may not, apart, so that dropping need not search: with size, and the value of `_removed` from which
        # on the item is the oldest.
        self._kept: deque[tuple[T, int, int]] = deque()
        self._removed = 0  # droppable items taken or dropped so far
        self._bytes = 0
        self._episode: Overflow | None = None
        self._held = False
        self._closed = False
        self._failure: Exception | None = None
        self._slice: TimeSlice | None = None  # of the consumer, since it last let others run
        self._waiter: Waiter | None = None  # the consumer, while it waits
        self.in_hand: T | None = None
        self.delivered = 0
        self.dropped = 0
        self.discarded = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._kept)

    @property
    def closed(self) -> bool:
        """Whether the queue accepts nothing more."""
        return self._closed

    @property
    def held(self) -> bool:
        """Whether items are withheld from the consumer."""
        return self._held

    @property
    def pending_bytes(self) -> int:
        """Bytes of all items in the queue."""
        return self._bytes

    def put(self, item: T, size: int, *, keep: bool = False) -> None:
        """Append an item, and drop the oldest ones if the queue is too full. Discards the item once closed.

        Args:
            item: the item to deliver.
            size: its size in bytes.
            keep: whether to exempt it from dropping: for rare items, not for any that a peer can send at will.
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
        """Withhold items from the consumer until `release`; the queue still accepts more."""
        self._held = True

    def release(self) -> None:
        """Undo `hold`."""
        self._held = False
        self._wake()

    def close(self, failure: Exception | None = None, *, discard: bool = False) -> None:
        """Accept nothing more; the consumer still gets what is queued, then its iteration ends.

        Args:
            failure: raised to the consumer after the last item; None to end without an error.
            discard: whether to discard what is queued.
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
        """Return an iterator over the items in the queue, oldest first, without taking them."""
        return (item for item, _, _ in self._entries())

    def move_to(
        self, other: DeliveryQueue[T], wanted: Callable[[T], bool] = lambda _: True, *, behind: bool = False
    ) -> None:
        """Move all wanted items into another queue, in order, ahead of the items there or behind them."""
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
        """Return the oldest item; wait while there is none or the queue is held, and now and then let others run."""
        while (item := self.take_ready()) is None:
            if not await self.wait():
                raise StopAsyncIteration
        return item

    def take_ready(self) -> T | None:
        """Return the oldest item without waiting; None when the consumer has to call `wait` first.

        Saves a consumer of many items a coroutine for each.
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
        """Let others run, and wait for an item; return False once the queue is closed and empty.

        Raises:
            Exception: the one that the queue was closed with, after the last item.
            ConfigurationError: another consumer is waiting already.
        """
        if not self._held and (self._items or self._kept):  # its time slice has expired
            await anyio.lowlevel.checkpoint()
        while self._held or not (self._items or self._kept):
            if self._closed and not (self._items or self._kept):
                if self._failure is not None:
                    raise self._failure
                return False
            if self._waiter is not None:
                raise ConfigurationError("this queue is being iterated already; it has one consumer")
            if self._on_take is not None:
                self._on_take()
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
        """Yield each item with its size and whether it is exempt from dropping, oldest first."""
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
        """Replace the contents of the queue."""
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
