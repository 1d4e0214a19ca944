"""What the tests of completeness live through: the processes of one application, in a world of virtual time.

`Client` shows which methods of the account its owner calls when; `Client.conclude` says which loss leaves which gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from msgspec.structs import replace

from rcex_ws.wsg.completeness import MARGIN, Completeness, OpenGap
from rcex_ws.wsg.server_clock import ServerClock
from rcex_ws.wsg.stored import StoredGap
from tests.wsg.completeness_world import EPOCH, Connection, Question, World

__all__ = ["QUEUE", "Life"]

QUEUE = 3  #: most that wait for the consumer

#: Allows for clocks that drift and for times in milliseconds, in seconds.
ROUNDING = 0.02


@dataclass
class Stored:
    """What survives a process."""

    unfinished: StoredGap
    clean: bool
    uuids: list
    gone: StoredGap | None
    refused: bool
    low: float  # the test's: `unfinished` should not be older


@dataclass
class ToldGap:
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
        account.begin_outage(self.heard_at)

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
            loss = self.account.recover(self.now, created=created, buffer_size=self.world.buffer_size)
            connection.created = created
            self.served = created
            self.conclude(loss, self.moment)
            self.store()
            self.ask()  # its answer shows that the replay is over
            if self.gone is not None:
                self.ask("POST")
        else:
            self.account.begin_session(self.now)
            if outage is not None:
                outage.refused = outage.refused or state
                if state == "gone":  # it may have been so before the outage, while questions were still answered
                    self.gone = OpenGap(self.account.last_confirmed(self.heard_at), certain=True)
                    self.gone_low = -math.inf
                if self.gone is not None:
                    self.account.include(self.gone)
                    self.low, self.gone = min(self.low, self.gone_low), None
            connection.recovered = False
            self.ask("POST")

    def on_answer(self, connection, question, status):
        self.account.proven_by_answer(question.asked_at)
        connection.replay_over = True
        proof = question.server_time - self.uncertain() - ROUNDING
        connection.asked = max(connection.asked, proof)
        self.calling = self.calling and question.kind == "heartbeat"
        if question.kind == "PUT" and status == 404:
            if self.gone is None:
                self.gone = OpenGap(self.account.last_confirmed(self.heard_at), certain=True)
                self.gone_low = max(self.served, connection.live) - MARGIN - ROUNDING
                assert self.gone.since >= self.gone_low
            self.ask("POST")
        elif question.kind != "heartbeat":
            self.account.confirm_subscription(self.account.clock.at(question.asked_at))
            self.served = proof
            if self.outage is not None:
                self.conclude(self.account.end_outage(self.now), self.moment)
            if self.gone is not None:
                self.tell(self.gone.until(self.moment), "the subscription was gone", self.gone_low)
                self.gone = None
            self.world.owed = True
            self.store()

    def on_event(self, connection, event):
        replayed = self.account.record_notification(event.timestamp)
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
            self.account.record_drop(id(self), made, stamped=dropped.stamped)
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
            gap = self.account.end_overflow(id(self), self.now, "too slow")
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
            why, certain = "lost without warning", False
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
        self.told.append(ToldGap(gap, why))

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
        self.account.resume(OpenGap.from_store(stored.unfinished))
        self.seen = list(stored.uuids)
        self.gone = None if stored.gone is None else OpenGap.from_store(stored.gone)
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
