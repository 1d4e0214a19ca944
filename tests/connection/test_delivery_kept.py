"""What the delivery queue must not drop, although it is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcex_ws.connection import DeliveryQueue, Overflow


def make(max_items: int = 2, max_bytes: int = 10**9) -> tuple[DeliveryQueue[Any], list[tuple[Any, Any, int, bool]]]:
    reports: list[tuple[Any, Any, int, bool]] = []
    episode: list[Any] = []

    def on_overflow(overflow: Overflow, over: bool) -> None:
        reports.append((episode[0], episode[-1], overflow.dropped, over))
        if over:
            episode.clear()

    queue: DeliveryQueue[Any] = DeliveryQueue(
        max_items=max_items, max_bytes=max_bytes, on_overflow=on_overflow, on_drop=episode.append
    )
    return queue, reports


async def take(queue: DeliveryQueue[Any]) -> Any:
    """Take an item that must be there."""
    with anyio.fail_after(1):
        return await anext(queue)


async def test_what_is_kept_is_outside_the_bound() -> None:
    queue, reports = make(max_items=2)
    for n in range(10):
        queue.put(f"kept {n}", 0, keep=True)
    queue.put("a", 1)
    queue.put("b", 1)
    assert (len(queue), queue.dropped, reports) == (12, 0, [])


async def test_the_oldest_that_may_go_goes_and_the_order_stays() -> None:
    queue, reports = make(max_items=2)
    for item, keep in (("k1", True), ("a", False), ("k2", True), ("b", False), ("c", False), ("k3", True)):
        queue.put(item, 1, keep=keep)
    assert list(queue.queued()) == ["k1", "k2", "b", "c", "k3"]
    assert reports == [("a", "a", 1, False)]
    queue.put("d", 1)
    assert [await take(queue) for _ in range(5)] == ["k1", "k2", "c", "k3", "d"]
    assert reports[-1] == ("a", "b", 2, True)


async def test_a_bound_of_bytes() -> None:
    queue, _ = make(max_items=100, max_bytes=10)
    queue.put("k", 8, keep=True)
    queue.put("a", 4)
    queue.put("b", 4)
    assert list(queue.queued()) == ["k", "b"], "one that may be dropped is held, however large the kept ones are"
    assert queue.pending_bytes == 12


async def test_a_kept_item_drops_nothing_by_its_number() -> None:
    queue, reports = make(max_items=1)
    queue.put("a", 1)
    queue.put("k", 0, keep=True)
    assert list(queue.queued()) == ["a", "k"]
    assert reports == []


@pytest.mark.parametrize("behind", [True, False])
async def test_what_is_kept_moves_with_its_mark(behind: bool) -> None:
    queue, _ = make(max_items=4)
    other, _ = make(max_items=1)
    for item, keep in (("a", False), ("k", True), ("b", False)):
        queue.put(item, 1, keep=keep)
    queue.move_to(other, behind=behind)
    assert list(other.queued()) == ["k", "b"]
    other.put("c", 1)
    assert list(other.queued()) == ["k", "c"]
    assert len(queue) == 0
    queue.put("x", 1)
    assert list(queue.queued()) == ["x"]


async def test_discarding_forgets_what_was_kept() -> None:
    queue, reports = make(max_items=1)
    queue.put("k", 1, keep=True)
    queue.close(discard=True)
    assert (len(queue), queue.pending_bytes, reports) == (0, 0, [])


async def test_a_report_may_put_an_item_that_is_kept() -> None:
    """As the callback client does, to tell its handler."""
    told: list[Callable[[], None]] = []

    def on_overflow(overflow: Overflow, over: bool) -> None:
        if not over:
            told[0]()

    queue: DeliveryQueue[Any] = DeliveryQueue(max_items=1, max_bytes=100, on_overflow=on_overflow)
    told.append(lambda: queue.put("report", 0, keep=True))
    for item in "abc":
        queue.put(item, 1)
    assert list(queue.queued()) == ["report", "c"]
    assert queue.dropped == 2


def test_what_is_kept_does_not_make_a_drop_dearer() -> None:
    """A drop that passes over all that is kept costs a thousand times as much, here."""

    def seconds(kept: int) -> float:
        queue, _ = make(max_items=100)
        for _ in range(kept):
            queue.put("k", 0, keep=True)
        for item in range(100):
            queue.put(item, 1)
        began = time.perf_counter()
        for item in range(1000):
            queue.put(item, 1)
        assert queue.dropped == 1000
        return time.perf_counter() - began

    assert min(seconds(20_000) for _ in range(3)) < 20 * min(seconds(0) for _ in range(3))


@given(
    st.integers(1, 5),
    st.integers(1, 30),
    st.lists(st.tuples(st.sampled_from(["put", "keep", "take"]), st.integers(0, 12)), max_size=60),
)
@settings(deadline=None)
def test_against_a_plain_model(max_items: int, max_bytes: int, steps: list[tuple[str, int]]) -> None:
    anyio.run(compare, max_items, max_bytes, steps)


async def compare(max_items: int, max_bytes: int, steps: list[tuple[str, int]]) -> None:
    queue, _ = make(max_items, max_bytes)
    model: list[tuple[int, int, bool]] = []
    dropped = 0
    for n, (step, size) in enumerate(steps):
        if step == "take":
            if model:
                assert await take(queue) == model.pop(0)[0]
            continue
        queue.put(n, size, keep=step == "keep")
        model.append((n, size, step == "keep"))
        while True:
            loose = [entry for entry in model if not entry[2]]
            if len(loose) <= max_items and (sum(size for _, size, _ in model) <= max_bytes or len(loose) <= 1):
                break
            model.remove(loose[0])
            dropped += 1
        assert list(queue.queued()) == [entry[0] for entry in model]
        assert queue.pending_bytes == sum(entry[1] for entry in model)
    assert queue.dropped == dropped
