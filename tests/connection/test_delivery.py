"""The queue before the user's code: order, bounds, counters, and one report per episode of overflow."""

from __future__ import annotations

from collections import deque
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rcex_ws.connection import DeliveryQueue, Overflow


class Reports(list[tuple[Any, Any, int, bool]]):
    """What the queue reported: the first and the last item dropped in the episode, how many, and its end."""

    def __init__(self) -> None:
        super().__init__()
        self._episode: list[Any] = []

    def drop(self, item: Any) -> None:
        self._episode.append(item)

    def __call__(self, overflow: Overflow, over: bool) -> None:
        self.append((self._episode[0], self._episode[-1], overflow.dropped, over))
        if over:
            self._episode.clear()


def make(max_items: int = 4, max_bytes: int = 10**9) -> tuple[DeliveryQueue[Any], Reports]:
    reports = Reports()
    return DeliveryQueue(max_items=max_items, max_bytes=max_bytes, on_overflow=reports, on_drop=reports.drop), reports


@pytest.fixture(autouse=True)
def no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing here end a turn: some tests drive the queue without an event loop."""
    monkeypatch.setattr("rcex_ws.time_slice.TimeSlice.LENGTH", 3600.0)


def take_now(queue: DeliveryQueue[Any]) -> Any:
    """Take an item that must be there, without an event loop."""
    try:
        queue.__anext__().send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the consumer had to wait")


class Model(RuleBasedStateMachine):
    """Compare the queue with the plainest model of it."""

    @initialize(max_items=st.integers(1, 6), max_bytes=st.integers(1, 30))
    def open(self, max_items: int, max_bytes: int) -> None:
        self.max_items, self.max_bytes = max_items, max_bytes
        self.queue, self.reports = make(max_items, max_bytes)
        self.model: deque[tuple[int, int]] = deque()
        self.count = self.taken = 0
        self.gone: list[int] = []

    @rule(size=st.integers(0, 20))
    def put(self, size: int) -> None:
        self.queue.put(self.count, size)
        self.model.append((self.count, size))
        self.count += 1
        while len(self.model) > self.max_items or (
            len(self.model) > 1 and sum(s for _, s in self.model) > self.max_bytes
        ):
            self.gone.append(self.model.popleft()[0])

    @precondition(lambda self: self.model)
    @rule()
    def take(self) -> None:
        assert take_now(self.queue) == self.model.popleft()[0]
        self.taken += 1

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert len(self.queue) == len(self.model) <= self.max_items
        assert self.queue.pending_bytes == sum(size for _, size in self.model)
        assert (self.queue.delivered, self.queue.dropped) == (self.taken, len(self.gone))
        assert self.count == self.taken + len(self.gone) + len(self.model), "an item vanished without a count"

    @invariant()
    def episodes_open_and_close_in_turn(self) -> None:
        if not hasattr(self, "reports"):
            return
        assert [over for *_, over in self.reports] == [i % 2 == 1 for i in range(len(self.reports))]
        closed = sum(dropped for *_, dropped, over in self.reports if over)
        unreported = len(self.gone) - closed
        assert (unreported > 0) == (len(self.reports) % 2 == 1), "dropped items belong to a reported episode"

    def teardown(self) -> None:
        if not hasattr(self, "queue"):
            return
        self.queue.close(discard=True)
        reported = [(first, last) for first, last, _, over in self.reports if over]
        assert sum(dropped for *_, dropped, over in self.reports if over) == len(self.gone)
        assert all(first in self.gone and last in self.gone for first, last in reported)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30)


def test_one_report_at_the_start_and_one_at_the_end_of_an_episode() -> None:
    queue, reports = make(max_items=4)
    for item in range(10):
        queue.put(item, 1)
    assert reports == [(0, 0, 1, False)]
    assert [take_now(queue) for _ in range(4)] == [6, 7, 8, 9]
    assert reports == [(0, 0, 1, False), (0, 5, 6, True)]


def test_a_single_item_above_the_byte_bound_is_held_alone() -> None:
    queue, _ = make(max_bytes=10)
    queue.put("small", 5)
    queue.put("huge", 500)
    assert (len(queue), queue.dropped) == (1, 1)
    assert take_now(queue) == "huge"


async def test_a_waiting_consumer_gets_what_comes() -> None:
    queue, _ = make()
    got: list[Any] = []

    async def consume() -> None:
        async for item in queue:
            got.append(item)  # noqa: PERF401 - one by one, as they come

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await anyio.wait_all_tasks_blocked()
            queue.put("a", 1)
            queue.put("b", 1)
            await anyio.wait_all_tasks_blocked()
            assert got == ["a", "b"]
            queue.close()


async def test_a_held_queue_keeps_back_and_goes_on_in_order() -> None:
    queue, _ = make()
    queue.hold()
    assert queue.held
    got: list[Any] = []

    async def consume() -> None:
        async for item in queue:
            got.append(item)  # noqa: PERF401 - one by one, as they come

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            queue.put(1, 1)
            queue.put(2, 1)
            await anyio.wait_all_tasks_blocked()
            assert got == []
            queue.release()
            await anyio.wait_all_tasks_blocked()
            assert got == [1, 2]
            queue.close()


async def test_a_cancelled_consumer_loses_nothing() -> None:
    queue, _ = make()
    with anyio.move_on_after(0) as scope:
        await anext(queue)
    assert scope.cancelled_caught
    queue.put("kept", 1)
    assert await anext(queue) == "kept"


async def test_close_gives_what_is_buffered_and_then_ends() -> None:
    queue, _ = make()
    queue.put(1, 1)
    queue.close()
    queue.put(2, 1)
    assert [item async for item in queue] == [1]


async def test_what_is_held_stays_held_when_it_is_closed() -> None:
    queue, _ = make()
    queue.hold()
    queue.put(1, 1)
    queue.close()
    with anyio.move_on_after(0.01) as scope:
        await anext(queue)
    assert scope.cancelled_caught
    queue.release()
    with anyio.fail_after(5):
        assert [item async for item in queue] == [1]


async def test_a_failure_is_raised_after_the_last_item_and_the_first_close_counts() -> None:
    queue, _ = make()
    queue.put(1, 1)
    queue.close(ValueError("first"))
    queue.close(ValueError("second"))
    assert await anext(queue) == 1
    with pytest.raises(ValueError, match="first"):
        await anext(queue)
    with pytest.raises(ValueError, match="first"):
        await anext(queue)


async def test_discard_throws_away_and_ends_the_episode() -> None:
    queue, reports = make(max_items=1)
    queue.put(1, 1)
    queue.put(2, 1)
    queue.close(discard=True)
    assert (len(queue), queue.pending_bytes) == (0, 0)
    assert reports[-1] == (1, 1, 1, True)
    assert [item async for item in queue] == []


def test_move_to_goes_ahead_of_what_waits_there() -> None:
    source, _ = make()
    target, _ = make()
    for item in ("a", "bb", "c"):
        source.put(item, len(item))
    target.put("z", 7)
    source.move_to(target, lambda item: item != "c")
    assert (len(source), source.pending_bytes) == (1, 1)
    assert (len(target), target.pending_bytes) == (3, 10)
    assert [take_now(target) for _ in range(3)] == ["a", "bb", "z"]


def test_move_to_counts_what_does_not_fit() -> None:
    source, _ = make()
    target, reports = make(max_items=2)
    for item in (1, 2):
        source.put(item, 1)
    for item in (3, 4):
        target.put(item, 1)
    source.move_to(target)
    assert target.dropped == 2
    assert reports == [(1, 1, 1, False)]
    assert [take_now(target), take_now(target)] == [3, 4]
    assert reports[-1] == (1, 2, 2, True)


def test_move_to_ends_the_episode_of_the_emptied_queue() -> None:
    source, reports = make(max_items=1)
    target, _ = make()
    source.put(1, 1)
    source.put(2, 1)
    source.move_to(target)
    assert reports == [(1, 1, 1, False), (1, 1, 1, True)]


async def test_move_to_a_closed_queue_keeps_what_waits_there() -> None:
    source, _ = make()
    target, _ = make()
    target.put("waits", 1)
    target.close()
    source.move_to(target)
    assert [item async for item in target] == ["waits"]


async def test_a_full_queue_lets_the_reader_go_on() -> None:
    """Putting never waits, whatever the consumer does: here it does nothing at all."""
    queue, _ = make(max_items=10)
    for item in range(1000):
        queue.put(item, 1)
    await checkpoint()
    assert (len(queue), queue.dropped) == (10, 990)


async def test_the_owner_is_called_when_the_consumer_takes_an_item_and_when_it_waits_for_more() -> None:
    calls: list[int] = []
    queue: DeliveryQueue[int] = DeliveryQueue(
        max_items=4, max_bytes=100, on_overflow=Reports(), on_take=lambda: calls.append(len(queue))
    )
    queue.put(1, 1)
    queue.put(2, 1)
    async with anyio.create_task_group() as group:
        assert [await anext(queue), await anext(queue)] == [1, 2]
        assert calls == [1, 0]
        group.start_soon(anext, queue)
        await checkpoint()
        await checkpoint()
        assert calls == [1, 0, 0]
        group.cancel_scope.cancel()
