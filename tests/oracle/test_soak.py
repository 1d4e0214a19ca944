"""What a soak decides without processes: its schedule, whether a life has grown, whether it was held up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from oracle.growth import EVERY, Sampled, judge_growth, lags
from oracle.schedule import ACT_KINDS, make_schedule


def life(number: int, seconds: float, **growth: float) -> list[Sampled]:
    """Make the samples of a life; `growth` is by the second."""
    steady = {"rss": 50 * 2**20, "descriptors": 12, "tasks": 9}
    moments = [index * EVERY for index in range(int(seconds / EVERY))]
    return [
        Sampled(number, at, **{what: round(start + growth.get(what, 0) * at) for what, start in steady.items()})
        for at in moments
    ]


def test_a_schedule_repeats_and_leaves_the_last_tenth_alone():
    acts = make_schedule(7, 300, ACT_KINDS, recovery_timeout=4)
    assert acts == make_schedule(7, 300, ACT_KINDS, recovery_timeout=4)
    assert acts != make_schedule(8, 300, ACT_KINDS, recovery_timeout=4)
    assert {act.kind for act in acts} == set(ACT_KINDS)
    assert all(act.at < 270 for act in acts)


def test_acts_do_not_overlap():
    acts = make_schedule(3, 300, ACT_KINDS, recovery_timeout=4)
    assert all(before.at + before.away < after.at for before, after in pairwise(acts))


def test_nothing_is_done_to_a_process_unless_wanted():
    assert make_schedule(1, 300, [], recovery_timeout=4) == []
    assert {act.kind for act in make_schedule(1, 300, ["kill"], recovery_timeout=4)} == {"kill"}


@pytest.mark.parametrize(("what", "by_the_second"), [("rss", 400_000), ("descriptors", 0.5), ("tasks", 0.5)])
def test_a_leak_is_found(what: str, by_the_second: float):
    assert judge_growth(life(1, 60)) == []
    (grown,) = judge_growth(life(1, 60) + life(2, 60, **{what: by_the_second}))
    assert grown.startswith("life 2 grew")


def test_a_short_life_says_nothing():
    assert judge_growth(life(1, 20, tasks=5)) == []


def test_bursts_are_no_leak():
    busy = life(1, 60)
    for sample in busy[::3]:
        sample.tasks += 45
    assert judge_growth(busy) == []


def test_a_life_that_was_held_up_is_known():
    samples = life(1, 2)
    for sample in samples[4:]:
        sample.at += 0.5
    assert lags(samples) == [samples[4].at]
    assert lags(life(1, 2) + life(2, 2)) == []
