"""What the brokers of one process share: the logs and groups that Redis keeps for those of several.

Used by memory.py, and by tests that simulate a service: a node can be cut off, come back or die, and the hub can lose
its data, all without waiting. Nothing here is random or reads a clock of its own, so that a simulation repeats.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from rcex_ws.broker.interface import Appended, BrokerUnavailable, Entry, Hole, Stretch
from rcex_ws.loop import now as loop_now
from rcex_ws.options import Count, Name, Seconds, checked
from rcex_ws.readers import read_digits

__all__ = ["HubPart", "MemoryHub"]

#: Users read this in a gap, also where a server without Redis was restarted.
_WIPED = "the log was kept in memory, and is lost"


class HubNode(Protocol):
    """A node as the hub sees it."""

    @property
    def node(self) -> str:
        """The id of the node."""
        ...

    def on_restored(self) -> None:
        """Handle that the hub can be reached."""
        ...

    def on_cut(self, error: BrokerUnavailable) -> None:
        """Handle that the hub cannot be reached any more."""
        ...

    def on_appended(self, topic: str, entry: Entry, number: int) -> None:
        """Handle an entry of a topic that the node follows."""
        ...

    def on_signalled(self, data: bytes) -> None:
        """Handle a signal."""
        ...


class HubPart(Struct, frozen=True):
    """What a node reads of a log.

    Attributes:
        stretch: the entries.
        start: the position before the first of them, after the hole if there is one.
        number: the number of the last entry of the log.
    """

    stretch: Stretch
    start: str
    number: int


class _Log:
    __slots__ = ("begun", "dropped", "entries")

    def __init__(self, begun: float) -> None:
        self.entries: deque[tuple[int, float, Entry]] = deque()  # with their numbers and times
        self.begun = begun
        self.dropped = 0  # the number of the last entry that it no longer has

    @property
    def last(self) -> tuple[int, float, Entry]:
        return self.entries[-1]


class MemoryHub:
    """Topics and groups that each `MemoryBroker` of one event loop shares.

    Args:
        max_entries: how many entries a log keeps.
        max_age: how long a log keeps an entry, in seconds.
        time_to_live: how long a node that was cut off or killed counts as alive, in seconds.
        clock: returns seconds; the event loop's clock by default.
        name: what the ids of nodes and positions begin with; random by default.

    Raises:
        ConfigurationError: an argument has an invalid value; the message names it.
    """

    @checked
    def __init__(
        self,
        *,
        max_entries: Count = 10_000,
        max_age: Seconds = 300.0,
        time_to_live: Seconds = 5.0,
        clock: Callable[[], float] = loop_now,
        name: Name | None = None,
    ) -> None:
        self._max_entries, self._max_age, self._time_to_live = max_entries, max_age, time_to_live
        self.clock = clock
        self._name = secrets.token_hex(4) if name is None else name
        self._epoch_number = 1
        self._number = 0  # of the last entry
        self._nodes_made = 0
        self._logs: OrderedDict[str, _Log] = OrderedDict()  # none is empty; the one appended to last is the last one
        self._followers: dict[str, dict[str, HubNode]] = {}
        self._groups: dict[str, dict[str, int]] = {}
        self._present: dict[str, HubNode] = {}  # those that can reach the hub
        self._away: dict[str, tuple[HubNode | None, float]] = {}  # cut off or killed; until when they count as alive
        self._deliveries: deque[tuple[str, Entry, int, tuple[HubNode, ...]]] = deque()
        self._delivering = False

    # -- for tests -----------------------------------------------------------------------------------------------------

    def cut(self, node: str) -> None:
        """Cut a node off, by its id; nothing if it does not run or is cut off already."""
        self._lose(node, BrokerUnavailable("the node was cut off"))

    def restore(self, node: str) -> None:
        """Let a node that was cut off reach the hub again."""
        if node in self._away and (away := self._away[node][0]) is not None:
            del self._away[node]
            self.join(away)

    def kill(self, node: str) -> None:
        """Cut a node off for ever, as if its process were killed: nothing of it is called any more."""
        self._lose(node, None)
        if node in self._away:
            self._away[node] = (None, self._away[node][1])

    def wipe(self) -> None:
        """Lose all data, like a service that was restarted; every node loses the connection and makes it again."""
        present = tuple(self._present)
        for node in present:
            self._lose(node, BrokerUnavailable(_WIPED))
        self._epoch_number += 1
        self._logs.clear()
        self._groups.clear()
        self._deliveries.clear()
        for node in present:
            self.restore(node)

    # -- for MemoryBroker ----------------------------------------------------------------------------------------------

    def new_node(self) -> str:
        """Return an id for a node."""
        self._nodes_made += 1
        return f"{self._name}.{self._nodes_made}"

    def join(self, node: HubNode) -> None:
        """Let a node reach the hub; what is appended while it catches up is delivered after that."""
        self._present[node.node] = node
        nested, self._delivering = self._delivering, True
        try:
            node.on_restored()
        finally:
            self._delivering = nested
        self._deliver()

    def leave(self, node: str) -> None:
        """Forget a node and what it is a member of."""
        self._lose(node, None)
        self._away.pop(node, None)
        self.forget_memberships(node)

    def append(self, topic: str, data: bytes) -> Appended:
        """Append an entry and deliver it."""
        moment = self.clock()
        self._forget_old_logs(moment)
        log = self._logs.get(topic)
        if log is None:
            log = self._logs[topic] = _Log(moment)
        self._logs.move_to_end(topic)
        self._number += 1
        entry = Entry(self._position(self._number), data)
        log.entries.append((self._number, moment, entry))
        self._trim(log, moment)
        followers = tuple(self._followers.get(topic, {}).values())
        if followers:
            self._deliveries.append((topic, entry, self._number, followers))
            self._deliver()
        return Appended(entry.position, len(followers))

    def follow(self, topic: str, node: HubNode) -> HubPart:
        """Deliver a topic to a node from now on; return the end of the log."""
        self._followers.setdefault(topic, {})[node.node] = node
        log = self._logs.get(topic)
        number = 0 if log is None else log.last[0]
        return HubPart(Stretch((), None, self._position(number)), self._position(number), number)

    def unfollow(self, topic: str, node: str) -> None:
        """Undo `follow`."""
        followers = self._followers.get(topic, {})
        followers.pop(node, None)
        if not followers:
            self._followers.pop(topic, None)

    def read(self, topic: str, after: str, *, since: float | None = None) -> HubPart:
        """Read a log from a position up to its end.

        Args:
            topic: the name of the topic.
            after: the position.
            since: when the reader lost the connection, if it was away: a log that begins later may be a second one.
        """
        moment = self.clock()
        self._forget_old_logs(moment)
        log = self._logs.get(topic)
        epoch, _, digits = after.rpartition("-")
        first = (read_digits(digits) or 0) if epoch == self._epoch else 0
        hole: Hole | None = None
        if log is not None:
            self._trim(log, moment)
        if epoch != self._epoch:
            hole = Hole(certain=False, reason=_WIPED)
        elif log is not None and first < log.dropped:
            hole = Hole(certain=True, reason="the log no longer has all entries")
        elif since is not None and moment - since > self._max_age and (log is None or log.begun > since):
            hole = Hole(certain=False, reason="the node was away for longer than entries are kept")
        if log is None:
            return HubPart(Stretch((), hole, self._position(first)), self._position(first), first)
        start, last = max(first, log.dropped), max(first, log.last[0])
        entries = tuple(entry for number, _, entry in log.entries if number > first)
        return HubPart(Stretch(entries, hole, self._position(last)), self._position(start), last)

    def signal(self, node: str, data: bytes) -> None:
        """Pass a signal to a node that can reach the hub."""
        if (present := self._present.get(node)) is not None:
            present.on_signalled(data)

    def set_member(self, group: str, node: str, value: int) -> None:
        """Set what a node counts in a group, 0 to leave it."""
        if value:
            self._groups.setdefault(group, {})[node] = value
        elif group in self._groups:
            self._groups[group].pop(node, None)
            if not self._groups[group]:
                del self._groups[group]

    def forget_memberships(self, node: str) -> None:
        """Take a node out of all groups."""
        for group in tuple(self._groups):
            self.set_member(group, node, 0)

    def members(self, group: str) -> Mapping[str, int]:
        """Return what each living node counts in a group."""
        moment = self.clock()
        return {node: value for node, value in self._groups.get(group, {}).items() if self._is_alive(node, moment)}

    @property
    def _epoch(self) -> str:
        return f"{self._name}.{self._epoch_number}"

    def _position(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def _is_alive(self, node: str, moment: float) -> bool:
        return node in self._present or (node in self._away and moment < self._away[node][1])

    def _lose(self, node: str, error: BrokerUnavailable | None) -> None:
        """Take a node off; with an error it may come back."""
        present = self._present.pop(node, None)
        if present is not None:
            self._away[node] = (present, self.clock() + self._time_to_live)
            for topic in [topic for topic, followers in self._followers.items() if node in followers]:
                self.unfollow(topic, node)
            if error is not None:
                present.on_cut(error)

    def _trim(self, log: _Log, moment: float) -> None:
        """Drop entries by number and age, but never the last."""
        entries, oldest = log.entries, moment - self._max_age
        while len(entries) > 1 and (len(entries) > self._max_entries or entries[0][1] < oldest):
            log.dropped = entries.popleft()[0]

    def _forget_old_logs(self, moment: float) -> None:
        while self._logs:
            topic, log = next(iter(self._logs.items()))
            if log.last[1] >= moment - self._max_age:
                break
            del self._logs[topic]

    def _deliver(self) -> None:
        """Pass entries on in order, also those that readers append meanwhile."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._deliveries:
                topic, entry, number, followers = self._deliveries.popleft()
                for node in followers:
                    node.on_appended(topic, entry, number)
        finally:
            self._delivering = False
