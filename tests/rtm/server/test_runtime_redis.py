"""A server and its Redis: what is published last is written, and what refuses the server is told at the start."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from rcex_ws.broker import BrokerRefused, RedisBroker
from rcex_ws.rtm import RtmClient
from rcex_ws.rtm.server import RtmServer
from tests.redis_server import RedisServer, redis_is_installed
from tests.rtm.many_machines import Need, eventually


@pytest.fixture
def redis(need: Need) -> Iterator[RedisServer]:
    need(redis_is_installed(), "redis-server (Debian's package of that name)")
    with RedisServer() as redis:
        yield redis


def server_on(redis: RedisServer, url: str | None = None) -> RtmServer:
    broker = RedisBroker(url or redis.url, reconnect_delays=lambda _: 0.05)
    return RtmServer(authenticate=lambda client, user: user, broker=broker)


async def test_what_is_published_without_waiting_is_written_before_the_server_ends(redis: RedisServer) -> None:
    async with server_on(redis) as server:
        for number in range(50):
            await server.publish("ann", "n", number, wait=False)
    assert redis.command("XLEN", "rtm:log:user:ann") == 50


async def test_a_redis_that_refuses_the_server_is_told_at_the_start(redis: RedisServer) -> None:
    redis.restart_with(("requirepass", "secret"))
    server = server_on(redis)
    with pytest.raises(BrokerRefused, match="login"):
        await server.start()
    async with server_on(redis, f"redis://:secret@{redis.host}:{redis.port}"):
        pass


async def test_a_redis_that_is_away_is_waited_for(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Clients are served all the same."""
    redis.kill()
    told: list[str] = []
    server = server_on(redis)
    server.on("broker_lost", lambda error: told.append("lost"))
    server.on("broker_ready", lambda: told.append("ready"))
    server.register(lambda client: "served", name="hello")
    async with server, RtmClient(server.url, authentication="ann") as client:
        assert await client.call_wait("hello") == "served"
        redis.start()
        assert await server.publish("ann", "n", 1) == 1
    assert told[0] == "lost"
    assert told[-1] == "ready"
    assert all(record.levelno < logging.ERROR for record in caplog.records)


async def test_a_redis_that_hangs_does_not_hold_up_the_end(redis: RedisServer, ms: float) -> None:
    broker = RedisBroker(redis.url, command_timeout=20_000 * ms)
    server = RtmServer(authenticate=lambda client, user: user, broker=broker, close_timeout=400 * ms)
    await server.start()
    redis.pause()
    began = anyio.current_time()
    await server.aclose()
    assert anyio.current_time() - began < 2000 * ms
    redis.resume()


async def test_the_user_of_redis_that_the_page_names_suffices(redis: RedisServer) -> None:
    page = (Path(__file__).parents[3] / "docs/scaling.md").read_text()
    (line,) = re.findall(r"^user rtm (.*)$", page, re.MULTILINE)
    redis.command("ACL", "SETUSER", "rtm", *line.split())
    url = f"redis://rtm:secret@{redis.host}:{redis.port}"
    async with server_on(redis, url) as server, RtmClient(server.url, authentication="ann") as client:
        assert await server.publish("ann", "n", 1) == 1

        async def known() -> bool:
            return bool(await server.presence("ann") == {server.id: 1} and await server.count() == 1)

        await eventually(known)
        assert client.connected
    assert redis.command("ACL", "LOG") == []
