"""Batches that are sent again: whatever became of the first try, each entry is appended once, or told to be lost."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.broker import Appended, BrokerUnavailable
from rcex_ws.broker.scripts import APPEND
from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer


class Script:
    """Runs the script `append` as a node does."""

    def __init__(self, server: RedisServer, node: str = "n") -> None:
        self.server = server
        self.node = node
        self.most = 100

    def append(self, *entries: tuple[int, str, str]) -> list[Any]:
        """Append entries (number, topic, data); return id and followers of each."""
        topics = list(dict.fromkeys(topic for _, topic, _ in entries))
        keys = ["rtm:epoch", f"rtm:sent:{self.node}", *(f"rtm:log:{topic}" for topic in topics)]
        args: list[str | int] = ["run", "fresh", self.most, 300_000]
        for number, topic, data in entries:
            args += [topics.index(topic) + 3, f"rtm:0:topic:{topic}", 1, number, data]
        epoch, flat = self.server.command("EVAL", APPEND.source, len(keys), *keys, *args)
        assert epoch == b"fresh"
        return list(zip(flat[::2], flat[1::2], strict=True))

    def log(self, topic: str) -> list[bytes]:
        return [fields[3] for _, fields in self.server.command("XRANGE", f"rtm:log:{topic}", "-", "+")]


@pytest.fixture
def script(redis_server: RedisServer) -> Script:
    return Script(redis_server)


def test_a_batch_that_is_sent_again_appends_nothing_and_has_the_same_outcome(script: Script) -> None:
    batch = [(1, "a", "1"), (2, "b", "2"), (3, "a", "3")]
    first = script.append(*batch)
    assert script.append(*batch) == first
    assert script.append(*batch[1:]) == first[1:]
    assert (script.log("a"), script.log("b")) == ([b"1", b"3"], [b"2"])


def test_a_batch_that_was_sent_again_without_what_failed_meanwhile(script: Script) -> None:
    later = script.append((3, "a", "3"), (4, "a", "4"))
    late = script.append((1, "a", "1"), (2, "a", "2"), (3, "a", "3"), (4, "a", "4"))
    assert late[:2] == [(b"", b"it was given up")] * 2
    assert late[2:] == later
    assert script.log("a") == [b"3", b"4"]


def test_a_batch_that_arrives_after_the_next_one_is_too_late(script: Script) -> None:
    script.append((1, "a", "1"))
    script.append((2, "a", "2"))
    assert script.append((1, "a", "1")) == [(b"", b"it was given up")]
    script.append((2, "a", "2"), (3, "a", "3"))
    assert script.log("a") == [b"1", b"2", b"3"]


def test_the_numbers_of_nodes_are_apart(script: Script, redis_server: RedisServer) -> None:
    script.append((7, "a", "1"))
    Script(redis_server, "other").append((1, "a", "2"))
    assert script.log("a") == [b"1", b"2"]


def test_entries_name_the_one_before(script: Script, redis_server: RedisServer) -> None:
    ids = [id_ for id_, _ in script.append((1, "a", "1"), (2, "b", ""), (3, "a", "3"))]
    ids += [id_ for id_, _ in script.append((4, "a", "4"))]
    befores = [fields[1] for _, fields in redis_server.command("XRANGE", "rtm:log:a", "-", "+")]
    assert befores == [b"fresh-0-0", b"fresh-" + ids[0], b"fresh-" + ids[2]]


def test_logs_are_bounded_and_expire(script: Script, redis_server: RedisServer) -> None:
    for number in range(1, 1000):
        script.append((number, "a", ""))
    assert 100 <= redis_server.command("XLEN", "rtm:log:a") < 300
    assert 299_000 < redis_server.command("PTTL", "rtm:log:a") <= 300_000
    assert redis_server.command("PTTL", "rtm:sent:n") > 0


def test_an_entry_that_redis_refuses_does_not_stop_the_others(script: Script, redis_server: RedisServer) -> None:
    redis_server.command("SET", "rtm:log:b", "no log")
    one, two, three = script.append((1, "a", "1"), (2, "b", "2"), (3, "a", "3"))
    assert one[0]
    assert three[0]
    assert two[0] == b""
    assert b"WRONGTYPE" in two[1]
    assert script.log("a") == [b"1", b"3"]


async def test_a_refused_entry_fails_with_the_reason(redis: Any, redis_server: RedisServer) -> None:
    async with redis() as service:
        node = await service.node()
        redis_server.command("SET", "rtm:log:b", "no log")
        with pytest.raises(BrokerUnavailable, match="WRONGTYPE") as caught:
            await node.append("b", b"")
        assert not caught.value.sent
        with pytest.raises(BrokerUnavailable, match="wrong kind of value"):
            await node.broker.read("b", "")
        await node.append("a", b"")
        assert node.changes == [True]


@pytest.mark.parametrize("alone", [True, False])
async def test_an_answer_that_is_lost_after_the_script_ran(
    redis: Any, redis_server: RedisServer, reading: Any, until: Any, alone: bool
) -> None:
    with FaultProxy(redis_server.host, redis_server.port) as proxy:
        async with redis() as service:
            far, near = await service.node(url=f"redis://{proxy.host}:{proxy.port}"), await service.node()
            got = reading()
            await near.broker.follow("t", got)
            proxy.freeze("down")  # Redis gets what is sent, and the node gets no answer
            datas = [b"1"] if alone else [b"%d" % number for number in range(1200)]
            far.send("t", *datas)
            await until(lambda: got.data)
            near.send("t", b"between")
            await anyio.to_thread.run_sync(proxy.reset)
            proxy.thaw()
            await until(lambda: len(far.outcomes) == len(datas) and len(got.data) == len(datas) + 1)
            assert [data for data in got.data if data != b"between"] == datas
            assert all(isinstance(outcome, Appended) for outcome in far.outcomes)
            positions = [entry.position for entry in got.entries if entry.data != b"between"]
            assert [outcome.position for outcome in far.outcomes] == positions


async def test_entries_of_many_topics_keep_the_order_of_the_calls(redis: Any, until: Any) -> None:
    async with redis() as service:
        one, two = await service.node(), await service.node()
        told: list[bytes] = []

        class Shared:
            def on_entry(self, entry: Any) -> None:
                told.append(entry.data)

            def on_hole(self, *args: Any) -> None:
                raise AssertionError(args)

        for topic in "abc":
            await two.broker.follow(topic, Shared())
        datas = [b"%d" % number for number in range(600)]
        for number, data in enumerate(datas):
            one.send("abbcacbaaa"[number % 10], data)
        await until(lambda: len(told) == 600)
        assert told == datas
