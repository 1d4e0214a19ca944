"""What happened, put together from all journals: events, connections, faults. No verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from oracle.lines import Lagged, Line
from oracle.rtm import records as r

__all__ = ["Connection", "Event", "Fault", "History", "Key"]

#: What is logged of an event for which nobody waits, and which could not be published.
_UNPUBLISHED = "publishing an event raised BrokerUnavailable"
#: The stream of an event, and its number.
Key = tuple[str, int]


@dataclass
class Event:
    """One event that was published or emitted.

    Attributes:
        user: whom it is for; "" for one that was emitted.
        how: wait, no-wait, client, emit.
        called: when it was given away.
        settled: when the call came back; None if it never did.
        error: what the call raised; "" if it returned.
        took: how many had taken it.
        clients: the ids of those that it was emitted to.
        heard: by which connections, and when first.
    """

    key: Key
    user: str
    how: str
    called: float
    settled: float | None = None
    error: str = ""
    took: int | None = None
    clients: frozenset[str] = frozenset()
    heard: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.key[0]}#{self.key[1]}"

    @property
    def acknowledged(self) -> bool:
        """Whether the call has returned."""
        return self.settled is not None and not self.error

    @property
    def publisher(self) -> str:
        """The server, with its life, or the connection, that has published it."""
        return self.key[0].partition("/")[0]

    @property
    def in_order(self) -> bool:
        """Whether the calls of its stream count from the first word on, not only when they have returned."""
        return self.how != "client" and not self.key[0].endswith("/any-order")


@dataclass
class Connection:
    """One life of a client."""

    name: str
    user: str
    began: float
    opened: list[float] = field(default_factory=list)
    lost: list[tuple[float, str]] = field(default_factory=list)
    heard: list[r.Heard] = field(default_factory=list)
    gaps: list[r.Gapped] = field(default_factory=list)
    errors: list[r.Erred] = field(default_factory=list)
    joined: list[r.Joined] = field(default_factory=list)
    left: list[r.Left] = field(default_factory=list)
    ending: float | None = None
    ended: float | None = None

    @property
    def place(self) -> str:
        """Its name without the life."""
        return self.name.rpartition(".")[0]

    def server_at(self, at: float) -> str:
        """Return the server, with its life, that has let it in last before this moment; "" if none has."""
        return next((join.who for join in reversed(self.joined) if join.at <= at), "")


@dataclass(frozen=True)
class Fault:
    """One fault, and how long it lasted."""

    name: str
    target: str
    began: float
    ended: float


class History:
    """All of it.

    Args:
        lines: of all journals.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = sorted(lines, key=lambda line: line.at)
        self.end = self.lines[-1].at if self.lines else 0.0
        self.began = self.lines[0].at if self.lines else 0.0
        self.events: dict[Key, Event] = {}
        self.connections: dict[str, Connection] = {}
        self.faults: list[Fault] = []
        self.told: dict[str, list[r.Told]] = defaultdict(list)
        self.unpublished: dict[str, list[float]] = defaultdict(list)
        self.ids: dict[str, str] = {}  # what presence calls a server, to its name and life
        self.served: dict[str, float] = {}
        self.stopping: dict[str, float] = {}
        self.killed: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self.alone = False
        self.calm: float | None = None
        self.last_round: float | None = None
        self._lags: list[Lagged] = []
        self._open: dict[tuple[str, str], list[float]] = defaultdict(list)
        for line in self.lines:
            self._take(line)
        for (name, target), begun in self._open.items():
            self.faults += [Fault(name, target, at, self.end) for at in begun]
        self.faults.sort(key=lambda fault: fault.began)

    def lag(self, begin: float, end: float) -> float:
        """Sum up by how much loops were late between two moments."""
        return sum(lag.seconds for lag in self._lags if begin <= lag.at and lag.at - lag.seconds <= end)

    def struck(self, begin: float, end: float) -> list[Fault]:
        """Return the faults that were under way at any moment of this time."""
        return [fault for fault in self.faults if fault.began <= end and fault.ended >= begin]

    def _take(self, line: Line) -> None:
        match line:
            case r.Publishing():
                key = (line.stream, line.n)
                self.events[key] = Event(key, line.user, line.how, line.at)
            case r.Published() if event := self.events.get((line.stream, line.n)):
                event.settled, event.error, event.took = line.at, line.error, line.took
            case r.Emitting():
                key = (line.stream, line.n)
                self.events[key] = Event(key, "", "emit", line.at)
            case r.Emitted() if event := self.events.get((line.stream, line.n)):
                event.settled, event.took, event.clients = line.at, line.count, frozenset(line.clients)
            case r.Began():
                self.connections[line.conn] = Connection(line.conn, line.user, line.at)
            case r.Opened():
                self.connections[line.conn].opened.append(line.at)
            case r.Lost():
                self.connections[line.conn].lost.append((line.at, line.why))
            case r.Erred():
                self.connections[line.conn].errors.append(line)
            case r.Gapped():
                self.connections[line.conn].gaps.append(line)
            case r.Heard():
                self.connections[line.conn].heard.append(line)
                if event := self.events.get((line.stream, line.n)):
                    event.heard.setdefault(line.conn, line.at)
            case r.Joined() if connection := self.connections.get(line.conn):
                connection.joined.append(line)
            case r.Left() if connection := self.connections.get(line.conn):
                connection.left.append(line)
            case r.Ending():
                self.connections[line.conn].ending = line.at
            case r.Ended():
                self.connections[line.conn].ended = line.at
            case r.Serving():
                self.ids[line.id] = line.who
                self.served[line.who] = line.at
                self.alone |= line.alone
            case r.Logged() if line.text.startswith(_UNPUBLISHED):
                self.unpublished[line.who].append(line.at)
            case r.Told():
                self.told[line.who].append(line)
            case r.Struck():
                self._open[line.fault, line.target].append(line.at)
            case r.Healed():
                begun = self._open[line.fault, line.target]
                if begun:
                    self.faults.append(Fault(line.fault, line.target, begun.pop(0), line.at))
            case r.Calm():
                self.calm = line.at
            case r.LastRound():
                self.last_round = line.at
            case r.Stopping():
                self.stopping[line.who] = line.at
            case r.Killed():
                self.killed[line.who] = self.gone[line.who] = line.at
            case r.Died():
                self.gone[line.who] = line.at
            case Lagged():
                self._lags.append(line)
            case _:
                pass
