"""Membership over Redis: of nodes that live, whatever happens to nodes and to Redis."""

from __future__ import annotations

from typing import Any

import anyio

from rcex_ws.broker import redis_members
from tests.redis_server import RedisServer


async def seen(node: Any, group: str, expected: dict[str, int], ms: float) -> None:
    with anyio.fail_after(10):
        while await node.broker.members(group) != expected:
            await anyio.sleep(2 * ms)


async def test_a_node_that_was_killed_is_gone_within_its_time_to_live(redis: Any, ms: float) -> None:
    async with redis(time_to_live=400 * ms) as service:
        one, two = await service.node(), await service.node()
        two.broker.set_member("g", 2)
        await seen(one, "g", {two.broker.node: 2}, ms)
        await two.kill()
        began = anyio.current_time()
        await seen(one, "g", {}, ms)
        assert anyio.current_time() - began < 800 * ms
        assert service.server.command("HGETALL", "rtm:group:g") == []


async def test_a_node_that_lives_stays(redis: Any, ms: float) -> None:
    async with redis(time_to_live=150 * ms) as service:
        one, two = await service.node(), await service.node()
        two.broker.set_member("g", 2)
        await seen(one, "g", {two.broker.node: 2}, ms)
        for _ in range(10):
            await anyio.sleep(50 * ms)
            assert await one.broker.members("g") == {two.broker.node: 2}


async def test_a_node_that_was_taken_for_dead_sets_everything_again(
    redis: Any, ms: float, redis_server: RedisServer
) -> None:
    async with redis(time_to_live=150 * ms) as service:
        one, two = await service.node(), await service.node()
        two.broker.set_member("g", 2)
        await seen(one, "g", {two.broker.node: 2}, ms)
        redis_server.command("DEL", f"rtm:alive:{two.broker.node}")
        redis_server.command("DEL", "rtm:group:g")
        await seen(one, "g", {two.broker.node: 2}, ms)


async def test_changes_are_sent_together_and_the_last_counts(redis: Any, ms: float, redis_server: RedisServer) -> None:
    async with redis() as service:
        node = await service.node()
        redis_server.command("CONFIG", "RESETSTAT")
        for value in range(100):
            for group in range(20):
                node.broker.set_member(f"g{group}", value)
        node.broker.set_member("g0", 0)
        await seen(node, "g19", {node.broker.node: 99}, ms)
        await seen(node, "g0", {}, ms)
        calls = redis_server.command("INFO", "commandstats").decode()
        sets = next(line for line in calls.splitlines() if line.startswith("cmdstat_hset"))
        assert int(sets.partition("calls=")[2].partition(",")[0]) <= 40


async def test_more_groups_than_are_set_in_one_go(redis: Any, ms: float) -> None:
    async with redis() as service:
        one, two = await service.node(), await service.node()
        for group in range(1200):
            one.broker.set_member(f"g{group}", group + 1)
        for group in (0, 600, 1199):
            await seen(two, f"g{group}", {one.broker.node: group + 1}, ms)
        for group in range(1200):
            one.broker.set_member(f"g{group}", 0)
        await seen(two, "g1199", {}, ms)
        await seen(two, "g0", {}, ms)
        assert service.server.command("KEYS", "rtm:group:*") == []
        one.broker.set_member("g0", 5)
        await seen(two, "g0", {one.broker.node: 5}, ms)


async def test_groups_are_set_again_long_before_redis_forgets_them(
    redis: Any, ms: float, monkeypatch: Any, redis_server: RedisServer
) -> None:
    async with redis(time_to_live=60 * ms) as service:
        node = await service.node()
        node.broker.set_member("g", 1)
        await seen(node, "g", {node.broker.node: 1}, ms)
        assert redis_server.command("TTL", "rtm:group:g") > 80_000
        redis_server.command("DEL", "rtm:group:g")
        monkeypatch.setattr(redis_members, "_EXPIRY", 1)
        await seen(node, "g", {node.broker.node: 1}, ms)
        assert 0 < redis_server.command("PTTL", "rtm:group:g") <= 1000
