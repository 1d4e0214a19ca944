"""Two server processes and a real Redis: what is published comes once and in order, or a gap is told.

Each test lets one thing fail. Many at a time, at random, are the oracle's (`python -m oracle.rtm.soak`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import anyio
import pytest

from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer, redis_is_installed
from tests.rtm.many_machines import Listener, Need, ServerProcess, eventually, run_server

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def redis(need: Need) -> Iterator[RedisServer]:
    need(redis_is_installed(), "redis-server (Debian's package of that name)")
    with RedisServer(("appendonly", "yes")) as redis:
        yield redis


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def servers(stack: AsyncExitStack, *redis: str) -> list[ServerProcess]:
    return [await stack.enter_async_context(run_server(url)) for url in redis]


async def listener(stack: AsyncExitStack, url: str, user: str) -> Listener:
    one = Listener(url, user)
    await stack.enter_async_context(one.client)
    return one


def proxy_to(stack: AsyncExitStack, url: str) -> FaultProxy:
    return stack.enter_context(FaultProxy.to(url))


async def test_publishes_reach_a_user_on_both_servers_and_nobody_else(
    stack: AsyncExitStack, redis: RedisServer
) -> None:
    a, b = await servers(stack, redis.url, redis.url)
    ann_a, ann_b = await listener(stack, a.url, "ann"), await listener(stack, b.url, "ann")
    bob = await listener(stack, b.url, "bob")
    assert await a.order("publish", "ann", "n", 0) == 2
    assert await b.order("publish", "ann", "n", 1) == 2
    assert await a.order("publish", "bob", "n", 100) == 1
    assert await a.order("publish", "cid", "n", 200) == 0
    await a.order("publish_many", "ann", 2, 500)
    for ann in (ann_a, ann_b):
        await ann.heard(501)
        assert ann.told == list(range(502))
    await bob.heard(100)
    assert bob.told == [100]

    async def known() -> bool:
        seen = [await one.order("presence", "ann") for one in (a, b)]
        return seen == [{a.id: 1, b.id: 1}] * 2 and await a.order("count") == 3

    await eventually(known)


async def test_both_servers_publish_at_once_and_all_connections_hear_the_same_order(
    stack: AsyncExitStack, redis: RedisServer
) -> None:
    a, b = await servers(stack, redis.url, redis.url)
    anns = [await listener(stack, one.url, "ann") for one in (a, b)]
    async with anyio.create_task_group() as group:
        group.start_soon(a.order, "publish_many", "ann", 0, 300)
        group.start_soon(b.order, "publish_many", "ann", 1000, 300)
    for ann in anns:
        await ann.until(lambda ann=ann: len(ann.told) >= 600)  # type: ignore[misc]
    assert anns[0].told == anns[1].told
    assert [one for one in anns[0].numbers if one < 1000] == list(range(300))
    assert [one for one in anns[0].numbers if one >= 1000] == list(range(1000, 1300))


async def test_a_server_is_killed(stack: AsyncExitStack, redis: RedisServer) -> None:
    """Its clients go on at the other one, from the log; presence forgets it."""
    a, b = await servers(stack, redis.url, redis.url)
    proxy = proxy_to(stack, a.url)
    ann, bob = await listener(stack, proxy.url(a.url), "ann"), await listener(stack, b.url, "bob")
    for number in range(50):
        await b.order("publish", "ann", "n", number)
        await a.order("publish", "bob", "n", 1000 + number)
    proxy.retarget(b.url)
    a.kill()
    for number in range(50, 100):
        await b.order("publish", "ann", "n", number)
    await ann.heard(99)
    assert ann.numbers == list(range(100))
    assert not ann.published_gaps
    assert [gap.certain for gap in ann.gaps] == [False]  # what the dead server may have emitted
    assert bob.told == list(range(1000, 1050))

    async def healed() -> bool:
        return bool(await b.order("presence", "ann") == {b.id: 1} and await b.order("count") == 2)

    await eventually(healed)
    assert await b.order("publish", "ann", "n", 100) == 1


async def test_a_server_is_drained(stack: AsyncExitStack, redis: RedisServer) -> None:
    """Its clients move, and no gap is told: it has sent them everything."""
    a, b = await servers(stack, redis.url, redis.url)
    proxy = proxy_to(stack, a.url)
    ann = await listener(stack, proxy.url(a.url), "ann")
    await b.order("publish", "ann", "n", 0)
    proxy.retarget(b.url)
    await a.order("drain", 0)
    for number in range(1, 20):
        await b.order("publish", "ann", "n", number)
    await ann.heard(19)
    assert ann.told == list(range(20))


async def test_a_client_loses_its_connection_again_and_again(stack: AsyncExitStack, redis: RedisServer) -> None:
    a, b = await servers(stack, redis.url, redis.url)
    proxy = proxy_to(stack, a.url)
    ann = await listener(stack, proxy.url(a.url), "ann")
    for round_ in range(8):
        proxy.retarget((a, b)[round_ % 2].url)
        async with anyio.create_task_group() as group:
            group.start_soon((a, b)[round_ % 3 == 0].order, "publish_many", "ann", 100 * round_, 100)
            await ann.heard(100 * round_ + 5)
            proxy.reset()
        await ann.heard(100 * round_ + 99)
    assert ann.numbers == list(range(800))
    assert not ann.published_gaps


@pytest.mark.parametrize("keep_data", [True, False], ids=["with its data", "without"])
async def test_redis_is_restarted(stack: AsyncExitStack, redis: RedisServer, keep_data: bool) -> None:
    """What it kept is not lost. That it may not have kept all is told as a possible gap: nobody else can know."""
    a, b = await servers(stack, redis.url, redis.url)
    ann, bob = await listener(stack, a.url, "ann"), await listener(stack, b.url, "bob")
    for number in range(20):
        assert await b.order("publish", "ann", "n", number) == 1
    redis.kill()
    for number in range(20, 25):
        await b.do("publish", f"publish {number}", args=["ann", "n", number])  # they wait for it
        await b.order("emit", "still serving")
    redis.start(keep_data=keep_data)
    for number in range(20, 25):
        assert (await b.outcome(f"publish {number}"))["step"] == "resolved"
    await ann.until(lambda: len(ann.numbers) >= 25)
    assert ann.numbers == list(range(25))
    assert [gap.certain for gap in ann.published_gaps] == [False]
    assert not bob.numbers
    assert await a.order("publish", "bob", "n", 7) == 1
    await bob.heard(7)

    async def healed() -> bool:
        return bool(await a.order("presence", "ann") == {a.id: 1} and await b.order("count") == 2)

    await eventually(healed)


async def test_a_server_is_cut_off_from_redis(stack: AsyncExitStack, redis: RedisServer) -> None:
    """Its clients stay connected, and get what was published meanwhile as soon as it is back: nothing was lost."""
    proxy = stack.enter_context(FaultProxy(redis.host, redis.port))
    a, b = await servers(stack, redis.url, f"redis://{proxy.host}:{proxy.port}")
    ann = await listener(stack, b.url, "ann")
    await a.order("publish", "ann", "n", 0)
    await ann.heard(0)
    proxy.refuse()
    proxy.reset()
    for number in range(1, 30):
        await a.order("publish", "ann", "n", number)
    assert ann.told == [0]
    proxy.accept()
    await ann.heard(29)
    assert ann.told == list(range(30))
    assert ann.client.stats.connections == 1
    assert await b.order("publish", "ann", "n", 30) == 1


async def test_redis_hangs(stack: AsyncExitStack, redis: RedisServer) -> None:
    """What is published meanwhile waits, and is written once, although nobody knows what became of the first try."""
    a, b = await servers(stack, redis.url, redis.url)
    ann = await listener(stack, b.url, "ann")
    await a.order("publish", "ann", "n", 0)
    redis.pause()
    for number in range(1, 10):
        await a.do("publish", f"publish {number}", args=["ann", "n", number])
        await anyio.sleep(0.01)  # so that several batches wait
    await anyio.sleep(2)  # longer than a command may take
    redis.resume()
    for number in range(1, 10):
        assert (await a.outcome(f"publish {number}"))["step"] == "resolved"
    await ann.until(lambda: len(ann.numbers) >= 10)
    assert ann.numbers == list(range(10))
    assert not [gap for gap in ann.published_gaps if gap.certain]
