"""When to try again: the bands, the rules after a loss, Retry-After, and that no history of failures is a hot loop.

And the end of a window: no wait steps over it, though many clients have lost one server, and none of them hammers it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.errors import ConfigurationError
from rcex_ws.schedule import STABLE_AFTER, Schedule, default_delays, within_window

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


# -- a window, within which an attempt is worth more -------------------------------------------------------------------

ATTEMPT_TIMEOUT = 10.0

waits = st.floats(1.0, 1e6)
windows = st.floats(35.0, 3600.0)


def attempts(rng: random.Random, window: float, takes: float, delays: Callable[[int], float]) -> list[float]:
    """Return when each attempt begins that begins within the window, after a stable connection; all of them fail."""
    schedule, now, begun = Schedule(delays), 0.0, [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "uniform", rng.uniform)  # hypothesis seeds that of the module alike for each example
        while True:
            now += takes
            now += within_window(schedule.after_failure(), window - now - ATTEMPT_TIMEOUT)
            if now > window:
                return begun
            begun.append(now)


@given(delay=st.floats(0, 1e6), left=st.floats(-1e6, 1e6))
def test_a_wait_is_only_ever_shortened_and_never_below_ten_seconds(delay: float, left: float) -> None:
    assert min(delay, 10.0) <= within_window(delay, left) <= delay


@given(delay=waits, left=st.floats(-1e6, 15.0, exclude_max=True))
def test_a_wait_at_the_end_of_a_window_ends_within_it_or_is_as_scheduled(delay: float, left: float) -> None:
    assert within_window(delay, left) in (delay, pytest.approx(min(left, 10.0), abs=5.0))


@given(delay=waits, left=st.floats(15.0, 1e6))
def test_no_wait_steps_over_the_end_of_a_window(delay: float, left: float) -> None:
    assert within_window(delay, left) <= left


@given(
    rng=st.randoms(use_true_random=False),
    window=windows,
    takes=st.floats(0, ATTEMPT_TIMEOUT),
    delays=st.just(default_delays) | waits.map(lambda wait: lambda _: wait),
)
def test_the_last_attempt_is_early_enough_and_not_long_before_the_end(
    rng: random.Random, window: float, takes: float, delays: Callable[[int], float]
) -> None:
    assert any(window - 35.0 <= at <= window - 9.999 for at in attempts(rng, window, takes, delays))


@given(rng=st.randoms(use_true_random=False), takes=st.floats(0, ATTEMPT_TIMEOUT), earlier=st.floats(0, 40.0))
def test_a_server_that_has_seen_the_loss_before_the_client_is_found_too(
    rng: random.Random, takes: float, earlier: float
) -> None:
    """A silent loss is noticed 40 s after the last frame: the server's window may be over as much earlier."""
    end = 180.0 - earlier
    assert any(end - 60.0 <= at <= end for at in attempts(rng, 180.0, takes, default_delays))


@given(rng=st.randoms(use_true_random=False), window=windows, takes=st.floats(0, ATTEMPT_TIMEOUT))
def test_attempts_within_a_window_are_rare_as_well(rng: random.Random, window: float, takes: float) -> None:
    begun = attempts(rng, window, takes, default_delays)
    for start in begun:
        assert len([at for at in begun if start <= at < start + 60.0]) <= (8 if start == 0 else 7)
    assert all(later - earlier > 9.999 for earlier, later in pairwise(begun[3:]))


def test_clients_that_have_lost_one_server_do_not_come_back_at_once() -> None:
    rng, clients = random.Random(1), 1000
    seconds = Counter(int(at) for _ in range(clients) for at in attempts(rng, 180.0, 0.0, default_delays))
    assert max(count for second, count in seconds.items() if second > 7) < clients / 8


def test_milliseconds_taken_for_seconds_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    schedule = Schedule(lambda failures: 300.0 * failures)
    assert [schedule.after_failure() for _ in range(4)] == [300.0, 600.0, 900.0, 1200.0]
    assert caplog.messages == ["reconnect_delays: a wait of 900 seconds; are these milliseconds?"]
