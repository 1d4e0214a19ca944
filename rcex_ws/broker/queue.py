"""The appends that wait for the service: in order, bounded, each with a time to fail. Pure: no clock and no I/O.

Used by both brokers. A batch is what is on its way to the service; it stays here until its outcome is known, so that a
lost answer sends the same entries again, with the same numbers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from rcex_ws.broker.interface import Appended, BrokerError, BrokerFull, BrokerUnavailable

__all__ = ["Append", "AppendQueue", "OnDone"]

OnDone = Callable[[Appended | BrokerError], None]

#: What an entry counts beside its topic and data, in bytes.
_OVERHEAD = 100

#: Seconds between two searches for appends that have waited too long: each looks at all of them.
_SEARCH_INTERVAL = 0.05


class Append(Struct, eq=False):
    """One call of `append`.

    Attributes:
        number: counts the calls of this node.
        topic: the name of the topic.
        data: the entry.
        on_done: called once with the outcome.
        deadline: when it fails, by the loop's clock.
        done: whether `on_done` was called.
    """

    number: int
    topic: str
    data: bytes
    on_done: OnDone
    deadline: float
    done: bool = False

    @property
    def size(self) -> int:
        """What it counts towards the bound, in bytes."""
        return len(self.data) + len(self.topic) + _OVERHEAD


class AppendQueue:
    """The queue of one node, and the batch that is on its way.

    Args:
        max_entries: how many may wait.
        max_bytes: how many bytes may wait.
        batch_entries: the most entries of a batch.
        batch_bytes: the most bytes of a batch, unless one entry is larger.
    """

    def __init__(
        self, *, max_entries: int, max_bytes: int, batch_entries: int = 500, batch_bytes: int = 1_000_000
    ) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._batch_entries, self._batch_bytes = batch_entries, batch_bytes
        self._queue: deque[Append] = deque()
        self._batch: list[Append] = []
        self._number = 0
        self._entries = self._bytes = 0
        self._next_search = math.inf

    def __len__(self) -> int:
        return self._entries

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._bytes

    @property
    def next_search(self) -> float:
        """When `expire` has something to do, by the loop's clock; infinite if nothing waits."""
        return self._next_search

    def put(self, topic: str, data: bytes, on_done: OnDone, deadline: float) -> None:
        """Queue an append.

        Raises:
            BrokerFull: too many entries, or bytes, wait already.
        """
        append = Append(self._number + 1, topic, data, on_done, deadline)
        if self._entries >= self._max_entries or (self._entries and self._bytes + append.size > self._max_bytes):
            raise BrokerFull(f"{self._entries} entries of {self._bytes} bytes wait for the service already")
        self._number += 1
        self._entries += 1
        self._bytes += append.size
        self._queue.append(append)
        self._next_search = min(self._next_search, deadline)

    def next_batch(self) -> Sequence[Append]:
        """Return what is to be sent now: the batch whose outcome is not known, else the next one; empty if none waits.

        What is returned counts as sent, and is returned again until `settle`.
        """
        if self._batch:
            self._batch = [append for append in self._batch if not append.done]
        size = 0
        while not self._batch or size:
            if not self._queue or len(self._batch) == self._batch_entries or size >= self._batch_bytes:
                break
            append = self._queue.popleft()
            if not append.done:
                self._batch.append(append)
                size += append.size
        return self._batch

    def settle(self, outcomes: Iterable[Appended | BrokerError]) -> None:
        """Report the outcome of each entry of the batch that `next_batch` returned last."""
        batch, self._batch = self._batch, []
        for append, outcome in zip(batch, outcomes, strict=True):
            self._finish(append, outcome)

    def expire(self, now: float) -> None:
        """Fail what has waited too long."""
        if now < self._next_search:
            return
        nearest = math.inf
        for waiting, sent in ((self._batch, True), (self._queue, False)):
            for append in tuple(waiting):
                if append.done:
                    continue
                if append.deadline <= now:
                    self._finish(append, BrokerUnavailable("the service did not take the entry in time", sent=sent))
                else:
                    nearest = min(nearest, append.deadline)
        while self._queue and self._queue[0].done:
            self._queue.popleft()
        self._next_search = max(nearest, now + _SEARCH_INTERVAL) if self._entries else math.inf

    def close(self) -> None:
        """Fail all that waits, because the broker is closed."""
        batch, self._batch = self._batch, []
        queue, self._queue = self._queue, deque()
        for waiting, sent in ((batch, True), (queue, False)):
            for append in waiting:
                self._finish(append, BrokerUnavailable("the broker was closed", sent=sent))

    def _finish(self, append: Append, outcome: Appended | BrokerError) -> None:
        if not append.done:
            append.done = True
            self._entries -= 1
            self._bytes -= append.size
            append.on_done(outcome)
