"""A broker within the process: for a service of one server, and for tests of one with several.

Used by rtm/ as the default. What several of its kind share is in hub.py; here is one node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from rcex_ws.broker.hub import MemoryHub
from rcex_ws.broker.interface import BrokerUnavailable, Entry, Hole, Reader, Stretch
from rcex_ws.broker.queue import AppendQueue, OnDone
from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.loop import Signal, now
from rcex_ws.options import Bytes, Count, Seconds, checked
from rcex_ws.readers import read_digits

__all__ = ["MemoryBroker"]


class _Following:
    """One topic that the node follows.

    Attributes:
        begun: the position after which the reader began; None until the hub could be asked.
        position: the end of the log that the reader knows.
        number: the number of the entry there.
        waited_for: whether `follow` still waits, and returns `begun` itself.
    """

    __slots__ = ("begun", "number", "position", "reader", "waited_for")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.begun: str | None = None
        self.position = ""
        self.number = 0
        self.waited_for = True


class MemoryBroker:
    """One node of a service whose nodes share a `MemoryHub`.

    Entries and signals reach all nodes before `append` and `signal` return.

    Args:
        hub: what it shares with other nodes; one of its own by default.
        command_timeout: how long a call waits for a hub that it is cut off from, in seconds.
        max_waiting_entries: how many entries may wait for the hub.
        max_waiting_bytes: how many bytes may wait for the hub.

    Raises:
        ConfigurationError: an argument has an invalid value; the message names it.
    """

    @checked
    def __init__(
        self,
        hub: MemoryHub | None = None,
        *,
        command_timeout: Seconds = 3.0,
        max_waiting_entries: Count = 10_000,
        max_waiting_bytes: Bytes = 64_000_000,
    ) -> None:
        self._hub = hub = MemoryHub() if hub is None else hub
        self._command_timeout = command_timeout
        self._node = hub.new_node()
        self._queue = AppendQueue(max_entries=max_waiting_entries, max_bytes=max_waiting_bytes)
        self._following: dict[str, _Following] = {}
        self._memberships: dict[str, int] = {}
        self._connected = self._flushing = self._closed = False
        self._lost_at = -math.inf
        self._ready = Signal()
        self._more = Signal()  # something new waits

    @property
    def node(self) -> str:
        """The id of this node."""
        return self._node

    @property
    def connected(self) -> bool:
        """Whether the hub can be reached now."""
        return self._connected

    async def run(
        self, on_signal: Callable[[bytes], None], on_change: Callable[[bool, RcexError | None], None]
    ) -> None:
        """Connect to the hub until cancelled; see `Broker.run`."""
        self._on_signal, self._on_change = on_signal, on_change
        self._hub.join(self)
        try:
            while True:
                self._more = Signal()
                self._queue.expire(now())
                await self._more.wait(until=self._queue.next_search)
        finally:
            self._hub.kill(self._node)
            self._connected = False
            self._ready = Signal()

    async def aclose(self) -> None:
        """Leave all groups; see `Broker.aclose`."""
        self._closed = True
        self._hub.leave(self._node)
        self._queue.close()

    def append(self, topic: str, data: bytes, on_done: OnDone, *, within: float) -> None:
        """Append an entry; see `Broker.append`."""
        if self._closed:
            on_done(BrokerUnavailable("the broker was closed"))
        elif self._connected and not self._flushing:
            on_done(self._hub.append(topic, data))
        else:
            self._queue.put(topic, data, on_done, now() + within)
            self._more.set()

    async def follow(self, topic: str, reader: Reader) -> str:
        """Have a reader get what is appended; see `Broker.follow`."""
        if topic in self._following:
            raise ConfigurationError("topic: this node follows it already; unfollow it first")
        following = self._following[topic] = _Following(reader)
        if self._connected:
            self._begin(topic, following)
        deadline = now() + self._command_timeout
        while following.begun is None:
            if self._following.get(topic) is not following:
                raise BrokerUnavailable("the topic was unfollowed meanwhile")
            if now() >= deadline:
                following.waited_for = False
                raise BrokerUnavailable("the hub cannot be reached")
            try:
                await self._ready.wait(until=deadline)
            except BaseException:
                self.unfollow(topic)
                raise
        following.waited_for = False
        return following.begun

    def unfollow(self, topic: str) -> None:
        """Undo `follow`."""
        if self._following.pop(topic, None) is not None:
            self._hub.unfollow(topic, self._node)

    async def read(self, topic: str, after: str) -> Stretch:
        """Read a log from a position up to its end; see `Broker.read`."""
        await self._wait_connected()
        return self._hub.read(topic, after).stretch

    def is_after(self, position: str, other: str) -> bool:
        """Return whether a position comes after another one; see `Broker.is_after`."""
        epoch, _, number = position.rpartition("-")
        other_epoch, _, other_number = other.rpartition("-")
        return epoch != other_epoch or (read_digits(number) or 0) > (read_digits(other_number) or 0)

    def is_of_one_log(self, position: str, other: str) -> bool:
        """Return whether two positions are of one log; see `Broker.is_of_one_log`."""
        return position.rpartition("-")[0] == other.rpartition("-")[0] != ""

    def signal(self, node: str, data: bytes) -> None:
        """Send something to a node; see `Broker.signal`."""
        if self._connected:
            self._hub.signal(node, data)

    def set_member(self, group: str, value: int) -> None:
        """Set what this node counts in a group; see `Broker.set_member`."""
        if value:
            self._memberships[group] = value
        else:
            self._memberships.pop(group, None)
        if self._connected:
            self._hub.set_member(group, self._node, value)

    async def members(self, group: str) -> Mapping[str, int]:
        """Return what each living node counts in a group; see `Broker.members`."""
        await self._wait_connected()
        return self._hub.members(group)

    # -- called by the hub ---------------------------------------------------------------------------------------------

    def on_restored(self) -> None:
        """Catch up with the hub: groups, topics, appends."""
        self._connected = self._flushing = True  # what is appended meanwhile goes behind what waits
        self._hub.forget_memberships(self._node)
        for group, value in self._memberships.items():
            self._hub.set_member(group, self._node, value)
        self._on_change(True, None)
        for topic, following in tuple(self._following.items()):
            if self._connected and self._following.get(topic) is following:
                self._catch_up(topic, following)
        while self._connected and (batch := self._queue.next_batch()):
            self._queue.settle([self._hub.append(append.topic, append.data) for append in batch])
        self._flushing = False
        if self._connected:
            self._ready.set()

    def on_cut(self, error: BrokerUnavailable) -> None:
        """Note that the hub cannot be reached any more."""
        self._connected = False
        self._lost_at = self._hub.clock()
        self._ready = Signal()
        self._on_change(False, error)

    def on_appended(self, topic: str, entry: Entry, number: int) -> None:
        """Pass an entry on, unless the reader has it or began after it."""
        following = self._following.get(topic)
        if self._connected and following is not None and number > following.number:
            following.number, following.position = number, entry.position
            following.reader.on_entry(entry)

    def on_signalled(self, data: bytes) -> None:
        """Pass a signal on."""
        self._on_signal(data)

    # -- helpers -------------------------------------------------------------------------------------------------------

    async def _wait_connected(self) -> None:
        """Wait until the hub can be reached, and what waited for it was done.

        Raises:
            BrokerUnavailable: it could not within the command time-out.
        """
        deadline = now() + self._command_timeout
        while not self._ready.is_set():
            if now() >= deadline:
                raise BrokerUnavailable("the hub cannot be reached")
            await self._ready.wait(until=deadline)

    def _begin(self, topic: str, following: _Following) -> None:
        """Follow a topic from its end on."""
        part = self._hub.follow(topic, self)
        following.begun, following.position, following.number = part.start, part.start, part.number

    def _catch_up(self, topic: str, following: _Following) -> None:
        """Pass on what was appended while the node was cut off."""
        if following.begun is None:
            self._begin(topic, following)
            if not following.waited_for:
                hole = Hole(certain=False, reason="the topic could not be followed in time")
                following.reader.on_hole(hole, following.position)
            return
        part = self._hub.read(topic, following.position, since=self._lost_at)
        self._hub.follow(topic, self)
        following.position, following.number = part.stretch.position, part.number
        if part.stretch.hole is not None:
            following.reader.on_hole(part.stretch.hole, part.start)
        for entry in part.stretch.entries:
            following.reader.on_entry(entry)
