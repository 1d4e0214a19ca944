"""The server's time is always within the bounds that its clock gives, whatever the clocks do. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rcex_ws.wsg.server_clock import ServerClock

EPOCH = 1_700_000_000.0

#: Allows for what a float loses of a time since 1970, in seconds.
ROUNDING = 1e-5


#: How old the time may be, in seconds, that a server writes as Date: it is renewed once a second.
LAGS = st.sampled_from([0.0, 0.99])


class Clocks(RuleBasedStateMachine):
    """Two clocks that drift; the server's is set now and then, the loop's may stand still; some readings."""

    @initialize(
        ahead=st.floats(-10_000, 10_000),
        drift=st.floats(-50e-6, 50e-6),
        wrong=st.floats(-10_000, 10_000),
        began=st.sampled_from([0.0, 1_000.0, 5e6]),
    )
    def begin(self, ahead, drift, wrong, began):
        self.now = began
        self.offset = EPOCH + ahead - began
        self.drift, self.began = drift, began
        self.clock = ServerClock(EPOCH + wrong, began)
        self.readings = 0
        self.uncertain = 0.0  # of the last reading, and what was said to be uncertain since
        self.read_at = began
        self.set_since = True  # since the last reading that counts, or never read
        self.set_last = False  # since the last reading
        self.moments = []  # since then: the loop's time and the server's

    def server(self):
        return self.offset + self.now + self.drift * (self.now - self.began)

    def pass_time(self, seconds):
        self.moments.append((self.now, self.server()))
        self.now += seconds

    @rule(seconds=st.one_of(st.floats(0, 5), st.floats(0, 100_000)))
    def wait(self, seconds):
        self.pass_time(seconds)

    @rule(
        there=st.floats(0, 2),
        back=st.floats(0, 2),
        slow=st.sampled_from([1, 1, 1, 100]),
        resolution=st.sampled_from([0.0, 0.001, 1.0]),
    )
    def read(self, there, back, slow, resolution):
        self.take(there * slow, back * slow, resolution)

    @rule(there=st.floats(0, 2), back=st.floats(0, 2), slow=st.sampled_from([1, 1, 1, 100]), lag=LAGS)
    def read_a_date(self, there, back, slow, lag):
        """Of an answer, at any time."""
        self.take(there * slow, back * slow, 1.0, date=True, lag=lag)

    @rule(there=st.floats(0, 2), back=st.floats(0, 2), resolution=st.sampled_from([0.0, 0.001]), lag=LAGS)
    def connect(self, there, back, resolution, lag):
        """Read two times, one after the other."""
        self.take(there, back, 1.0, date=True, lag=lag)
        self.take(there, back, resolution, narrows=True)

    def take(self, there, back, resolution, *, date=False, narrows=False, lag=0.0):
        self.moments.clear()
        asked_at, before = self.now, self.read_at
        self.pass_time(there)
        written = self.server()
        if resolution:
            written = (written - lag) // resolution * resolution
        self.pass_time(back)
        if date:
            assert self.clock.read_date(
                format_datetime(datetime.fromtimestamp(written, UTC)), asked_at=asked_at, got_at=self.now
            )
            narrows = self.now - before <= 10
        else:
            self.clock.read(written, asked_at=asked_at, got_at=self.now, resolution=resolution, narrows=narrows)
        # What a reading shows of a clock that was set between it and the one before it narrows is for the next to say.
        self.set_since = self.set_last and narrows and self.readings > 0
        self.set_last = False
        self.readings += 1
        self.uncertain = 1.001 * (self.now - asked_at) + (2.0 if date else resolution)
        self.read_at = self.now

    @rule(by=st.one_of(st.floats(-3, 3), st.sampled_from([-3600.0, -30.0, 30.0, 3600.0])))
    def the_server_sets_its_clock(self, by):
        self.offset += by
        self.set_since = self.set_last = True
        self.moments.clear()

    @precondition(lambda self: self.readings)
    @rule(seconds=st.floats(2, 30_000), really=st.booleans())
    def the_wall_clock_jumps(self, seconds, really):
        """Either the loop's clock stood still, or somebody has set the wall clock: nobody knows."""
        self.moments.clear()
        if really:
            self.offset += seconds
        self.clock.widen(seconds)
        self.uncertain += seconds

    @invariant()
    def the_time_is_within_the_bounds(self):
        if not getattr(self, "readings", 0) or self.set_since:
            return
        for now, server in (*self.moments, (self.now, self.server())):
            moment = self.clock.at(now)
            assert moment.earliest - ROUNDING <= server <= moment.latest + ROUNDING

    @invariant()
    def the_bounds_are_as_close_as_the_last_reading(self):
        if not getattr(self, "readings", 0):
            return
        moment = self.clock.at(self.now)
        assert moment.latest - moment.earliest <= self.uncertain + 2e-4 * (self.now - self.read_at) + ROUNDING


TestClocks = Clocks.TestCase
TestClocks.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def test_until_it_is_read_the_server_has_our_time():
    clock = ServerClock(EPOCH, 100.0)
    assert clock.at(103.0).earliest == clock.at(103.0).latest == EPOCH + 3


def test_a_clock_that_was_set_a_little_is_not_mixed_with_what_it_said_before():
    clock = ServerClock(EPOCH, 0.0)
    clock.read(EPOCH, asked_at=0.0, got_at=0.0, resolution=1.0)  # it is between 0 and 1 s ahead of the loop's
    clock.read(EPOCH + 10.9, asked_at=9.9, got_at=10.0)  # between 0.9 and 1.0 s: but it was set meanwhile
    moment = clock.at(10.0)
    assert moment.latest >= EPOCH + 10.95


def test_what_our_own_clock_says_is_no_reading():
    clock = ServerClock(EPOCH + 0.25, 0.0)
    assert clock.read_date(format_datetime(datetime.fromtimestamp(EPOCH, UTC)), asked_at=0.0, got_at=0.0)
    assert clock.at(0.0).earliest == EPOCH
    assert clock.at(0.0).latest == EPOCH + 2


def test_a_header_that_is_no_date_is_no_reading():
    clock = ServerClock(EPOCH, 0.0)
    for date in (None, "", "yesterday", "Thu, 01 Jan 99999 00:00:00 GMT"):
        assert not clock.read_date(date, asked_at=0.0, got_at=0.0)
    assert clock.at(0.0).earliest == clock.at(0.0).latest == EPOCH


def test_the_bounds_grow_as_clocks_drift():
    clock = ServerClock(EPOCH, 0.0)
    clock.read(EPOCH, asked_at=0.0, got_at=0.0)
    for now in (10_000.0, -10_000.0):
        moment = clock.at(now)
        assert moment.earliest <= EPOCH + now - 0.5
        assert moment.latest >= EPOCH + now + 0.5
