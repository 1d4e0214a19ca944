"""Whether a link is alive, and whether the machine slept: pure, so any history can be tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rcex_ws.connection.heartbeat import Beat, ClockWatch, Heartbeat, SteadyHeartbeat

INTERVAL, TIMEOUT = 30.0, 10.0


def test_silence_is_asked_after_the_interval_and_judged_after_the_timeout() -> None:
    heartbeat = Heartbeat(INTERVAL, TIMEOUT, now=100.0)
    assert heartbeat.wake_at(100.0) == 130.0
    assert heartbeat.poll(129.9) is Beat.WAIT
    assert heartbeat.poll(130.0) is Beat.SEND
    assert heartbeat.wake_at(130.0) == 140.0
    assert heartbeat.poll(139.9) is Beat.WAIT
    assert heartbeat.poll(140.0) is Beat.LOST


def test_any_frame_answers_and_the_next_question_counts_from_it() -> None:
    heartbeat = Heartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.last_inbound = 35.0
    assert heartbeat.poll(40.0) is Beat.WAIT
    assert heartbeat.wake_at(40.0) == 65.0


def test_an_answer_within_one_tick_of_the_clock_is_an_answer() -> None:
    """A loopback peer answers within one tick of a coarse clock (15.6 ms on Windows), or of a virtual one."""
    heartbeat = Heartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.last_inbound = 30.0
    assert heartbeat.poll(40.0) is Beat.WAIT
    assert heartbeat.wake_at(40.0) == 60.0


def test_a_busy_link_is_never_asked() -> None:
    heartbeat = Heartbeat(INTERVAL, TIMEOUT, now=0.0)
    for now in range(1, 1000):
        heartbeat.last_inbound = now - 0.5
        assert heartbeat.poll(float(now)) is Beat.WAIT


def test_asking_anew_gives_the_whole_timeout_again() -> None:
    heartbeat = Heartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    assert heartbeat.force(10_000.0) is Beat.SEND
    assert heartbeat.poll(10_009.0) is Beat.WAIT
    assert heartbeat.poll(10_010.0) is Beat.LOST


def test_a_timeout_longer_than_the_interval_does_not_delay_the_next_question() -> None:
    heartbeat = Heartbeat(30.0, 500.0, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.last_inbound = 31.0
    assert heartbeat.wake_at(30.0) == 60.0, "not only after the time-out"
    assert heartbeat.poll(60.0) is Beat.WAIT
    assert heartbeat.poll(61.0) is Beat.SEND


def test_a_steady_heartbeat_asks_a_busy_peer_too() -> None:
    heartbeat = SteadyHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    asked = []
    for now in range(1, 121):
        heartbeat.last_inbound = now - 0.5
        if heartbeat.poll(float(now)) is Beat.SEND:
            asked.append(now)
        heartbeat.last_inbound = float(now)
    assert asked == [30, 60, 90, 120]


def test_a_steady_heartbeat_judges_after_the_same_silence_as_any_other() -> None:
    steady, other = SteadyHeartbeat(INTERVAL, TIMEOUT, now=100.0), Heartbeat(INTERVAL, TIMEOUT, now=100.0)
    for now in (100.0, 129.9, 130.0, 139.9, 140.0):
        assert steady.wake_at(now) == other.wake_at(now)
        assert steady.poll(now) is other.poll(now)


@given(st.floats(0.0, 9.0), st.floats(31.0, 1000.0))
def test_both_ends_of_a_slow_link_stay_connected_while_one_sends_a_large_message(apart: float, ends: float) -> None:
    """What the sender says waits behind the message; what the receiver says does not."""
    sender, receiver = SteadyHeartbeat(INTERVAL, TIMEOUT, now=0.0), SteadyHeartbeat(INTERVAL, TIMEOUT, now=apart)
    now = apart
    while now < ends:
        now = min(sender.wake_at(now), receiver.wake_at(now))
        receiver.last_inbound = now  # parts of the message
        beat = receiver.poll(now)
        assert beat is not Beat.LOST
        if beat is Beat.SEND:
            sender.last_inbound = now
        assert sender.poll(now) is not Beat.LOST


class HeartbeatHistory(RuleBasedStateMachine):
    """Poll whenever due, as the link does, while the peer is as talkative as hypothesis likes."""

    @initialize(interval=st.floats(1, 100), timeout=st.floats(0.1, 50))
    def open(self, interval: float, timeout: float) -> None:
        self.now = 0.0
        self.interval, self.timeout = interval, timeout
        self.reopen()

    def reopen(self) -> None:
        self.heartbeat = Heartbeat(self.interval, self.timeout, self.now)
        self.wake = self.heartbeat.wake_at(self.now)
        self.last_inbound = self.now
        self.unanswered = self.lost = False

    def poll_until(self, then: float) -> None:
        """Sleep and poll as the link does: frames that come meanwhile do not change when it wakes."""
        while self.wake <= then:
            self.now = self.wake
            beat = self.heartbeat.poll(self.now)
            if beat is Beat.LOST:
                assert self.unanswered, "a link that answers is not lost"
                self.lost = True
                return
            self.unanswered = self.unanswered or beat is Beat.SEND
            self.wake = self.heartbeat.wake_at(self.now)
            assert self.wake > self.now, "polling again at once would be a hot loop"
        self.now = then

    @rule(seconds=st.floats(0.01, 200))
    def silence(self, seconds: float) -> None:
        self.poll_until(self.now + seconds)
        if self.lost:
            self.reopen()

    @rule(seconds=st.floats(0.01, 200))
    def frame_after(self, seconds: float) -> None:
        self.poll_until(self.now + seconds)
        if self.lost:
            self.reopen()
        else:
            self.heartbeat.last_inbound = self.last_inbound = self.now
            self.unanswered = False

    @invariant()
    def silence_is_noticed_in_time(self) -> None:
        if hasattr(self, "heartbeat"):
            # An answer delays the next question until the old deadline was polled, hence the second time-out.
            assert self.now - self.last_inbound <= self.interval + 2 * self.timeout + 1e-6


TestHeartbeatHistory = HeartbeatHistory.TestCase
TestHeartbeatHistory.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.parametrize(("wall", "expected"), [(110.0, 0.0), (111.9, 0.0), (112.0, 2.0), (3710.0, 3600.0)])
def test_a_wall_clock_that_ran_ahead_is_a_suspend(wall: float, expected: float) -> None:
    assert ClockWatch(0.0, 100.0).jumped(10.0, wall) == pytest.approx(expected)


def test_a_suspend_is_told_once() -> None:
    watch = ClockWatch(0.0, 0.0)
    assert watch.jumped(10.0, 1010.0) == 1000.0
    assert watch.jumped(20.0, 1020.0) == 0.0


def test_a_wall_clock_set_back_is_no_suspend_and_hides_none() -> None:
    watch = ClockWatch(0.0, 1000.0)
    assert watch.jumped(10.0, 10.0) == 0.0
    assert watch.jumped(20.0, 620.0) == 600.0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-0.01, 0.01)), max_size=50))
def test_drift_is_never_a_suspend(steps: list[tuple[float, float]]) -> None:
    watch, monotonic, wall = ClockWatch(0.0, 0.0), 0.0, 0.0
    for seconds, drift in steps:
        monotonic += seconds
        wall += seconds + drift
        assert watch.jumped(monotonic, wall) == 0.0
