"""Whatever is lost, in whatever order things go wrong, lies in a gap that is told, and no gap is larger than need be.

Pure: a model of the server with its clock, of the link and of the processes of one application, in virtual time.
`Client` shows which methods of the account its owner calls when; `Client.conclude` says which loss leaves which gap.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rcex_ws.wsg.completeness import MARGIN, Completeness, Loss
from rcex_ws.wsg.server_clock import ServerClock
from rcex_ws.wsg.stored import StoredLoss

EPOCH = 1_700_000_000.0
BUFFER = 4  #: most notifications that the server buffers
QUEUE = 3  #: most that wait for the consumer

#: Allows for clocks that drift and for times in milliseconds, in seconds.
ROUNDING = 0.02


def to_milliseconds(moment):
    return math.floor(moment * 1000) / 1000


def written(moment):
    """Write a time as the server does."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Event:
    """Something that happened, and of which the application is to hear.

    Attributes:
        made: the server's time.
        owed: whether the application had subscribed.
        stamped: whether the notification says when it was made.
    """

    number: int
    made: float
    owed: bool
    stamped: bool

    @property
    def timestamp(self):
        return written(self.made) if self.stamped else None


@dataclass
class Question:
    """A heartbeat or a subscription call, with what the test knows of it."""

    kind: str
    asked_at: float  # the loop's time
    server_time: float


@dataclass
class Connection:
    """Both directions of one connection; what is on its way is lost when it is cut.

    The last attributes are the test's own account: what has been proven on it, in the server's time.
    """

    asked_at: float
    cut: bool = False
    greeted: bool = False
    last_down: float = 0.0
    last_up: float = 0.0
    takes_at: float = 0.0  # when the server begins to take questions
    recovered: bool = False
    created: float = -math.inf
    replay_over: bool = False
    asked: float = -math.inf
    live: float = -math.inf


class World:
    """The time, the link and the server: one session with one subscription."""

    def __init__(self, offset=0.0, drift=0.0, buffer_size=BUFFER):
        self.now = 0.0
        self.buffer_size = buffer_size
        self.owed = False  # the application has subscribed
        self.events = []
        self.down = self.up = 0.05  # seconds that the link takes each way
        self.connection = None  # as the server sees it
        self.subscribed = False  # is this session
        self.kept = False  # the session can be recovered
        self.buffer = []
        self.set_by = 0.0  # what the clock was set by, all in all
        self.unframed = 0
        self._offset, self._drift = offset, drift
        self._todo = []
        self._turns = count()

    # -- time --------------------------------------------------------------------------------------------------

    @property
    def time(self):
        """What the server's clock shows."""
        return EPOCH + self._offset + self.set_by + self.now * (1 + self._drift)

    def at(self, moment, do, *args):
        heapq.heappush(self._todo, (moment, next(self._turns), do, args))

    def run(self, seconds):
        until = self.now + seconds
        while self._todo and self._todo[0][0] <= until:
            self.now, _, do, args = heapq.heappop(self._todo)
            do(*args)
        self.now = until

    # -- the link ----------------------------------------------------------------------------------------------

    def to_client(self, client, connection, *frame):
        connection.last_down = max(connection.last_down, self.now + self.down)
        self.at(connection.last_down, self._arrive, connection, client.received, connection, *frame)

    def to_server(self, client, connection, question):
        connection.last_up = max(connection.last_up, connection.takes_at, self.now + self.up)
        self.at(connection.last_up, self._arrive, connection, self.take, client, connection, question)

    def _arrive(self, connection, do, *args):
        if not connection.cut:
            do(*args)

    def cut(self, connection, notice_after):
        """Lose what is on its way, in both directions; the server notices later."""
        connection.cut = True
        self.at(self.now + notice_after, self.notice, connection)

    # -- the server --------------------------------------------------------------------------------------------

    def make(self, delay, stamped):
        event = Event(len(self.events), to_milliseconds(self.time), self.owed, stamped)
        self.events.append(event)
        self.unframed += 1
        self.at(self.now + delay, self.frame, event)

    def frame(self, event):
        self.unframed -= 1
        if not self.subscribed:
            return
        if self.connection is not None:
            self.to_client(self.client, self.connection, "event", event)
            return
        self.buffer = [*self.buffer, event][-self.buffer_size :]

    def replay(self, client, connection, event):
        if self.connection is connection:
            self.to_client(client, connection, "event", event)

    def notice(self, connection):
        if self.connection is connection:
            self.connection = None

    def accept(self, client, connection, offered, slow):
        """Take a connection; what the old one had not delivered is not sent again.

        Args:
            client, connection: from whom.
            offered: whether a session is to be recovered.
            slow: seconds to replay what was buffered: live notifications may come in between, answers do not.
        """
        self.client, self.connection = client, connection
        connection.recovered = offered and self.kept and self.subscribed
        created = to_milliseconds(self.time)
        if connection.recovered:
            self.to_client(client, connection, "details", "Successful", created)
            for number, event in enumerate(self.buffer, 1):
                self.at(self.now + number / len(self.buffer) * slow, self.replay, client, connection, event)
            connection.takes_at = self.now + slow
        else:
            gone = offered and not self.subscribed
            self.subscribed, self.kept = False, True
            self.to_client(client, connection, "details", "gone" if gone else "Failed", created)
        self.buffer = []

    def take(self, client, connection, question):
        if question.kind == "POST":
            self.subscribed = True
        answer = 404 if question.kind == "PUT" and not self.subscribed else 200
        self.to_client(client, connection, "answer", question, answer)

    def announce(self, client, connection):
        """Close: all that was written before still arrives, and what comes after is buffered."""
        self.to_client(client, connection, "close")
        self.notice(connection)


@dataclass
class Stored:
    """What survives a process."""

    unfinished: StoredLoss
    clean: bool
    uuids: list
    gone: StoredLoss | None
    refused: bool
    low: float  # the test's: `unfinished` should not be older


@dataclass
class Told:
    """A gap, and why it was told."""

    gap: object
    why: str


@dataclass
class Outage:
    """What the owner of the account knows of a loss, beside what the account keeps."""

    announced: bool
    replay_cut: bool
    resumed: bool = False
    clean: bool = False
    refused: str = ""


@dataclass
class Client:
    """One process of the application: calls the account as its owner has to."""

    world: World
    ahead: float  # of its loop's clock over the true time
    interval: float  # of heartbeats
    told: list
    handed: set  # the numbers of the events that the application got
    dropped: list  # by this side
    account: Completeness = field(init=False)

    def __post_init__(self):
        self.account = Completeness(ServerClock(EPOCH - 12_345.6, self.now))
        self.connection = None
        self.heard_at = self.now
        self.outage = None
        self.gone, self.gone_low = None, -math.inf
        self.calling = False  # one call at a time
        self.clock_is_set = False
        self.seen, self.queue = [], []
        self.overflowing = False
        self.stored = None
        self.alive, self.dirty, self.stored_at = True, False, -math.inf
        self.taking = True  # the consumer takes what comes
        # The test's own account.
        self.low = -math.inf  # the next gap should not begin earlier
        self.left = -math.inf  # the server's time of the last frame before the outage
        self.set_by = self.least_set_by = self.most_set_by = self.world.set_by  # the clock, at that time, and since
        self.set_back = False  # at any time since then
        self.ever_set_by = self.world.set_by
        self.served = -math.inf
        self.width = self.widest = 0.0  # of the newest reading, and of the widest one so far
        self.read_at = self.now

    @property
    def now(self):
        return self.world.now + self.ahead

    @property
    def moment(self):
        return self.account.clock.at(self.now)

    @property
    def open(self):
        return self.uncertain() + ROUNDING

    def uncertain(self):
        """How far the readings leave the server's time open."""
        return self.width + 2e-4 * (self.now - self.read_at)

    # -- connecting --------------------------------------------------------------------------------------------

    def read(self, server_time, asked_at, resolution):
        self.account.clock.read(server_time, asked_at=asked_at, got_at=self.now, resolution=resolution)
        self.width = 1.001 * (self.now - asked_at) + resolution
        self.widest = max(self.widest, self.width)
        self.read_at = self.now

    def read_date(self, there, back):
        asked_at = self.now
        self.world.run(there)
        date = math.floor(self.world.time)
        self.world.run(back)
        self.read(date, asked_at, 1.0)

    def connect(self, slow=0.0):
        self.connection = connection = Connection(self.now)
        self.world.run(self.world.up)
        self.world.accept(self, connection, self.outage is not None and not self.outage.refused, slow)

    def lose(self, connection, *, announced):
        """Hear that the connection is lost."""
        if connection is not self.connection:
            return
        self.connection, self.calling = None, False
        if not connection.greeted:
            if self.outage is not None:
                self.outage.replay_cut = True  # the server may have begun to replay
            return
        account = self.account
        replaying = account.replaying
        if self.outage is None:
            self.outage = Outage(announced, replaying)
            if not (connection.recovered and not connection.replay_over):
                self.low = max(connection.asked, connection.live) - MARGIN
            self.left, self.left_at = self.heard_true, self.heard_at
            self.set_by = self.least_set_by = self.most_set_by = self.world.set_by
            self.set_back = False
        self.served = max(self.served, connection.live)
        account.lost(self.heard_at)

    def beat(self, connection):
        """Ask in regular intervals, to hear that the connection lives."""
        if connection is self.connection:
            self.ask()
            self.world.at(self.world.now + self.interval, self.beat, connection)

    def ask(self, kind="heartbeat"):
        question = Question(kind, self.now, self.world.time)
        if kind != "heartbeat":
            self.calling = True
            self.store()
        self.world.to_server(self, self.connection, question)

    # -- what comes --------------------------------------------------------------------------------------------

    def received(self, connection, kind, *what):
        if connection is not self.connection:
            return
        self.heard_at, self.heard_true = self.now, self.world.time
        getattr(self, f"on_{kind}")(connection, *what)
        if not self.dirty:
            self.dirty = True
            self.world.at(max(self.world.now, self.stored_at + 1.0), self.store_if_dirty)

    def store_if_dirty(self):
        """Store at most once a second."""
        if self.dirty and self.alive:
            self.store()

    def on_details(self, connection, state, created):
        self.read(created, connection.asked_at, 0.001)
        connection.greeted = True
        self.world.at(self.world.now + self.interval, self.beat, connection)
        self.clock_is_set = False
        outage = self.outage
        if state == "Successful" and outage is not None and not outage.refused:
            loss = self.account.recovered(self.now, created=created, buffer_size=self.world.buffer_size)
            connection.created = created
            self.served = created
            self.conclude(loss, self.moment)
            self.store()
            self.ask()  # its answer shows that the replay is over
            if self.gone is not None:
                self.ask("POST")
        else:
            self.account.connected(self.now)
            if outage is not None:
                outage.refused = outage.refused or state
                if state == "gone":  # it may have been so before the outage, while questions were still answered
                    self.gone = Loss(self.account.last_served(self.heard_at), certain=True)
                    self.gone_low = -math.inf
                if self.gone is not None:
                    self.account.include(self.gone)
                    self.low, self.gone = min(self.low, self.gone_low), None
            connection.recovered = False
            self.ask("POST")

    def on_answer(self, connection, question, status):
        self.account.answered(question.asked_at)
        connection.replay_over = True
        proof = question.server_time - self.uncertain() - ROUNDING
        connection.asked = max(connection.asked, proof)
        self.calling = self.calling and question.kind == "heartbeat"
        if question.kind == "PUT" and status == 404:
            if self.gone is None:
                self.gone = Loss(self.account.last_served(self.heard_at), certain=True)
                self.gone_low = max(self.served, connection.live) - MARGIN - ROUNDING
                assert self.gone.since >= self.gone_low
            self.ask("POST")
        elif question.kind != "heartbeat":
            self.account.served(self.account.clock.at(question.asked_at))
            self.served = proof
            if self.outage is not None:
                self.conclude(self.account.began_anew(self.now), self.moment)
            if self.gone is not None:
                self.tell(self.gone.until(self.moment), "the subscription was gone", self.gone_low)
                self.gone = None
            self.world.owed = True
            self.store()

    def on_event(self, connection, event):
        replayed = self.account.took(event.timestamp)
        if replayed is not None and replayed.gap is not None:
            self.tell(replayed.gap, "the buffer was full", self.low)
        after = connection.created + MARGIN if connection.recovered and not connection.replay_over else -math.inf
        if event.stamped and event.made > after:
            connection.live = event.made
        if event.number in self.seen:
            return
        self.seen.append(event.number)
        self.queue.append((event, event.made if event.stamped else self.account.proven(self.now)))
        if self.taking:
            self.consume()
        if len(self.queue) > QUEUE:
            dropped, made = self.queue.pop(0)
            self.dropped.append(dropped)
            self.account.dropped(id(self), made, stamped=dropped.stamped)
            if not self.overflowing:
                self.overflowing = True
                self.store()

    def on_close(self, connection):
        self.lose(connection, announced=True)

    def consume(self, number=None):
        self.handed.update(event.number for event, _ in self.queue[:number])
        del self.queue[:number]
        if self.overflowing and not self.queue:
            self.overflowing = False
            gap = self.account.overflow_over(id(self), self.now, "too slow")
            self.tell(gap, "this side dropped some", -math.inf, self.ever_set_by - self.world.set_by)

    # -- what is told ------------------------------------------------------------------------------------------

    def conclude(self, loss, moment):
        """End the outage; tell the gap that it leaves."""
        outage, self.outage = self.outage, None
        self.low = self.low_by_new_clock()
        set_back = self.most_set_by - self.world.set_by
        if outage.refused:
            why, certain = "the session is lost", True
        elif loss.certain:
            why, certain = "the last process had dropped some", True
        elif not (outage.clean if outage.resumed else outage.announced) or outage.replay_cut:
            why, certain = "lost without a word", False
        else:
            return
        self.tell(replace(loss, certain=certain, reason=why).until(moment), why, self.low, set_back)

    def low_by_new_clock(self):
        """Allow for a clock that was set back since the loss."""
        if self.least_set_by == self.set_by:
            return self.low
        uncertain = self.widest + 2e-4 * (self.now - self.left_at)
        return min(self.low, self.left - (self.set_by - self.least_set_by) - uncertain)

    def tell(self, gap, why, low, set_back=0.0):
        since = -math.inf if gap.since is None else gap.since.timestamp()
        until = gap.until.timestamp()
        assert since >= low - ROUNDING, f"the gap begins {low - since} s too early: {why}"
        assert until >= since
        assert until <= self.world.time + self.open + (set_back and set_back + self.widest), why
        self.told.append(Told(gap, why))

    # -- what survives -----------------------------------------------------------------------------------------

    def store(self, *, clean=False):
        """Write down what the next process needs."""
        self.dirty, self.stored_at = False, self.world.now
        refused = self.outage is not None and self.outage.refused != ""
        oldest = min((made for _, made in self.queue), default=math.inf)
        unfinished = self.account.unfinished(self.heard_at, oldest, gone=refused)
        waiting = {event.number for event, _ in self.queue}
        connection, low = self.connection, self.low_by_new_clock()
        if self.outage is None and connection is not None and not (connection.recovered and not connection.replay_over):
            low = max(connection.asked, connection.live) - MARGIN
        low = -math.inf if self.overflowing else min(low, oldest)
        assert unfinished.since >= low - ROUNDING
        self.stored = Stored(
            unfinished.to_store(),
            clean,
            [number for number in self.seen if number not in waiting],
            None if self.gone is None else self.gone.to_store(),
            refused,
            low,
        )

    def resume(self, stored):
        self.stored = stored
        self.account.resume(Loss.from_store(stored.unfinished))
        self.seen = list(stored.uuids)
        self.gone = None if stored.gone is None else Loss.from_store(stored.gone)
        self.outage = Outage(announced=False, replay_cut=False, resumed=True, clean=stored.clean)
        if stored.refused:
            self.outage.refused = "Failed"
        self.low = stored.low
        self.store()  # or a process that is killed after the replay leaves the mark of a clean end behind


class Life:
    """Processes of one application, one after another, and what they were told."""

    def __init__(self, world, interval=30.0, stamps="all"):
        self.world, self.interval = world, interval
        self.stamps = stamps  # of which notifications it is told when they were made
        self.told, self.handed, self.dropped = [], set(), []
        self.client = self.new_client(0.0)
        self.client.connect()
        world.run(1)
        assert self.world.owed

    @property
    def connection(self):
        return None if self.client is None else self.client.connection

    @property
    def talking(self):
        """Whether the client has a connection, for all it knows."""
        return self.connection is not None and self.connection.greeted

    @property
    def sound(self):
        """Whether there is a connection that is not cut."""
        return self.connection is not None and not self.connection.cut

    @property
    def orderly(self):
        """Whether the process can end in good order."""
        return self.can_end and (self.connection is None or (self.sound and self.talking))

    @property
    def can_end(self):
        """Whether the process can end: not after the clock was set back, which only it can notice."""
        client = self.client
        return client is not None and (client.outage is None or not client.set_back)

    @property
    def subscribed(self):
        """Whether the client has a subscription, for all it knows, and no call about it is under way."""
        client = self.client
        return self.talking and client.outage is client.gone is None and not client.calling

    @property
    def quiet(self):
        """Whether the clock can be set: between two connections, once, and not between an event and its frame."""
        client, world = self.client, self.world
        between = client is not None and client.connection is world.connection is None
        return between and not client.clock_is_set and not world.unframed

    @property
    def shows_steps_back(self):
        """Whether a clock that is set back can be noticed, and nothing is under way that has a time still to come.

        The next process cannot notice it: nothing tells it how long the last one has been dead.
        """
        client, world = self.client, self.world
        ours = client.outage is not None and not client.outage.resumed
        return ours and not (client.gone or client.queue or client.overflowing or world.buffer)

    def make(self, number, delay, *, stamped=True):
        for _ in range(number):
            self.world.make(delay, stamped)
            self.world.run(0.01)

    def do(self, kind, *what):
        """Make one step, if it can be."""
        if kind == "events":
            number, delay, some = what
            self.make(number, delay, stamped=self.stamps == "all" or (self.stamps == "some" and some))
        elif kind == "wait":
            self.world.run(*what)
        elif self.client is None:
            return
        elif kind == "ask":
            if self.talking:
                self.client.ask()
        elif kind == "stop taking":
            self.client.taking = False
        else:
            self.client.consume(*what)
            self.client.taking = kind == "take all"

    def cut(self, notice_after):
        self.world.cut(self.connection, notice_after)
        self.client.lose(self.connection, announced=False)

    def set_clock(self, by):
        self.world.set_by += by
        self.client.set_back = self.client.set_back or by < 0
        self.client.least_set_by = min(self.client.least_set_by, self.world.set_by)
        self.client.most_set_by = max(self.client.most_set_by, self.world.set_by)
        self.client.ever_set_by = max(self.client.ever_set_by, self.world.set_by)
        self.client.clock_is_set = True

    def kill(self, notice_after=1.0):
        if self.connection is not None:
            self.world.cut(self.connection, notice_after)
        self.stored, self.client.alive, self.client = self.client.stored, False, None

    def detach(self):
        """End in good order: the server says the last word, and all that came is delivered."""
        client, connection = self.client, self.connection
        if connection is not None:
            self.world.announce(client, connection)
            self.world.run(max(connection.last_down - self.world.now, 0.0))
        client.consume()
        outage = client.outage
        client.store(clean=not outage.replay_cut and (outage.clean if outage.resumed else outage.announced))
        self.stored, client.alive, self.client = client.stored, False, None

    def start(self, ahead=0.0):
        self.client = self.new_client(ahead)
        self.client.resume(self.stored)

    def new_client(self, ahead):
        return Client(self.world, ahead, self.interval, self.told, self.handed, self.dropped)

    def end(self):
        """Let all come that can still come."""
        world = self.world
        world.down = world.up = 0.05
        if self.client is None:
            self.start()
        client = self.client
        client.taking = True
        client.consume()
        for _ in range(3):
            world.run(700)
            if self.connection is not None and self.connection.cut:
                client.lose(self.connection, announced=False)
            if self.connection is None:
                client.connect()
        world.run(10)
        client.ask("PUT")
        world.run(700)
        assert self.talking
        assert client.outage is client.gone is None

    @property
    def untold(self):
        """The events that the application was to hear of, and of which nobody told it anything."""
        missing = [event for event in self.world.events if event.owed and event.number not in self.handed]
        return [event for event in missing if not any(covers(told.gap, event.made) for told in self.told)]

    @property
    def uncertain(self):
        """The events that this side has dropped, as it must know, without a certain gap."""
        certain = [told.gap for told in self.told if told.gap.certain]
        return [event for event in self.dropped if not any(covers(gap, event.made) for gap in certain)]


def covers(gap, moment):
    return (gap.since is None or gap.since.timestamp() <= moment) and moment <= gap.until.timestamp()


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


@pytest.fixture
def life():
    """One whose process is connected and subscribed, on a quick link, and asks every 30 s."""
    return Life(World())


def lose(life, number=1, *, delay=0.0):
    """Make something whose notifications are on their way when the connection is cut."""
    life.make(number, delay)
    life.world.run(delay)
    life.cut(1.0)


def end(life):
    """Let all come that can still come; give the gaps."""
    life.end()
    assert life.untold == []
    assert life.uncertain == []
    return [told.gap for told in life.told]


def since(life, gap):
    """How long the gap is before the first event."""
    return life.world.events[0].made - gap.since.timestamp()


def test_what_was_on_its_way_when_the_connection_was_cut_may_be_missing(life):
    lose(life, 2)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_what_was_made_until_the_server_saw_the_new_connection_may_be_missing(life):
    life.world.run(100)
    life.cut(20.0)
    life.world.up = 5.0  # so long it takes to connect
    life.world.at(life.world.now + 4.9, life.make, 1, 0.0)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_a_session_that_is_lost_is_a_certain_gap(life):
    life.cut(1.0)
    life.world.kept = False
    life.make(1, 0.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


@pytest.mark.parametrize("asked", [True, False])
def test_a_proof_says_nothing_of_what_was_made_a_moment_before(life, asked):
    """The server takes up to the margin from an event to its frame."""
    life.world.run(100)
    life.make(1, 4.9)  # its frame is the one that is lost
    life.world.run(4.8)
    if asked:
        life.client.ask()
    else:
        life.make(1, 0.0)
    life.world.run(0.1)
    life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert 0.0 <= since(life, gap) < 0.5


def test_a_proof_is_as_old_as_the_clock_may_be_wrong(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.up = 5.0
    life.client.connect()  # the clock is now known to 5 s
    life.world.run(20)
    life.world.up = 0.05
    life.make(1, 4.9)
    life.world.run(4.8)
    life.client.ask()
    life.world.run(0.1)
    life.cut(1.0)
    end(life)


@pytest.mark.parametrize("stamped", [True, False])
def test_what_this_side_drops_is_missing_for_certain(life, stamped):
    life.do("stop taking")
    life.make(QUEUE + 2, 0.0, stamped=stamped)
    life.world.run(40)
    life.do("take all")
    (gap,) = end(life)
    assert gap.certain


def test_l5_what_this_side_was_dropping_when_it_was_killed_is_missing_for_certain(life):
    life.do("stop taking")
    life.make(QUEUE + 2, 0.0)
    life.world.run(40)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert gap.certain


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("number", [BUFFER - 1, BUFFER, BUFFER + 2])
def test_l6_a_full_buffer_leaves_a_gap(life, number, stamped):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(number, 0.0, stamped=stamped)
    life.client.connect()
    assert [gap.certain for gap in end(life)] == ([False] if number >= BUFFER else [])


def test_l6_what_comes_live_between_does_not_hide_that_the_buffer_was_full(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(BUFFER + 2, 0.0)
    life.client.connect(slow=20.0)
    life.world.run(12)
    life.make(1, 0.0)
    (gap,) = end(life)
    assert not gap.certain


@pytest.mark.parametrize("live", [True, False])
def test_l7_a_replay_that_is_cut_is_as_old_as_the_loss_before_it(life, live):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(3, 0.0)
    life.world.run(100)
    life.client.connect(slow=20.0)
    life.world.run(12)
    life.make(int(live), 0.0)  # comes in between
    life.world.run(1)
    life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_a_replay_that_was_cut_is_over_with_its_session(life):
    life.world.announce(life.client, life.connection)
    life.world.run(100)
    life.client.connect(slow=20.0)
    life.world.run(1)
    life.cut(1.0)
    life.world.kept = False
    life.client.connect()
    life.world.run(100)
    lose(life)
    life.client.connect()
    _, gap = end(life)
    assert since(life, gap) < 40


def test_l8_a_link_that_is_minutes_behind(life):
    life.world.down = 300.0
    life.world.run(10)
    life.make(2, 0.0)
    life.world.run(300)  # only now what the server wrote at first is here
    life.make(1, 0.0)
    life.cut(1.0)
    life.client.connect()
    end(life)


def test_l9_what_was_not_delivered_when_the_process_was_killed_may_be_missing(life):
    life.do("stop taking")
    life.make(2, 0.0)
    life.world.run(100)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert since(life, gap) == 0.0


@pytest.mark.parametrize("served", ["by a call", "with a notification"])
@pytest.mark.parametrize("delay", [0.0, 4.9])
def test_a_subscription_that_is_gone_is_a_gap_from_when_it_was_last_served(life, served, delay):
    life.world.run(100)
    life.make(1, delay)
    life.world.run(2)
    if served == "by a call":
        life.client.ask("PUT")
    else:
        life.make(1, 0.0)
    life.world.run(0.1)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)  # questions are answered, and prove nothing
    life.client.ask("PUT")
    life.world.run(1)
    (gap,) = end(life)
    assert gap.certain
    assert since(life, gap) < MARGIN


def test_a_recovery_proves_that_there_was_a_subscription_then_and_not_when_it_was_heard_of(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.down = 60.0
    life.client.connect()
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(200)
    life.client.ask("PUT")
    end(life)


@pytest.mark.parametrize("restart", [False, True])
def test_a_session_that_had_no_subscription_had_none_for_some_time(life, restart):
    life.world.run(100)
    life.make(1, 0.0)
    life.world.run(1)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)
    if restart:
        life.kill()
        life.start()
    else:
        life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain
    assert gap.since is None if restart else since(life, gap) < MARGIN + 1  # nobody has stored when it was served


def test_a_subscription_that_was_gone_before_the_session_is_in_the_gap_of_the_session(life):
    life.world.run(100)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)
    life.client.ask("PUT")
    life.world.run(0.1)  # that it is gone is known, and the new one asked for
    life.cut(0.01)
    life.world.kept = False
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def set_back(life, by=3_600.0):
    life.set_clock(-by)
    life.make(1, 0.0)


def test_a_server_that_sets_its_clock_back(life):
    life.world.run(100)
    lose(life)  # has a time that is to come again
    life.world.run(2)
    life.world.kept = False
    set_back(life)  # has a time before the loss
    life.client.connect()
    (gap,) = end(life)
    assert gap.until.timestamp() - gap.since.timestamp() < 3_700


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_proven_by_a_clock_that_is_set_back_proves_nothing_any_more(life, kept):
    life.world.run(100)
    life.make(1, 0.0)
    life.world.run(1)
    life.client.ask("PUT")
    life.world.run(1)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = kept
    life.set_clock(-3_600.0)
    life.client.connect()
    life.world.run(10)
    life.world.down = 60.0
    life.client.ask()
    life.world.run(30)
    life.make(1, 0.0)
    life.world.run(31)  # there is an answer, and what was made after the question is on its way
    life.cut(1.0)
    life.world.down = 0.05
    life.client.connect()
    end(life)


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_served_by_a_clock_that_is_set_back_says_nothing_any_more(life, kept):
    life.world.run(100)
    life.make(1, 0.0)
    life.client.ask("PUT")
    life.world.run(1)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = kept
    life.set_clock(-3_600.0)
    life.client.connect()
    life.world.run(10)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.client.ask("PUT")
    end(life)


def test_a_server_that_sets_its_clock_forward_and_back_again(life):
    life.world.run(100)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = False
    life.set_clock(3_600.0)
    life.client.connect()
    life.world.run(0.06)
    life.cut(1.0)  # before it has subscribed again
    life.make(1, 0.0)  # has a time that is to come again
    life.world.run(2)
    life.set_clock(-3_600.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def test_a_server_that_sets_its_clock_back_and_forward_again(life):
    life.world.run(100)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = False
    set_back(life)
    life.client.connect()
    life.world.run(0.06)
    life.cut(1.0)  # before it has subscribed again
    life.world.run(2)
    life.set_clock(3_600.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def test_a_clean_end_leaves_no_gap_but_to_whom_dies_in_the_replay(life):
    """What says that the end was clean must be gone from the store when the next process begins."""
    life.detach()
    life.make(2, 0.0)
    life.start()
    life.client.connect(slow=3.0)
    life.world.run(0.06)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert not gap.certain


def test_an_orderly_life_has_no_gap(life):
    for _ in range(3):
        life.world.announce(life.client, life.connection)
        life.world.run(1)
        life.make(2, 0.0)
        life.client.connect()
        life.world.run(1)
        life.detach()
        life.make(2, 0.0)
        life.start()
        life.client.connect()
        life.world.run(1)
    assert end(life) == []
    assert len(life.handed) == 12
