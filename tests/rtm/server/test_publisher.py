"""Publishing to users: who gets it, how many that are, and what is told when it goes wrong."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from rcex_ws.broker import Appended, BrokerFull, BrokerUnavailable, MemoryBroker
from rcex_ws.errors import ConfigurationError
from tests.rtm.server.wire import service, settle


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_all_connections_of_a_user_are_reached_and_counted() -> None:
    async with service() as servers:
        nodes = [await servers.node() for _ in range(3)]
        wires = [await node.connect(name) for node in nodes[:2] for name in ("ann", "ann", "bob")]
        assert await nodes[2].server.publish("ann", "e", 1) == 4
        assert await nodes[0].server.publish("ann", "e", 2) == 4
        assert await nodes[0].server.publish("nobody", "e") == 0
        assert [wire.data for wire in wires] == [[1, 2], [1, 2], []] * 2
        wires[0].drop()
        assert await nodes[2].server.publish("ann", "e", 3) == 3


async def test_publishing_need_not_wait() -> None:
    async with service() as servers:
        one, two = await servers.node(), await servers.node()
        wire = await two.connect("ann")
        assert await one.server.publish("ann", "e", 1, wait=False) is None
        assert wire.data == [1]
        assert one.core.publisher._counting == {}


async def test_what_is_published_without_waiting_can_be_waited_for() -> None:
    async with service() as servers:
        node = await servers.node()
        publisher, written = node.core.publisher, Appended("p", 1)
        outcomes: list[Any] = []
        node.core.broker.append = lambda *args, **_: outcomes.append(args[2])  # type: ignore[method-assign]
        for number in range(2):
            await node.server.publish("ann", "e", number, wait=False)
        async with anyio.create_task_group() as group:
            group.start_soon(publisher.flush)
            await settle()
            outcomes.pop()(written)
            await settle()
            assert publisher._unwritten == 1
            outcomes.pop()(written)
        await publisher.flush()


async def test_a_server_that_does_not_answer_in_time_does_not_count() -> None:
    async with service() as servers:
        one, two = await servers.node(count_timeout=2.0), await servers.node()
        await one.connect("ann")
        wire = await two.connect("ann")
        two.core.broker.signal = lambda node, data: None  # type: ignore[method-assign]
        began = anyio.current_time()
        assert await one.server.publish("ann", "e", 1) == 1
        assert anyio.current_time() - began == pytest.approx(2.0)
        assert wire.data == [1]


async def test_answers_that_make_no_sense_are_ignored() -> None:
    async with service() as servers:
        one, two = await servers.node(count_timeout=1.0), await servers.node()
        await two.connect("ann")

        def signal(node: str, data: bytes) -> None:
            for answer in (b"", b"x 1", b"1 x", b"99 1", b"1", b"1 -1", data):
                one.core.publisher.on_signal(answer)

        two.core.broker.signal = signal  # type: ignore[method-assign]
        assert await one.server.publish("ann", "e") == 1
        one.core.publisher.on_signal(b"1 1")  # too late


async def test_what_cannot_be_published_in_time_is_raised() -> None:
    async with service() as servers:
        node = await servers.node(publish_timeout=5.0)
        wire = await node.connect("ann")
        servers.hub.cut(node.server.id)
        began = anyio.current_time()
        with pytest.raises(BrokerUnavailable) as caught:
            await node.server.publish("ann", "e", 1)
        assert not caught.value.sent
        assert anyio.current_time() - began == pytest.approx(5.0, abs=0.1)
        await node.server.publish("ann", "e", 2, wait=False)
        await anyio.sleep(6)
        assert [type(error) for error in node.errors] == [BrokerUnavailable]
        servers.hub.restore(node.server.id)
        assert await node.server.publish("ann", "e", 3) == 1
        assert wire.data == [3]


async def test_what_waits_to_be_published_is_bounded() -> None:
    async with service() as servers:
        node = await servers.node(broker=MemoryBroker(servers.hub, max_waiting_entries=1))
        servers.hub.cut(node.server.id)
        await node.server.publish("ann", "e", wait=False)
        for wait in (True, False):
            with pytest.raises(BrokerFull):
                await node.server.publish("ann", "e", wait=wait)
        servers.hub.restore(node.server.id)
        await settle()


async def test_a_publication_that_is_cancelled_leaves_nothing() -> None:
    async with service() as servers:
        node = await servers.node()
        servers.hub.cut(node.server.id)
        with anyio.move_on_after(1):
            await node.server.publish("ann", "e")
        assert await node.leftovers() == []


async def test_json_of_any_kind_arrives_as_it_was() -> None:
    data = [None, True, 0, -1.5, 2**80, 'é\u2028\0"\\', [], {}, {"": [{"a": None}]}]
    async with service() as servers:
        one, two = await servers.node(), await servers.node()
        wire = await two.connect("ann")
        await one.server.publish("ann", 'e"\n', *data)
        await one.server.publish("ann", "id")
        assert [(event["event"], event["data"]) for event in wire.events] == [('e"\n', data), ("id", [])]
        for bad in (object(), "\ud800", {(1,): 2}):
            with pytest.raises(ConfigurationError, match="data: JSON cannot express it"):
                await one.server.publish("ann", "e", bad)
        assert one.core.publisher._counting == {}


async def test_presence_and_count_follow_connections_and_servers() -> None:
    async with service(time_to_live=5.0) as servers:
        one, two = await servers.node(), await servers.node()
        ann, other, bob = await one.connect("ann"), await two.connect("ann"), await two.connect("bob")
        assert await one.server.presence("ann") == {one.server.id: 1, two.server.id: 1}
        assert await one.server.presence("nobody") == {}
        assert (await one.server.count(), await two.server.count()) == (3, 3)
        ann.drop()
        assert await two.server.presence("ann") == {two.server.id: 1}
        assert await two.server.count() == 2
        back = await one.connect("ann", resume=ann.header())
        assert await two.server.count() == 3
        servers.hub.kill(two.server.id)
        assert await one.server.count() == 3
        await anyio.sleep(6)
        assert await one.server.count() == 1
        assert await one.server.presence("bob") == {}
        assert (back.is_open, other.is_open, bob.is_open) == (True, True, True)


async def test_presence_is_true_again_after_the_hub_was_lost() -> None:
    async with service() as servers:
        node = await servers.node()
        wire = await node.connect("ann")
        servers.hub.cut(node.server.id)
        await node.connect("bob")
        wire.drop()
        with pytest.raises(BrokerUnavailable):
            await node.server.count()
        servers.hub.restore(node.server.id)
        servers.hub.wipe()
        assert await node.server.presence("ann") == {}
        assert await node.server.presence("bob") == {node.server.id: 1}
        assert await node.server.count() == 1
