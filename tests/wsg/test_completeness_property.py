"""Whatever is lost, in whatever order things go wrong, lies in a gap that is told, and no gap is larger than need be.

The same rules as in test_completeness.py, for lives that hypothesis makes up. Pure, in virtual time.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rcex_ws.wsg.completeness import MARGIN
from tests.wsg.completeness_life import QUEUE, Life
from tests.wsg.completeness_world import World

seconds = st.sampled_from([0.01, 0.06, 0.5, 2.0, 7.0, 40.0, 400.0])
delays = st.sampled_from([0.0, 0.5, 3.0, MARGIN - 0.01])
notice_after = st.sampled_from([0.01, 1.0, 20.0, 400.0])

#: What happens on a connection, or while there is none; what cannot happen then is left out.
steps = st.one_of(
    st.tuples(st.just("events"), st.integers(1, 5), delays, st.booleans()),
    st.tuples(st.just("events"), st.integers(1, 5), delays, st.booleans()),
    st.tuples(st.just("wait"), seconds),
    st.just(("ask",)),
    st.just(("stop taking",)),
    st.tuples(st.just("take"), st.integers(1, QUEUE)),
    st.just(("take all",)),
)


class AnyLife(RuleBasedStateMachine):
    """Everything that can happen."""

    @initialize(
        offset=st.sampled_from([0.0, -7_200.5, 40.25]),
        drift=st.sampled_from([0.0, 50e-6, -50e-6]),
        interval=st.sampled_from([30.0, 7.0, 1e9]),
        stamps=st.sampled_from(["all", "all", "some", "none"]),
    )
    def begin(self, offset, drift, interval, stamps):
        self.life = Life(World(offset, drift), interval, stamps)

    @property
    def world(self):
        return self.life.world

    @property
    def client(self):
        return self.life.client

    @rule(steps=st.lists(steps, min_size=1, max_size=6))
    def time_passes(self, steps):
        for kind, *what in steps:
            self.life.do(kind, *what)

    @precondition(lambda self: self.life.connection is not None)
    @rule(down=st.sampled_from([0.05, 0.05, 1.0, 60.0, 300.0]), up=st.sampled_from([0.05, 0.05, 5.0]))
    def the_link_changes(self, down, up):
        self.world.down, self.world.up = down, up

    @precondition(lambda self: self.life.sound)
    @rule(notice_after=notice_after, steps=st.lists(steps, max_size=3), seconds=seconds)
    def cut(self, notice_after, steps, seconds):
        """The client notices some time later than it happens."""
        self.world.cut(self.life.connection, notice_after)
        for kind, *what in steps:
            self.life.do(kind, *what)
        self.client.lose(self.life.connection, announced=False)
        self.world.run(seconds)

    @precondition(lambda self: self.life.sound and self.life.connection is self.world.connection)
    @rule(seconds=seconds)
    def announce(self, seconds):
        self.world.announce(self.client, self.life.connection)
        self.world.run(seconds)

    @precondition(lambda self: self.life.can_end)
    @rule(notice_after=notice_after, seconds=seconds)
    def kill(self, notice_after, seconds):
        self.life.kill(notice_after)
        self.world.run(seconds)

    @precondition(lambda self: self.life.orderly)
    @rule(seconds=seconds)
    def detach(self, seconds):
        self.life.detach()
        self.world.run(seconds)

    @precondition(lambda self: self.life.connection is None)
    @rule(
        ahead=st.sampled_from([0.0, -5e5, 1e6]),
        date=st.booleans(),
        kept=st.sampled_from([True, True, True, True, False]),
        slow=delays,
        seconds=seconds,
    )
    def connect(self, ahead, date, kept, slow, seconds):
        if self.client is None:
            self.life.start(ahead)
        if date:
            self.client.read_date(self.world.up, self.world.up)
        if not kept and self.world.connection is None:
            self.world.kept = False
        # One without a stamp between others that have some is not known to be replayed, if it comes late.
        self.client.connect(0.0 if self.life.stamps == "some" else slow)
        self.world.run(seconds)

    @precondition(lambda self: self.life.subscribed)
    @rule(forgotten=st.booleans(), steps=st.lists(steps, max_size=3))
    def refresh(self, forgotten, steps):
        """Renew the subscription, which the server may have forgotten some time ago."""
        if forgotten:
            self.world.subscribed = False
        for kind, *what in steps:
            self.life.do(kind, *what)
        if self.life.subscribed:
            self.client.ask("PUT")

    @precondition(lambda self: self.life.quiet)
    @rule(by=st.sampled_from([1.0, 30.0, 3_600.0]), number=st.integers(0, 3))
    def the_server_sets_its_clock_forward(self, by, number):
        self.life.set_clock(by)
        self.life.make(number, 0.0)

    @precondition(lambda self: self.life.quiet and self.life.shows_steps_back)
    @rule(by=st.sampled_from([1.0, 3_600.0]), number=st.integers(0, 3))
    def the_server_sets_its_clock_back(self, by, number):
        self.life.set_clock(-by)
        self.life.make(number, 0.0)
        if by < MARGIN:
            self.world.run(by)  # the readings may not show it, so that the gap ends now

    def teardown(self):
        if hasattr(self, "life"):
            self.life.end()
            assert self.life.untold == []
            assert self.life.uncertain == []


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


class OrderlyLife(RuleBasedStateMachine):
    """Connections and processes that end in good order, and not before the replay is over."""

    @initialize(offset=st.sampled_from([0.0, -7_200.5]), drift=st.sampled_from([0.0, 50e-6, -50e-6]))
    def begin(self, offset, drift):
        self.life = Life(World(offset, drift, buffer_size=1_000))

    @property
    def ready(self):
        life = self.life
        return life.talking and life.client.outage is None and not life.client.account.replaying

    @rule(number=st.integers(1, 6), delay=delays, stamped=st.booleans(), seconds=seconds)
    def events(self, number, delay, stamped, seconds):
        self.life.make(number, delay, stamped=stamped)
        self.life.world.run(seconds)

    @rule(down=st.sampled_from([0.05, 0.05, 1.0, 60.0]), up=st.sampled_from([0.05, 0.05, 5.0]))
    def the_link_changes(self, down, up):
        self.life.world.down, self.life.world.up = down, up

    @precondition(lambda self: self.ready and self.life.connection is self.life.world.connection)
    @rule(seconds=seconds)
    def announce(self, seconds):
        self.life.world.announce(self.life.client, self.life.connection)
        self.life.world.run(seconds)

    @precondition(lambda self: self.ready)
    @rule(seconds=seconds)
    def detach(self, seconds):
        self.life.detach()
        self.life.world.run(seconds)

    @precondition(lambda self: self.life.connection is None)
    @rule(ahead=st.sampled_from([0.0, -5e5, 1e6]), slow=delays, seconds=seconds)
    def connect(self, ahead, slow, seconds):
        if self.life.client is None:
            self.life.start(ahead)
        self.life.client.connect(slow)
        self.life.world.run(seconds)

    def teardown(self):
        if hasattr(self, "life"):
            self.life.end()
            assert self.life.untold == []
            assert self.life.told == []
            assert self.life.handed == {event.number for event in self.life.world.events}


TestOrderlyLife = OrderlyLife.TestCase
TestOrderlyLife.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
