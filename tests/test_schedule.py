"""When to try again: the bands, the rules after a loss, Retry-After, and that no history of failures is a hot loop."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.errors import ConfigurationError
from rcex_ws.schedule import STABLE_AFTER, Schedule, default_delays

BANDS = {1: (1, 1), 2: (2, 6), 3: (10, 20), 4: (20, 40), 5: (40, 80), 6: (80, 120)}


@given(failures=st.integers(min_value=1, max_value=10_000))
def test_the_wait_lies_in_the_band_of_the_nth_failure(failures: int) -> None:
    low, high = BANDS[min(failures, 6)]
    assert low <= default_delays(failures) <= high


@pytest.mark.parametrize("failures", [2, 3, 4, 5, 6])
def test_the_wait_is_spread_over_its_band(failures: int) -> None:
    low, high = BANDS[failures]
    quarter = (high - low) / 4
    hits = {min(3, int((default_delays(failures) - low) / quarter)) for _ in range(400)}
    assert hits == {0, 1, 2, 3}  # by chance one misses once in 10^50 runs


def test_failures_are_counted_from_one() -> None:
    schedule = Schedule(lambda n: 100.0 + n)
    assert [schedule.after_failure() for _ in range(3)] == [101.0, 102.0, 103.0]


@given(delay=st.floats(0, 200), retry_after=st.none() | st.floats(0, 10_000))
def test_retry_after_is_a_lower_bound(delay: float, retry_after: float | None) -> None:
    wait = Schedule(lambda _: delay).after_failure(retry_after)
    assert wait == max(delay, retry_after or 0.0)


@given(lived=st.floats(STABLE_AFTER, 1e9), failures=st.integers(0, 5))
def test_a_stable_connection_is_reopened_at_once_and_clears_the_count(lived: float, failures: int) -> None:
    schedule = Schedule(float)
    for _ in range(failures):
        schedule.after_failure()
    assert schedule.after_loss(lived) == 0.0
    assert schedule.failures == 0
    assert schedule.after_failure() == 1.0


@given(lived=st.floats(0, STABLE_AFTER, exclude_max=True), failures=st.integers(0, 5))
def test_a_short_connection_counts_as_one_more_failure(lived: float, failures: int) -> None:
    schedule = Schedule(float)
    for _ in range(failures):
        schedule.after_failure()
    assert schedule.after_loss(lived) == failures + 1


@given(st.lists(st.none() | st.floats(0, 60), min_size=30, max_size=120))
def test_attempts_are_rare_whatever_the_server_does(history: list[float | None]) -> None:
    """Each entry is a failed attempt (None) or a connection that lived so many seconds."""
    schedule, now, attempts = Schedule(), 0.0, [0.0]
    for lived in history:
        if lived is None:
            now += schedule.after_failure()
        else:
            now += lived + schedule.after_loss(lived)
        attempts.append(now)
    for start in attempts:
        within = [at for at in attempts if start <= at < start + 60.0]
        # The worst minute: a stable connection, the reset, then 1 s, 2 to 6 s, 10 to 20 s, 20 to 40 s; and once more.
        assert len(within) <= 8
    assert all(later - earlier > 0.999 for earlier, later in pairwise(attempts))


@pytest.mark.parametrize("delays", [lambda _: "soon", lambda _: 1 / 0], ids=["no number", "raises"])
def test_the_default_wait_holds_where_the_schedule_gives_none(delays: object) -> None:
    errors: list[ConfigurationError] = []
    for report in (None, errors.append):
        assert Schedule(delays, report).after_failure() == 1.0  # type: ignore[arg-type]
    assert [str(error).partition(":")[0] for error in errors] == ["reconnect_delays"]
