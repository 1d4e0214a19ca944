"""The queue of appends by itself: batches that are sent again, times to fail, bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.broker.interface import Appended, BrokerError, BrokerFull, BrokerUnavailable
from rcex_ws.broker.queue import AppendQueue

DONE = Appended("p", 0)


class Rig:
    def __init__(self, **options: Any) -> None:
        self.queue = AppendQueue(**{"max_entries": 100, "max_bytes": 10**6} | options)
        self.told: list[tuple[bytes, Appended | BrokerError]] = []

    def put(self, *datas: bytes, deadline: float = 100.0) -> None:
        for data in datas:
            self.queue.put("t", data, lambda outcome, data=data: self.told.append((data, outcome)), deadline)

    def batch(self) -> list[bytes]:
        return [append.data for append in self.queue.next_batch()]

    def settle(self) -> None:
        self.queue.settle([DONE for _ in self.queue.next_batch()])


def test_a_batch_is_returned_until_it_is_settled() -> None:
    rig = Rig()
    assert rig.batch() == []
    rig.put(b"1", b"2")
    assert rig.batch() == [b"1", b"2"]
    numbers = [append.number for append in rig.queue.next_batch()]
    rig.put(b"3")
    assert rig.batch() == [b"1", b"2"]
    assert [append.number for append in rig.queue.next_batch()] == numbers
    rig.settle()
    assert rig.told == [(b"1", DONE), (b"2", DONE)]
    assert rig.batch() == [b"3"]
    assert rig.queue.next_batch()[0].number > numbers[-1]


def test_a_batch_is_bounded() -> None:
    rig = Rig(batch_entries=3, batch_bytes=1000)
    rig.put(b"1", b"2", b"3", b"4", b"x" * 5000, b"5")
    batches = []
    while batch := rig.batch():
        batches.append(len(batch))
        rig.settle()
    assert batches == [3, 2, 1]


def test_what_waits_too_long_fails_and_says_whether_it_was_sent() -> None:
    rig = Rig()
    assert rig.queue.next_search == math.inf
    rig.put(b"1", deadline=5.0)
    rig.put(b"2", deadline=7.0)
    assert rig.batch() == [b"1", b"2"]
    rig.put(b"3", deadline=6.0)
    rig.put(b"4", deadline=6.0)
    rig.put(b"5", deadline=9.0)
    rig.queue.expire(4.9)
    assert (rig.told, rig.queue.next_search) == ([], 5.0)
    rig.queue.expire(6.0)
    assert [(data, error.sent) for data, error in rig.told if isinstance(error, BrokerUnavailable)] == [
        (b"1", True),
        (b"3", False),
        (b"4", False),
    ]
    assert rig.batch() == [b"2"], "what has failed is not sent again"
    rig.settle()
    assert rig.batch() == [b"5"]
    rig.queue.expire(9.5)
    assert rig.batch() == []
    assert (len(rig.queue), rig.queue.size, rig.queue.next_search) == (0, 0, math.inf)


def test_what_has_failed_in_the_middle_is_left_out() -> None:
    rig = Rig()
    rig.put(b"1", deadline=9.0)
    rig.put(b"2", deadline=6.0)
    rig.put(b"3", deadline=9.0)
    rig.queue.expire(6.0)
    assert rig.batch() == [b"1", b"3"]


def test_an_answer_that_comes_after_the_failure_is_no_second_outcome() -> None:
    rig = Rig()
    rig.put(b"1", b"2", deadline=5.0)
    batch = rig.queue.next_batch()
    rig.queue.expire(6.0)
    rig.queue.settle([DONE for _ in batch])
    assert len(rig.told) == 2
    assert not any(outcome is DONE for _, outcome in rig.told)


def test_the_bounds_and_what_frees_them() -> None:
    rig = Rig(max_entries=2)
    rig.put(b"1", b"2")
    with pytest.raises(BrokerFull):
        rig.put(b"3")
    rig.settle()
    rig.put(b"3", deadline=1.0)
    rig.queue.expire(1.0)
    rig.put(b"4", b"5")
    large = Rig(max_bytes=1000)
    large.put(b"x" * 5000)
    with pytest.raises(BrokerFull):
        large.put(b"y")


def test_close_fails_all() -> None:
    rig = Rig(batch_entries=1)
    rig.put(b"1", b"2")
    rig.batch()
    rig.queue.close()
    assert [(data, outcome.sent) for data, outcome in rig.told if isinstance(outcome, BrokerUnavailable)] == [
        (b"1", True),
        (b"2", False),
    ]
    assert (rig.batch(), len(rig.queue)) == ([], 0)


steps = st.lists(
    st.tuples(st.just("put"), st.floats(0, 50)) | st.sampled_from([("batch", 0.0), ("settle", 0.0), ("wait", 1.0)]),
    max_size=60,
)


@given(steps)
def test_each_append_has_one_outcome_in_order(steps: list[tuple[str, float]]) -> None:
    rig, clock, count = Rig(batch_entries=4, max_entries=20), 0.0, 0
    sent: list[bytes] = []
    for step, value in steps:
        if step == "put":
            try:
                rig.put(b"%d" % count, deadline=clock + value)
            except BrokerFull:
                assert len(rig.queue) == 20
            else:
                count += 1
        elif step == "batch":
            sent += [data for data in rig.batch() if data not in sent]
        elif step == "settle":
            sent += [data for data in rig.batch() if data not in sent]
            rig.settle()
        else:
            clock += value
            rig.queue.expire(clock)
    rig.queue.close()
    assert sorted(int(data) for data, _ in rig.told) == list(range(count))
    assert sent == sorted(sent, key=int)
    settled = [int(data) for data, outcome in rig.told if outcome is DONE]
    assert settled == sorted(settled)
    assert (len(rig.queue), rig.queue.size) == (0, 0)
