"""Nodes within a process that are cut off, come back and die; and ages."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from rcex_ws import ConfigurationError
from rcex_ws.broker import BrokerFull, BrokerUnavailable, Hole, MemoryBroker, MemoryHub


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_a_node_that_was_cut_off_catches_up_once_and_in_order(memory: Any, reading: Any) -> None:
    async with memory() as service:
        one, two = await service.node(), await service.node()
        got = reading()
        await two.broker.follow("t", got)
        one.send("t", b"1")
        service.hub.cut(two.broker.node)
        service.hub.cut(two.broker.node)
        assert not two.broker.connected
        one.send("t", b"2", b"3")
        assert one.outcomes[-1].followers == 0
        two.send("t", b"4")
        assert got.data == [b"1"]
        service.hub.restore(two.broker.node)
        service.hub.restore(two.broker.node)
        assert got.data == [b"1", b"2", b"3", b"4"]
        assert got.holes == []
        assert two.changes == [True, False, True]
        assert isinstance(two.errors[1], BrokerUnavailable)


async def test_what_waits_fails_in_time(memory: Any) -> None:
    async with memory() as service:
        node = await service.node()
        service.hub.cut(node.broker.node)
        began = anyio.current_time()
        for within in (2.0, 1.0, 3.0):
            with pytest.raises(BrokerUnavailable) as caught:
                await node.append("t", b"", within)
            assert not caught.value.sent
        assert anyio.current_time() - began == pytest.approx(6.0, abs=0.2)
        service.hub.restore(node.broker.node)
        assert (await node.broker.read("t", "")).entries == ()


async def test_the_queue_is_bounded(memory: Any) -> None:
    async with memory() as service:
        node = await service.node(max_waiting_entries=3, max_waiting_bytes=10_000)
        service.hub.cut(node.broker.node)
        node.send("t", b"1", b"x" * 5000)
        with pytest.raises(BrokerFull, match="2 entries") as caught:
            node.send("t", b"x" * 5000)
        assert caught.value.retryable
        node.send("t", b"2")
        with pytest.raises(BrokerFull):
            node.send("t", b"3")
        service.hub.restore(node.broker.node)
        assert len(node.outcomes) == 3


async def test_calls_of_a_node_that_is_cut_off_time_out(memory: Any, reading: Any) -> None:
    async with memory() as service:
        node, other = await service.node(command_timeout=2.0), await service.node()
        service.hub.cut(node.broker.node)
        got = reading()
        began = anyio.current_time()
        with pytest.raises(BrokerUnavailable):
            await node.broker.follow("t", got)
        with pytest.raises(BrokerUnavailable):
            await node.broker.read("t", "")
        with pytest.raises(BrokerUnavailable):
            await node.broker.members("g")
        assert anyio.current_time() - began == pytest.approx(6.0)
        other.send("t", b"0")
        service.hub.restore(node.broker.node)
        other.send("t", b"1")
        assert got.told == [Hole(certain=False, reason="the topic could not be followed in time"), b"1"]


async def test_a_call_waits_for_the_hub(memory: Any, reading: Any) -> None:
    async with memory() as service:
        node = await service.node()
        service.hub.cut(node.broker.node)
        got = reading()
        begun = []

        async def follow() -> None:
            begun.append(await node.broker.follow("t", got))

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.sleep(1)
            service.hub.restore(node.broker.node)
            node.send("t", b"1")
        assert (got.told, begun) == ([b"1"], [(await node.broker.read("none", begun[0])).position])
        assert [entry.data for entry in (await node.broker.read("t", begun[0])).entries] == [b"1"]


async def test_follow_that_is_cancelled_or_undone_meanwhile_leaves_nothing(memory: Any, reading: Any) -> None:
    async with memory() as service:
        node = await service.node()
        service.hub.cut(node.broker.node)
        got = reading()
        with anyio.move_on_after(1):
            await node.broker.follow("t", got)
        async with anyio.create_task_group() as group:

            async def follow() -> None:
                with pytest.raises(BrokerUnavailable, match="unfollowed"):
                    await node.broker.follow("t", got)

            group.start_soon(follow)
            await anyio.sleep(1)
            node.broker.unfollow("t")
            service.hub.restore(node.broker.node)
        node.send("t", b"1")
        assert (got.told, node.outcomes[-1].followers) == ([], 0)


async def test_signals_to_and_from_a_node_that_is_cut_off_are_lost(memory: Any) -> None:
    async with memory() as service:
        one, two = await service.node(), await service.node()
        service.hub.cut(two.broker.node)
        one.broker.signal(two.broker.node, b"1")
        two.broker.signal(one.broker.node, b"2")
        service.hub.restore(two.broker.node)
        assert one.signals == two.signals == []


async def test_a_node_that_is_cut_off_or_killed_is_gone_after_its_time_to_live(memory: Any) -> None:
    async with memory(time_to_live=5.0) as service:
        one, cut, killed = [await service.node() for _ in range(3)]
        for node in (cut, killed):
            node.broker.set_member("g", 1)
        service.hub.cut(cut.broker.node)
        service.hub.kill(killed.broker.node)
        await anyio.sleep(4)
        assert len(await one.broker.members("g")) == 2
        await anyio.sleep(1)
        assert await one.broker.members("g") == {}
        cut.broker.set_member("g", 2)
        cut.broker.set_member("h", 3)
        service.hub.restore(cut.broker.node)
        service.hub.restore(killed.broker.node)
        assert await one.broker.members("g") == {cut.broker.node: 2}
        assert await one.broker.members("h") == {cut.broker.node: 3}
        assert killed.changes == [True]


async def test_a_node_that_left_a_group_while_cut_off_has_left_it(memory: Any) -> None:
    async with memory() as service:
        node = await service.node()
        node.broker.set_member("g", 1)
        service.hub.cut(node.broker.node)
        node.broker.set_member("g", 0)
        service.hub.restore(node.broker.node)
        assert await node.broker.members("g") == {}


async def test_a_killed_node_is_told_nothing(memory: Any, reading: Any) -> None:
    async with memory() as service:
        one, killed, cut = [await service.node() for _ in range(3)]
        got = reading()
        await killed.broker.follow("t", got)
        service.hub.cut(cut.broker.node)
        service.hub.kill(cut.broker.node)
        service.hub.kill(killed.broker.node)
        service.hub.restore(cut.broker.node)
        one.send("t", b"1")
        one.broker.signal(killed.broker.node, b"2")
        assert (got.told, killed.signals, killed.changes, cut.changes) == ([], [], [True], [True, False])


async def test_a_hub_that_was_wiped_leaves_possible_holes(memory: Any, reading: Any) -> None:
    async with memory() as service:
        one, two = await service.node(), await service.node()
        got = reading()
        begun = await one.broker.follow("t", got)
        one.broker.set_member("g", 1)
        two.send("t", b"1")
        old = got.entries[0].position
        service.hub.cut(two.broker.node)
        service.hub.wipe()
        one.send("t", b"2")
        service.hub.restore(two.broker.node)
        assert got.told == [b"1", Hole(certain=False, reason="the log was kept in memory, and is lost"), b"2"]
        for position in (begun, old):
            stretch = await two.broker.read("t", position)
            assert ([entry.data for entry in stretch.entries], stretch.hole) == ([b"2"], got.holes[0])
        assert (await two.broker.read("t", got.starts[0])).hole is None
        assert await two.broker.members("g") == {one.broker.node: 1}
        assert one.changes == [True, False, True]


async def test_a_log_is_bounded_by_age(memory: Any, reading: Any) -> None:
    async with memory(max_age=10.0) as service:
        node = await service.node()
        got = reading()
        await node.broker.follow("t", got)
        node.send("t", b"1", b"2")
        await anyio.sleep(6)
        node.send("t", b"3")
        await anyio.sleep(6)
        stretch = await node.broker.read("t", got.entries[0].position)
        assert ([entry.data for entry in stretch.entries], stretch.hole.certain) == ([b"3"], True)
        assert (await node.broker.read("t", got.entries[1].position)).hole is None
        await anyio.sleep(6)
        node.send("other", b"")
        end = got.entries[2].position
        for position in (got.entries[1].position, end):
            stretch = await node.broker.read("t", position)
            assert (stretch.entries, stretch.hole, stretch.position) == ((), None, position)
        node.send("t", b"4")
        assert (got.data, got.holes) == ([b"1", b"2", b"3", b"4"], [])


@pytest.mark.parametrize("appends", [0, 1])
async def test_a_node_that_was_away_for_longer_than_entries_are_kept_may_have_lost_some(
    memory: Any, reading: Any, appends: int
) -> None:
    async with memory(max_age=10.0) as service:
        node, other = await service.node(), await service.node()
        got = reading()
        await node.broker.follow("t", got)
        other.send("t", b"1")
        service.hub.cut(node.broker.node)
        other.send("t", b"2")
        await anyio.sleep(11)
        other.send("t", *[b"3"] * appends)
        service.hub.restore(node.broker.node)
        assert [hole.certain for hole in got.holes] == [False]
        assert got.told == [b"1", got.holes[0], *[b"3"] * appends]


async def test_readers_that_append_while_they_catch_up_keep_the_order(memory: Any, reading: Any) -> None:
    async with memory() as service:
        one, two = await service.node(), await service.node()
        got, all_of_it = reading(), reading()

        class Answering(type(got)):
            def on_entry(self, entry: Any) -> None:
                super().on_entry(entry)
                if len(entry.data) == 1:
                    one.send("t", entry.data + b"!")
                    two.send("t", entry.data + b"?")

        answering = Answering()
        await two.broker.follow("t", answering)
        await one.broker.follow("t", all_of_it)
        service.hub.cut(two.broker.node)
        one.send("t", b"1", b"2")
        service.hub.restore(two.broker.node)
        assert answering.data == all_of_it.data == [b"1", b"2", b"1!", b"2!", b"1?", b"2?"]


async def test_a_callback_may_cut_its_own_node_off(memory: Any, reading: Any) -> None:
    async with memory() as service:
        node = await service.node(command_timeout=1.0)
        readings = {topic: reading() for topic in "ab"}
        for topic, got in readings.items():
            await node.broker.follow(topic, got)
        service.hub.cut(node.broker.node)
        outcomes = []

        def on_done(outcome: Any) -> None:
            outcomes.append(outcome)
            service.hub.cut(node.broker.node)

        node.broker.append("a", b"1", on_done, within=5.0)
        node.broker.append("a", b"2", outcomes.append, within=5.0)
        service.hub.restore(node.broker.node)
        assert len(outcomes) == 2, "both were appended before either was told"
        with pytest.raises(BrokerUnavailable):
            await node.broker.read("a", "")
        service.hub.restore(node.broker.node)
        assert readings["a"].data == [b"1", b"2"]


async def test_a_topic_that_another_reader_ends_is_not_caught_up_with(memory: Any, reading: Any) -> None:
    async with memory() as service:
        node, other = await service.node(), await service.node()
        second = reading()

        class Ending(reading):  # type: ignore[misc]
            def on_entry(self, entry: Any) -> None:
                super().on_entry(entry)
                node.broker.unfollow("b")

        first = Ending()
        await node.broker.follow("a", first)
        await node.broker.follow("b", second)
        service.hub.cut(node.broker.node)
        other.send("b", b"1")
        other.send("a", b"2")
        service.hub.restore(node.broker.node)
        service.hub.restore("nobody")
        service.hub.kill("nobody")
        assert (first.data, second.told) == ([b"2"], [])


async def test_a_simulation_repeats() -> None:
    names = []
    for _ in range(2):
        hub = MemoryHub(name="simulated", clock=lambda: 0.0)
        names.append((MemoryBroker(hub).node, MemoryBroker(hub).node, hub.append("t", b"").position))
    assert names[0] == names[1] == ("simulated.1", "simulated.2", "simulated.1-1")
    assert MemoryBroker().node != MemoryBroker().node


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MemoryHub(max_entries=0), "max_entries"),
        (lambda: MemoryHub(max_age=0.0), "max_age"),
        (lambda: MemoryHub(time_to_live=-1.0), "time_to_live"),
        (lambda: MemoryHub(name=""), "name"),
        (lambda: MemoryBroker(7), "hub"),
        (lambda: MemoryBroker(command_timeout=0), "command_timeout"),
        (lambda: MemoryBroker(max_waiting_entries=0), "max_waiting_entries"),
        (lambda: MemoryBroker(max_waiting_bytes=0), "max_waiting_bytes"),
    ],
)
def test_wrong_arguments_are_refused_by_name(make: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        make()
