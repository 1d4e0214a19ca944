"""Servers that share a hub, and clients that are lost at any moment, judged by a model written from resumption.py.

Whatever happens to connections, servers and the hub: a client gets each event that is published to its user once and in
the order of the log, or is told of a gap where some are missing; it gets nothing of another user; the lists of clients
are true; and once all have left and their time is over, no server remembers anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rcex_ws.broker import MemoryBroker
from rcex_ws.broker.interface import Appended
from tests.rtm.server.wire import Frame, Node, Service, Wire, service, settle

USERS = ("ann", "bob")
CLIENTS = ("ann", "ann", "bob")  # whose they are
WINDOW = 60.0

Step = tuple[str, int, int]


class Client:
    """What a client keeps between two connections, and what it has got.

    Attributes:
        wire: the connection; None while there is none.
        got: the places in the log of what it has got, and None for each gap.
    """

    def __init__(self, user: str, places: dict[tuple[str, int], int]) -> None:
        self.user = user
        self.wire: Wire | None = None
        self.node: Node | None = None
        self.got: list[int | None] = []
        self.first: int | None = None  # the place in the log of the first event that it must get
        self._places = places
        self._session = self._position = ""
        self._received = self._read = self._end = 0
        self._emitted: list[int] = []

    @property
    def header(self) -> str:
        return f"{self._session};{self._received};{self._position}" if self._session else "new"

    def connect(self, node: Node, wire: Wire, end: int) -> None:
        """Begin a connection, when the log has so many entries."""
        self.wire, self.node, self._read, self._end = wire, node, 0, end

    def read(self, most: int = 1000) -> None:
        """Read what has come, or a part of it."""
        if self.wire is not None:
            frames = self.wire.received[self._read : self._read + most]
            self._read += len(frames)
            for frame in frames:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        event = frame.get("event")
        if event == "rtm:session":
            (start,) = frame["data"]
            self.first = self._end if self.first is None else self.first
            if start.get("resumed"):
                assert start["session"] == self._session
            else:
                assert start["session"] != self._session
                if self._session and not self._position:  # it could not say where it was
                    self.got.append(None)
                self._session, self._received, self._position = start["session"], 0, start.get("position", "")
            if start.get("gap", {}).get("published", True) and "gap" in start:
                self.got.append(None)
        elif event == "rtm:gap":
            self.got.append(None)
            self._position = frame["data"][0].get("position") or self._position
        elif event == "published":
            user, number = frame["data"]
            assert user == self.user
            self._received += 1
            self._position = frame["id"]
            self.got.append(self._places[user, number])
        elif event == "emitted":
            self._received += 1
            (number,) = frame["data"]
            assert number not in self._emitted
            self._emitted.append(number)

    def judge(self, *, repeats: bool) -> None:
        """Check that nothing came twice or out of order, and that nothing is missing without a gap.

        Args:
            repeats: whether events may come once more after a gap, from a server that was cut off and lags behind.
        """
        place, doubtful = -1, False
        least = self.first or 0  # a server that was cut off may begin with older ones
        for one in self.got:
            if one is None:
                doubtful = True
                continue
            assert one > place or (doubtful and repeats), self.got
            assert one <= max(place + 1, least) or doubtful, (self.first, self.got)
            place, least, doubtful = one, 0, False


class World:
    """Everything, and what each step does to it."""

    def __init__(self, servers: Service) -> None:
        self.servers = servers
        self.logs: dict[str, int] = dict.fromkeys(USERS, 0)  # how many entries there ever were
        self.places: dict[tuple[str, int], int] = {}
        self.clients = [Client(user, self.places) for user in CLIENTS]
        self.killed: set[Node] = set()
        self.numbers = 0
        self.disturbed = False  # the hub was lost, for a server or for all
        append = servers.hub.append

        def noted(topic: str, data: bytes) -> Appended:
            user, number = topic.removeprefix("user:"), int(data.rpartition(b",")[2].rstrip(b"]"))
            self.places[user, number] = self.logs[user]
            self.logs[user] += 1
            return append(topic, data)

        servers.hub.append = noted  # type: ignore[method-assign]

    async def do(self, step: Step) -> None:
        kind, one, two = step
        alive = [node for node in self.servers.nodes if node not in self.killed]
        client, node = self.clients[one % len(CLIENTS)], alive[two % len(alive)]
        await getattr(self, f"_{kind}")(client, node, one * 7 + two)
        await self.settle()

    async def settle(self) -> None:
        await settle(12)
        for client in self.clients:
            client.read()

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and answer pings."""
        while seconds > 0:
            await trio.sleep(min(seconds, 3.0))
            seconds -= 3.0
            for client in self.clients:
                if client.wire is not None:
                    client.wire.pong()

    async def publish(self, user: str, node: Node) -> None:
        self.numbers += 1
        await node.server.publish(user, "published", user, self.numbers, wait=False)

    async def connect(self, client: Client, node: Node, *, most: int = 1000) -> None:
        end = self.logs[client.user]
        wire = node.wire(client.header)
        await settle(3)
        wire.say({"id": "a", "type": "auth", "data": [client.user]})
        await settle(12)
        while not wire.received and wire.is_open:  # the hub is away, and the log cannot be read in time
            await trio.sleep(0.5)
        client.connect(node, wire, end)
        client.read(most)

    async def _connect(self, client: Client, node: Node, _: int) -> None:
        if client.wire is None or not client.wire.is_open:
            await self.connect(client, node)

    async def _glimpse(self, client: Client, node: Node, number: int) -> None:
        """Connect, and be lost in the middle of what follows."""
        if client.wire is None or not client.wire.is_open:
            await self.connect(client, node, most=number % 4)
            if client.wire is not None:
                client.wire.lost, client.wire = True, None

    async def _move(self, client: Client, node: Node, _: int) -> None:
        """Be lost, miss something, and come back elsewhere."""
        if client.wire is not None:
            client.wire.drop()
            client.wire = None
        await self.publish(client.user, node)
        await self.connect(client, node)

    async def _publish(self, client: Client, node: Node, _: int) -> None:
        await self.publish(client.user, node)

    async def _emit(self, _: Client, node: Node, __: int) -> None:
        self.numbers += 1
        node.server.emit("emitted", None, self.numbers)

    async def _drop(self, client: Client, _: Node, __: int) -> None:
        if client.wire is not None:
            client.wire.drop()

    async def _lose(self, client: Client, _: Node, __: int) -> None:
        """Only the client notices that its connection is lost."""
        if client.wire is not None:
            client.read()
            client.wire.lost, client.wire = True, None

    async def _vanish(self, client: Client, node: Node, number: int) -> None:
        """The network is lost, and something is sent into the void before either side notices."""
        if client.wire is not None:
            client.wire.lost = True
            for _ in range(number % 5):
                await self._publish(client, node, 0)
            client.read()
            client.wire = None

    async def _leave(self, client: Client, node: Node, _: int) -> None:
        """Leave while being let in."""
        if client.wire is None:
            wire = node.wire(client.header)
            await settle(3)
            wire.say({"id": "a", "type": "auth", "data": [client.user]})
            await settle(2)
            wire.lost = True
            wire.drop()

    async def _pong(self, client: Client, _: Node, __: int) -> None:
        if client.wire is not None:
            client.wire.pong()

    async def _forge(self, client: Client, _: Node, number: int) -> None:
        """Answer a ping that was never sent."""
        if client.wire is not None:
            client.wire.answer(b"%d" % (10_000 + number))

    async def _wait(self, _: Client, __: Node, number: int) -> None:
        await self.sleep((0.2, 4.0, 25.0, 70.0)[number % 4])

    async def _cut(self, _: Client, node: Node, __: int) -> None:
        self.servers.hub.cut(node.server.id)
        self.disturbed = True

    async def _restore(self, _: Client, node: Node, __: int) -> None:
        self.servers.hub.restore(node.server.id)

    async def _wipe(self, *_: Any) -> None:
        self.servers.hub.wipe()
        self.disturbed = True

    async def _kill(self, _: Client, node: Node, __: int) -> None:
        if len(self.killed) + 1 < len(self.servers.nodes):
            self.servers.hub.kill(node.server.id)
            self.killed.add(node)
            for client in self.clients:
                if client.node is node and client.wire is not None:
                    client.read()
                    client.wire.lost = True
                    client.wire.drop()
                    client.wire = None

    async def end(self) -> None:
        """Let everything recover, then everyone leave."""
        for node in self.servers.nodes:
            self.servers.hub.restore(node.server.id)
        await self.sleep(11)  # what waits to be published is written, or has failed
        alive = [node for node in self.servers.nodes if node not in self.killed]
        for number, client in enumerate(self.clients):
            if client.wire is None or not client.wire.is_open:
                await self.connect(client, alive[number % len(alive)])
        for user in USERS:
            await self.publish(user, alive[0])
        await self.sleep(50)  # until the servers have noticed all losses
        await self.settle()
        for client in self.clients:
            client.judge(repeats=self.disturbed)
            assert client.got[-1] == self.logs[client.user] - 1
        for node in alive:
            names = sorted(str(client.user_id) for client in node.server.clients)
            assert names == sorted(client.user for client in self.clients if client.node is node)
        for client in self.clients:
            if client.wire is not None:
                client.wire.leave()
        await trio.sleep(200)
        for node in alive:
            assert await node.leftovers() == []
            assert node.errors == [] or {type(error).__name__ for error in node.errors} == {"BrokerUnavailable"}
            assert await node.server.count() == 0
            for user in USERS:
                assert await node.server.presence(user) == {}


KINDS = ("connect", "publish", "move", "glimpse", "vanish") * 4
KINDS += ("lose", "drop", "leave", "emit", "pong", "forge", "wait", "cut", "restore") * 2 + ("wipe", "kill")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), max_size=40)


def simulate(steps: list[Step], *, entries: int, events: int) -> None:
    async def main() -> None:
        async with service(max_entries=entries, name="hub") as servers:
            for _ in range(3):
                broker = MemoryBroker(servers.hub, command_timeout=3.0)
                await servers.node(broker=broker, max_resume_events=events, resume_window=WINDOW)
            world = World(servers)
            for step in steps:
                await world.do(step)
            await world.end()

    run: Callable[..., Any] = trio.run
    run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=150)
@given(STEPS, st.sampled_from([3, 1000]), st.sampled_from([2, 1000]))
def test_each_event_comes_once_and_in_order_or_a_gap_is_told(steps: list[Step], entries: int, events: int) -> None:
    simulate(steps, entries=entries, events=events)
