"""What a soak of RTM decides without processes: its faults, and when they strike."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from oracle.rtm.faults import ALL, CONNECTIONS, HOLDING, OF_A_LINK, OF_REDIS, SERVERS, make_schedule, named


def test_a_schedule_repeats_and_ends_in_time() -> None:
    acts = make_schedule(7, 60, ALL)
    assert acts == make_schedule(7, 60, ALL)
    assert acts != make_schedule(8, 60, ALL)
    assert all(act.at + act.length < 60 for act in acts)
    assert {act.target for act in acts} <= {"redis", *SERVERS, *CONNECTIONS}


def test_each_fault_strikes_in_some_run() -> None:
    struck = Counter(act.fault for seed in range(20) for act in make_schedule(seed, 15, ALL))
    assert set(struck) == HOLDING


def test_one_place_has_one_fault_at_a_time() -> None:
    acts = [act for act in make_schedule(3, 600, ALL) if act.target == "A" and act.fault not in OF_A_LINK]
    assert len(acts) > 5
    assert all(before.at + before.length < after.at for before, after in pairwise(acts))


def test_faults_are_named_alone_and_in_groups() -> None:
    assert named("all") == ALL
    assert named("none") == frozenset()
    assert named("redis,kill") == {*OF_REDIS, "kill"}
    assert named("all,-redis,-kill") == ALL - {*OF_REDIS, "kill"}
    with pytest.raises(ValueError, match="no fault"):
        named("earthquake")


def test_nothing_strikes_unless_wanted() -> None:
    assert make_schedule(1, 60, []) == []
    assert {act.fault for act in make_schedule(1, 60, ["kill"])} == {"kill"}
