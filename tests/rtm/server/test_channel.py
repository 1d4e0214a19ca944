"""The events of one user: those that come live, are read from the log, or wait; each once and in order."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.broker import BrokerUnavailable, Entry, Hole, MemoryBroker, Stretch
from rcex_ws.broker.interface import Reader
from rcex_ws.rtm.server import channel as channel_module
from tests.rtm.server.wire import Node, Wire, running, service, settle

pytestmark = pytest.mark.anyio


class FakeBroker(MemoryBroker):
    """A broker whose log is read apart from its live end, as with Redis: either may be ahead of the other.

    Attributes:
        stretch: what `read` returns, once it may `go`.
        readers: those who follow, from when `followed` is set.
        down, unreadable: whether topics cannot be followed, or read.
        unfollowed: the topics that are followed no more.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.readers: dict[str, Reader] = {}
        self.stretch = Stretch((), None, "e-0")
        self.go = anyio.Event()
        self.followed = anyio.Event()
        self.followed.set()
        self.unreadable = self.down = False
        self.unfollowed: list[str] = []

    async def follow(self, topic: str, reader: Reader) -> str:
        self.readers[topic] = reader
        await self.followed.wait()
        if self.down:
            raise BrokerUnavailable("it is down")
        return "e-0"

    def unfollow(self, topic: str) -> None:
        self.unfollowed.append(topic)
        self.readers.pop(topic, None)

    async def read(self, topic: str, after: str) -> Stretch:
        await self.go.wait()
        if self.unreadable:
            raise BrokerUnavailable("it is down")
        return self.stretch

    def live(self, *numbers: int) -> None:
        for number in numbers:
            self.readers["user:ann"].on_entry(entry(number))


def entry(number: int, size: int = 0) -> Entry:
    return Entry(f"e-{number}", b'\n{"event":"e","data":[%d,"%b"]' % (number, b"x" * size))


def stretch(*numbers: int, hole: Hole | None = None, end: int | None = None) -> Stretch:
    last = numbers[-1] if end is None else end
    return Stretch(tuple(map(entry, numbers)), hole, f"e-{last}")


async def coming_back(node: Node, position: str = "e-0") -> Wire:
    """Connect a client that comes from another server, and let it in as far as the log, which is being read."""
    former = await node.connect("ann", resume="new")
    former.leave()
    node.core.sessions.poll(anyio.current_time() + 61)
    await settle()
    assert isinstance(node.core.broker, FakeBroker)
    node.core.broker.go = anyio.Event()
    wire = node.wire(f"{former.session['session']};0;{position}")
    await settle()
    wire.say({"id": "a", "type": "auth", "data": ["ann"]})
    await settle()
    assert wire.received == []
    return wire


async def go(wire: Wire, broker: FakeBroker) -> None:
    broker.go.set()
    await wire.until(lambda: wire.received)
    await settle()


@pytest.mark.parametrize(
    ("before", "read", "after"),
    [
        ([], [1, 2], [3]),
        ([1], [1, 2], [2, 3]),  # the log was read before the live end had come
        ([], [1, 2], [1, 2, 3]),
        ([2, 3], [1, 2], [4]),  # and after it
        ([2, 3], [1], [4]),
        ([1, 2, 3], [1, 2, 3], [4]),
        ([1], [1, 2, 3], [2]),
    ],
)
async def test_what_is_read_and_what_comes_live_is_one(before: list[int], read: list[int], after: list[int]) -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        other = await node.connect("ann")
        wire = await coming_back(node)
        broker.live(*before)
        broker.stretch = stretch(*read)
        await go(wire, broker)
        broker.live(*after)
        broker.live(9, 10)
        expected = sorted({*before, *read, *after, 9, 10})
        assert wire.data == expected
        assert wire.gaps == []
        assert other.data == [*before, *after, 9, 10]


async def test_a_connection_that_has_an_event_from_the_log_counts_when_it_comes_live() -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        wire = await coming_back(node)
        broker.stretch = stretch(1)
        await go(wire, broker)
        counts: list[int] = []
        node.core.channels.get("ann")._taken = lambda _, count: counts.append(count)  # type: ignore[union-attr]
        broker.live(1, 2)
        wire.drop()
        broker.live(3)
        assert counts == [1, 1, 0]


async def test_a_session_begins_before_the_events_that_follow_it() -> None:
    """Those that came while it was let in, too: the client may be lost before it gets them."""
    broker = FakeBroker()
    async with running(broker=broker) as node:
        wire = await coming_back(node)
        broker.live(1)
        broker.stretch = stretch(1, 2)
        await go(wire, broker)
        assert (wire.session["position"], wire.data) == ("e-0", [1, 2])
        wire = await coming_back(node)
        broker.stretch = Stretch((), None, "e-7")
        await go(wire, broker)
        assert wire.session["position"] == "e-7"


async def test_a_new_session_begins_where_its_log_is_followed() -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        broker.followed = anyio.Event()
        one, two = node.wire("new"), node.wire("new")
        await settle()
        for wire in (one, two):
            wire.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        broker.live(1)
        broker.followed.set()
        await two.until(lambda: two.received)
        await settle()
        broker.live(2)
        for wire in (one, two):
            assert (wire.session["position"], wire.data) == ("e-0", [1, 2])
        three = await node.connect("ann")
        assert (three.session["position"], three.data) == ("e-2", [])


async def test_a_hole_before_what_is_read() -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        wire = await coming_back(node)
        broker.live(1, 2, 3, 4)
        broker.stretch = stretch(3, 4, hole=Hole(certain=True, reason="trimmed"))
        await go(wire, broker)
        assert wire.data == [3, 4]
        assert wire.gaps == [{"reason": "trimmed", "certain": True}]


async def test_a_hole_while_the_log_is_read_is_told_in_its_place() -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        other = await node.connect("ann", resume=None)
        wire = await coming_back(node)
        broker.live(1)
        broker.readers["user:ann"].on_hole(Hole(certain=False, reason="restarted"), "f-0")
        broker.live(2)
        broker.stretch = stretch(1)
        await go(wire, broker)
        assert [frame["event"] for frame in wire.received if "event" in frame] == ["rtm:session", "e", "rtm:gap", "e"]
        assert wire.gaps == other.gaps == [{"reason": "restarted", "position": "f-0"}]


async def test_a_log_that_cannot_be_read_is_a_gap() -> None:
    broker = FakeBroker()
    broker.unreadable = True
    async with running(broker=broker) as node:
        wire = await coming_back(node)
        broker.live(1)
        await go(wire, broker)
        assert wire.gaps == [{"reason": "what was published cannot be read: it is down"}]
        assert (wire.session["position"], wire.data) == ("e-0", [1])


async def test_a_topic_that_cannot_be_followed_yet() -> None:
    """Its clients are let in, and told later from where on they miss nothing."""
    broker = FakeBroker()
    broker.down = True
    async with running(broker=broker) as node:
        one, two = await node.connect("ann"), await node.connect("ann")
        assert "position" not in one.session
        assert "position" not in two.session
        one.drop()
        broker.readers["user:ann"].on_hole(Hole(certain=False, reason="late"), "e-4")
        broker.live(5)
        assert [two.gaps, two.data] == [[{"reason": "late", "position": "e-4"}], [5]]
        back = await node.connect("ann", resume=one.header())
        assert [frame["event"] for frame in back.received if "event" in frame] == ["rtm:session", "rtm:gap", "e"]


async def test_the_end_of_the_last_client_ends_the_following() -> None:
    broker = FakeBroker()
    async with running(broker=broker, resume_window=0) as node:
        one, two = await node.connect("ann"), await node.connect("ann")
        one.drop()
        assert broker.unfollowed == []
        two.drop()
        assert broker.unfollowed == ["user:ann"]
        assert await node.leftovers() == []


@pytest.mark.parametrize("bound", ["items", "bytes"])
async def test_what_waits_for_a_client_is_bounded_and_the_rest_a_gap(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = FakeBroker()
    if bound == "items":
        monkeypatch.setattr(channel_module, "_MOST_HELD", 2)
    async with running(broker=broker, max_buffer=2000) as node:
        wire = await coming_back(node)
        for number in range(1, 6):
            broker.readers["user:ann"].on_entry(entry(number, 1000 if bound == "bytes" else 0))
        broker.stretch = Stretch((), None, "e-0")
        await go(wire, broker)
        broker.live(6)
        assert wire.data == [1, 2, 6]
        (gap,) = wire.gaps
        assert (gap["certain"], gap["position"]) == (True, "e-5")
        assert wire.received[4]["event"] == "rtm:gap"


async def test_entries_of_another_kind_hurt_nobody() -> None:
    broker = FakeBroker()
    async with running(broker=broker) as node:
        wire = await node.connect("ann")
        for head in (b"\xff\n", b"node x\n", b"node\n", b" \n", b"1 2 3\n"):
            broker.readers["user:ann"].on_entry(Entry("e-1", head + b'{"event":"e","data":[1]'))
        await settle()
        assert wire.data == [1] * 5
        assert node.errors == []


# -- a client that reads slowly ----------------------------------------------------------------------------------------


async def test_what_a_client_has_missed_is_sent_no_faster_than_it_reads() -> None:
    async with service() as servers:
        first, second = await servers.node(), await servers.node(max_buffer=4000)
        wire = await first.connect("ann")
        wire.drop()
        for number in range(40):
            await first.server.publish("ann", "e", number, "x" * 400)
        back = second.wire(wire.header())
        await settle()
        back.stalled = True
        back.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        assert await second.server.publish("ann", "e", 40) == 0  # it waits behind the others
        for _ in range(100):
            back.read_all()
            back.stalled = True
            await settle(5)
        back.read_all()
        assert (back.data, back.gaps) == (list(range(41)), [])
        assert await second.server.publish("ann", "e", 41) == 1
        back.drop()
        third = await second.connect("ann", resume=back.header())
        assert third.session["resumed"]


async def test_a_client_that_is_lost_while_it_catches_up_goes_on() -> None:
    async with service() as servers:
        first, second = await servers.node(), await servers.node(max_buffer=4000)
        wire = await first.connect("ann")
        wire.drop()
        for number in range(40):
            await first.server.publish("ann", "e", number, "x" * 400)
        back = second.wire(wire.header())
        await settle()
        back.stalled = True
        back.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        back.read_all()
        back.stalled = True
        await settle()
        got = back.data
        assert 0 < len(got) < 40
        back.drop()
        await settle()
        again = await second.connect("ann", resume=back.header())
        await settle()
        assert got + again.data == list(range(40))
        await second.server.publish("ann", "e", 40)
        assert again.data[-1] == 40
        (gap,) = again.gaps
        assert gap == {"reason": "more was sent than this server keeps", "published": False}


async def test_a_client_that_is_given_up_while_it_catches_up() -> None:
    async with service() as servers:
        first, second = await servers.node(), await servers.node(max_buffer=4000)
        wire = await first.connect("ann")
        wire.drop()
        for number in range(40):
            await first.server.publish("ann", "e", number, "x" * 400)
        back = second.wire(wire.header())
        await settle()
        back.stalled = True
        back.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        second.server.clients[0].disconnect()
        assert await second.leftovers() == []
        assert second.errors == []
