"""What holds for every broker: the same tests run over memory and over Redis."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.broker import Appended, BrokerUnavailable, Hole


async def test_entries_reach_all_followers_once_and_in_order(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        here, there = reading(), reading()
        await one.broker.follow("t", here)
        await two.broker.follow("t", there)
        one.send("t", *[b"%d" % number for number in range(100)])
        await until(lambda: len(here.data) == len(there.data) == len(one.outcomes) == 100)
        assert here.data == there.data == [b"%d" % number for number in range(100)]
        assert [entry.position for entry in here.entries] == [outcome.position for outcome in one.outcomes]
        assert {outcome.followers for outcome in one.outcomes} == {2}
        assert here.holes == there.holes == []


async def test_only_followers_of_a_topic_get_its_entries(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        a, b = reading(), reading()
        await one.broker.follow("a", a)
        await two.broker.follow("b", b)
        assert (await one.append("none", b"0")).followers == 0
        assert (await one.append("a", b"1")).followers == 1
        assert (await two.append("b", b"2")).followers == 1
        await until(lambda: a.data and b.data)
        assert (a.data, b.data) == ([b"1"], [b"2"])


async def test_data_and_topics_are_any_bytes_and_text(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        node = await service.node()
        topics = ["ä b", "{x}", "*", "a\nb", "a,b;c", "\0", "…" * 300]
        datas = [b"", b"\0\r\n$5\r\n", bytes(range(256)), b"x" * 200_000]
        readings = {topic: reading() for topic in topics}
        for topic, one in readings.items():
            await node.broker.follow(topic, one)
            node.send(topic, *datas)
        await until(lambda: all(len(one.data) == len(datas) for one in readings.values()))
        assert all(one.data == datas for one in readings.values())
        for one in readings.values():
            for entry in one.entries:
                assert not set(entry.position) & set(" \t\n,;")


async def test_follow_begins_at_the_end_and_its_position_is_before_what_comes(
    world: Any, reading: Any, until: Any
) -> None:
    async with world() as service:
        node = await service.node()
        before = await node.append("t", b"old")
        got = reading()
        begun = await node.broker.follow("t", got)
        assert begun == before.position
        await node.append("t", b"new")
        await until(lambda: got.data)
        assert got.data == [b"new"]
        stretch = await node.broker.read("t", begun)
        assert ([entry.data for entry in stretch.entries], stretch.hole) == ([b"new"], None)


async def test_a_new_topic_has_a_position_as_well(world: Any, reading: Any) -> None:
    async with world() as service:
        node = await service.node()
        begun = await node.broker.follow("t", reading())
        assert (await node.broker.read("t", begun)).entries == ()
        await node.append("t", b"1")
        await node.append("t", b"2")
        stretch = await node.broker.read("t", begun)
        assert ([entry.data for entry in stretch.entries], stretch.hole) == ([b"1", b"2"], None)
        assert stretch.position == stretch.entries[-1].position


async def test_unfollow_ends_it_and_a_topic_can_be_followed_again(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        node, other = await service.node(), await service.node()
        first, second = reading(), reading()
        node.broker.unfollow("t")
        await node.broker.follow("t", first)
        await other.append("t", b"1")
        await until(lambda: first.data)
        node.broker.unfollow("t")
        await other.append("t", b"2")
        await node.broker.follow("t", second)
        await other.append("t", b"3")
        await until(lambda: second.data)
        assert (first.data, second.data) == ([b"1"], [b"3"])
        node.broker.unfollow("t")
        while (await other.append("t", b"4")).followers:
            pass


async def test_a_topic_is_followed_once(world: Any, reading: Any) -> None:
    async with world() as service:
        node = await service.node()
        await node.broker.follow("t", reading())
        with pytest.raises(ConfigurationError, match="topic"):
            await node.broker.follow("t", reading())


async def test_a_log_is_read_from_any_position_on(world: Any) -> None:
    async with world() as service:
        node, other = await service.node(), await service.node()
        positions = [(await node.append("t", b"%d" % number)).position for number in range(5)]
        assert len(set(positions)) == 5
        for number, position in enumerate(positions):
            stretch = await other.broker.read("t", position)
            assert [entry.data for entry in stretch.entries] == [b"%d" % later for later in range(number + 1, 5)]
            assert [entry.position for entry in stretch.entries] == positions[number + 1 :]
            assert (stretch.hole, stretch.position) == (None, positions[-1])


async def test_positions_of_a_topic_have_an_order(world: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        positions = ["", *[(await node.append("t", b"x")).position for node in (one, two) * 10]]
        after = [[one.broker.is_after(position, other) for other in positions] for position in positions[1:]]
        assert after == [[place < number for place in range(21)] for number in range(1, 21)]
        assert one.broker.is_after(positions[1], "unknown")
        assert two.broker.is_of_one_log(positions[1], positions[20])
        assert not two.broker.is_of_one_log(positions[1], "unknown")
        assert not two.broker.is_of_one_log("", "")


async def test_a_position_that_the_log_no_longer_reaches_shows_a_certain_hole(world: Any) -> None:
    async with world(max_entries=10) as service:
        node = await service.node()
        first = (await node.append("t", b"first")).position
        node.send("t", *[b"%d" % number for number in range(999)])
        last = await node.append("t", b"last")
        stretch = await node.broker.read("t", first)
        assert stretch.hole is not None
        assert stretch.hole.certain
        assert 10 <= len(stretch.entries) < 500
        assert (stretch.entries[-1].data, stretch.position) == (b"last", last.position)
        assert (await node.broker.read("t", stretch.entries[0].position)).hole is None


@pytest.mark.parametrize("position", ["elsewhere-1-2", "x", "", "-", "1-1", "é-5-5", "a-99999999999999999999999-0"])
async def test_a_position_of_elsewhere_shows_a_possible_hole_and_all_that_there_is(world: Any, position: str) -> None:
    async with world() as service:
        node = await service.node()
        appended = await node.append("t", b"1")
        stretch = await node.broker.read("t", position)
        assert isinstance(stretch.hole, Hole)
        assert not stretch.hole.certain
        assert stretch.hole.reason
        assert [entry.data for entry in stretch.entries] == [b"1"]
        assert stretch.position == appended.position
        assert (await node.broker.read("none", position)).hole is not None


async def test_a_reader_may_call_the_broker(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        got = reading()

        class Answering(type(got)):
            def on_entry(self, entry: Any) -> None:
                super().on_entry(entry)
                if len(entry.data) < 5:
                    one.send("t", entry.data + b"x")
                    one.broker.signal(two.broker.node, entry.data)

        answering = Answering()
        await one.broker.follow("t", answering)
        await two.broker.follow("t", got)
        one.send("t", b"a", b"b")
        await until(lambda: len(got.data) == len(answering.data) == 10 and len(two.signals) == 8)
        assert got.data == answering.data
        assert [data for data in got.data if data.startswith(b"a")] == [b"a" + b"x" * count for count in range(5)]


async def test_signals_reach_their_node_in_order(world: Any, until: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        for number in range(50):
            one.broker.signal(two.broker.node, b"%d" % number)
        one.broker.signal("nobody", b"lost")
        one.broker.signal(one.broker.node, b"to myself")
        await until(lambda: len(two.signals) == 50 and one.signals)
        assert two.signals == [b"%d" % number for number in range(50)]
        assert one.signals == [b"to myself"]


async def test_members_are_those_of_living_nodes(world: Any, until: Any) -> None:
    async with world() as service:
        one, two = await service.node(), await service.node()
        assert await one.broker.members("g") == {}
        one.broker.set_member("g", 3)
        two.broker.set_member("g", 1)
        two.broker.set_member("other", 7)
        names = one.broker.node, two.broker.node

        async def see(*counts: int) -> bool:
            return await two.broker.members("g") == {
                node: count for node, count in zip(names, counts, strict=True) if count
            }

        await eventually(see, 3, 1)
        one.broker.set_member("g", 4)
        two.broker.set_member("g", 0)
        two.broker.set_member("never", 0)
        await eventually(see, 4, 0)
        assert await one.broker.members("other") == {names[1]: 7}
        await one.stop()
        await eventually(see, 0, 0)


async def eventually(see: Any, *args: Any) -> None:
    for _ in range(1000):
        if await see(*args):
            return
    raise AssertionError("it never came")


async def test_a_closed_broker_fails_what_waits_and_what_comes(world: Any) -> None:
    async with world() as service:
        node = await service.node()
        await node.stop()
        assert not node.broker.connected
        node.send("t", b"late")
        (outcome,) = node.outcomes
        assert isinstance(outcome, BrokerUnavailable)
        assert outcome.retryable
        assert not outcome.sent


async def test_nodes_differ(world: Any) -> None:
    async with world() as service:
        nodes = [await service.node() for _ in range(5)]
        assert len({node.broker.node for node in nodes}) == 5
        assert all(node.changes == [True] for node in nodes)


async def test_what_is_called_before_the_first_connection_is_done_then(world: Any, reading: Any, until: Any) -> None:
    async with world() as service:
        other = await service.node()
        node = await service.node(connected=False)
        node.send("t", b"1", b"2")
        node.broker.set_member("g", 1)
        got = reading()
        await node.broker.follow("u", got)
        await until(lambda: len(node.outcomes) == 2)
        assert all(isinstance(outcome, Appended) for outcome in node.outcomes)
        await other.append("u", b"3")
        await until(lambda: got.data == [b"3"])
        assert await other.broker.members("g") == {node.broker.node: 1}
        assert got.holes == []
