"""Following over Redis: many topics, long logs, logs that were cut, and readers that stop in the middle."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.broker import BrokerUnavailable, Hole
from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer


@pytest.fixture
def cut_off(redis_server: RedisServer) -> Any:
    """A network that can be gone."""
    with FaultProxy(redis_server.host, redis_server.port) as proxy:
        yield proxy


async def leave(proxy: FaultProxy) -> None:
    await anyio.to_thread.run_sync(proxy.refuse)
    await anyio.to_thread.run_sync(proxy.cut)


async def come_back(proxy: FaultProxy) -> None:
    await anyio.to_thread.run_sync(proxy.accept)


def url_of(proxy: FaultProxy) -> str:
    return f"redis://{proxy.host}:{proxy.port}"


async def test_a_long_log_is_caught_up_with_in_parts(redis: Any, cut_off: Any, reading: Any, until: Any) -> None:
    async with redis() as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        got = reading()
        begun = await far.broker.follow("t", got)
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        datas = [b"%d" % number for number in range(1000)]
        near.send("t", *datas)
        await until(lambda: len(near.outcomes) == 1000)
        await come_back(cut_off)
        near.send("t", b"live")
        await until(lambda: len(got.data) == 1001)
        assert got.data == [*datas, b"live"]
        assert got.holes == []
        stretch = await near.broker.read("t", begun)
        assert [entry.data for entry in stretch.entries] == got.data


async def test_a_log_that_was_cut_meanwhile_shows_a_certain_hole(
    redis: Any, cut_off: Any, reading: Any, until: Any
) -> None:
    async with redis(max_entries=100) as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        got = reading()
        await far.broker.follow("t", got)
        await near.append("t", b"first")
        await until(lambda: got.data)
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        near.send("t", *[b"%d" % number for number in range(1000)])
        await until(lambda: len(near.outcomes) == 1000)
        await come_back(cut_off)
        await until(lambda: got.data[-1] == b"999")
        assert [hole.certain for hole in got.holes] == [True]
        kept = got.data[1:]
        assert got.told == [b"first", got.holes[0], *kept]
        assert kept == [b"%d" % number for number in range(1000 - len(kept), 1000)]
        stretch = await near.broker.read("t", got.starts[0])
        assert ([entry.data for entry in stretch.entries], stretch.hole) == (kept, None)


async def test_a_node_that_was_away_for_longer_than_entries_are_kept_may_have_lost_some(
    redis: Any, cut_off: Any, reading: Any, until: Any, ms: float, redis_server: RedisServer
) -> None:
    async with redis(max_age=400 * ms, command_timeout=300 * ms) as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        quick, slow = reading(), reading()
        await far.broker.follow("t", quick)
        await near.broker.follow("t", slow)
        await near.append("t", b"1")
        await until(lambda: quick.data and slow.data)
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        await near.append("t", b"2")
        await until(lambda: redis_server.command("EXISTS", "rtm:log:t") == 0)
        await near.append("t", b"3")
        await come_back(cut_off)
        await until(lambda: len(quick.data) == 2)
        assert [hole.certain for hole in quick.holes] == [False]
        assert "away" in quick.holes[0].reason
        assert (quick.data, slow.data, slow.holes) == ([b"1", b"3"], [b"1", b"2", b"3"], [])


async def test_a_log_that_was_deleted_before_its_time_leaves_a_possible_hole(
    redis: Any, redis_server: RedisServer
) -> None:
    async with redis() as service:
        node = await service.node()
        first = await node.append("t", b"1")
        await node.append("t", b"2")
        redis_server.command("DEL", "rtm:log:t")
        await anyio.sleep(0.005)  # ids are milliseconds, and the first one is not to come again
        for data in ([], [b"3"]):
            for one in data:
                await node.append("t", one)
            stretch = await node.broker.read("t", first.position)
            assert ([entry.data for entry in stretch.entries], stretch.hole.certain) == (data, False)


async def test_many_topics_are_followed_at_once_and_again_after_a_loss(
    redis: Any, cut_off: Any, reading: Any, until: Any
) -> None:
    async with redis() as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        readings = {f"t{number}": reading() for number in range(350)}
        async with anyio.create_task_group() as group:
            for topic, got in readings.items():
                group.start_soon(far.broker.follow, topic, got)
        for round_ in range(2):
            for topic in readings:
                near.send(topic, b"%d" % round_)
            await anyio.to_thread.run_sync(cut_off.cut)
        await until(lambda: all(got.data == [b"0", b"1"] for got in readings.values()))
        assert not any(got.holes for got in readings.values())


async def test_a_message_that_was_lost_is_noticed_by_the_next(
    redis: Any, reading: Any, until: Any, redis_server: RedisServer
) -> None:
    async with redis() as service:
        one, two = await service.node(), await service.node()
        got = reading()
        await two.broker.follow("t", got)
        await one.append("t", b"1")
        await until(lambda: got.data)
        redis_server.command("CONFIG", "SET", "notify-keyspace-events", "")
        redis_server.command("ACL", "SETUSER", "default", "resetchannels")
        redis_server.command("ACL", "SETUSER", "default", "allchannels")
        last = redis_server.command("XREVRANGE", "rtm:log:t", "+", "-", "COUNT", 1)[0]
        before = last[1][1].split(b"-")[0] + b"-" + last[0]
        redis_server.command("XADD", "rtm:log:t", "*", "p", before, "d", "unpublished")
        await one.append("t", b"2")
        await until(lambda: len(got.data) == 3)
        assert (got.data, got.holes) == ([b"1", b"unpublished", b"2"], [])


async def test_a_reader_may_stop_in_the_middle(redis: Any, cut_off: Any, reading: Any, until: Any) -> None:
    async with redis() as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()

        class Stopping(reading):  # type: ignore[misc]
            def on_entry(self, entry: Any) -> None:
                super().on_entry(entry)
                if entry.data == b"stop":
                    far.broker.unfollow("t")

        live, late, next_ = Stopping(), Stopping(), reading()
        await far.broker.follow("t", live)
        near.send("t", b"1", b"stop", b"2")
        await until(lambda: len(live.data) >= 2)
        await far.broker.follow("t", late)
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        near.send("t", b"3", b"stop", b"4")
        await until(lambda: len(near.outcomes) == 6)
        await come_back(cut_off)
        await until(lambda: len(late.data) >= 2)
        await far.broker.follow("t", next_)
        await near.append("t", b"5")
        await until(lambda: next_.data)
        assert (live.data, late.data, next_.data) == ([b"1", b"stop"], [b"3", b"stop"], [b"5"])


async def test_follow_that_is_cancelled_or_undone_meanwhile_leaves_nothing(
    redis: Any, cut_off: Any, reading: Any, until: Any, ms: float
) -> None:
    async with redis() as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        got = reading()
        with anyio.move_on_after(20 * ms):
            await far.broker.follow("cancelled", got)

        async def follow() -> None:
            with pytest.raises(BrokerUnavailable, match="unfollowed"):
                await far.broker.follow("undone", got)

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            far.broker.unfollow("undone")
        await come_back(cut_off)
        await until(lambda: far.broker.connected)
        for topic in ("cancelled", "undone"):
            assert (await near.append(topic, b"")).followers == 0
        assert got.told == []


async def test_a_topic_may_be_unfollowed_in_the_moment_of_the_loss(redis: Any, reading: Any, until: Any) -> None:
    async with redis() as service:
        node, other = await service.node(), await service.node()
        got = reading()
        await node.broker.follow("t", got)
        node.broker._session.feed._connection.invalidate()
        node.broker.unfollow("t")
        await until(lambda: node.changes == [True, False, True])
        assert (await other.append("t", b"")).followers == 0


async def test_a_late_topic_tells_a_hole_unless_it_was_unfollowed(
    redis: Any, cut_off: Any, reading: Any, until: Any, ms: float
) -> None:
    async with redis(command_timeout=250 * ms) as service:
        far = await service.node(url=url_of(cut_off))
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        late, undone = reading(), reading()
        for topic, got in (("late", late), ("undone", undone)):
            with pytest.raises(BrokerUnavailable):
                await far.broker.follow(topic, got)
        far.broker.unfollow("undone")
        await come_back(cut_off)
        await until(lambda: late.holes)
        assert late.told == [Hole(certain=False, reason="the topic could not be followed in time")]
        assert undone.told == []


async def test_topics_of_others_and_messages_that_come_too_late_are_passed_over(
    redis: Any, reading: Any, redis_server: RedisServer, until: Any
) -> None:
    async with redis() as service:
        node = await service.node()
        got = reading()
        await node.broker.follow("t", got)
        node.broker._topics.on_message(b"rtm:0:topic:none", b"e 0-0 1-0 0\n")
        await node.append("t", b"1")
        await until(lambda: got.data)
        redis_server.command("PUBLISH", "rtm:0:topic:t", "e 0-0 1-0 0\n")  # an epoch that was never
        await node.append("t", b"2")
        await until(lambda: len(got.data) == 2)
        assert (got.data, got.holes) == ([b"1", b"2"], [])


async def test_a_log_is_not_read_ahead_of_what_its_reader_is_told_after_a_restart(
    redis: Any, cut_off: Any, reading: Any, until: Any, redis_server: RedisServer
) -> None:
    """Or a reader would get what was read once more, after the hole of the restart."""
    async with redis() as service:
        far, near = await service.node(url=url_of(cut_off)), await service.node()
        got = reading()
        for number in range(300):  # these are caught up with first
            await far.broker.follow(f"other {number}", reading())
        begun = await far.broker.follow("t", got)
        await leave(cut_off)
        await until(lambda: not far.broker.connected)
        redis_server.command("DEL", "rtm:epoch")  # as if Redis was restarted
        await near.append("t", b"1")
        await come_back(cut_off)
        await until(lambda: far.broker.connected)
        stretch = await far.broker.read("t", begun)
        assert [entry.data for entry in stretch.entries] == [b"1"]
        assert stretch.hole is not None
        assert got.told == [stretch.hole, b"1"]
