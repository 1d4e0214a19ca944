"""The world in which the tests of completeness live, in virtual time: a link, and the server with its clock."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

__all__ = ["BUFFER", "EPOCH", "Connection", "Question", "World"]

EPOCH = 1_700_000_000.0
BUFFER = 4  #: most notifications that the server buffers


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
