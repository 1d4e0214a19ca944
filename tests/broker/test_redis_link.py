"""One connection to Redis by itself."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.broker import BrokerUnavailable
from rcex_ws.broker.redis_address import RedisAddress
from rcex_ws.broker.redis_link import RedisLink
from rcex_ws.broker.scripts import MEMBERS
from tests.redis_server import RedisServer


async def test_a_link_that_is_lost_says_so(redis_server: RedisServer) -> None:
    address = RedisAddress.read(redis_server.url)
    async with anyio.create_task_group() as group:
        link = await RedisLink.open(group, address, None, 5.0)
        assert await link.call(b"ECHO", "x") == b"x"
        redis_server.command("SCRIPT", "FLUSH")
        assert await link.run_script(MEMBERS, ["rtm:group:g"], "rtm:alive:") == []
        waiting = link.send(b"BLPOP", "rtm:none", 0)
        redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(BrokerUnavailable, match="cannot be reached"):
            await link.wait(waiting)
        calls: list[Any] = [lambda: link.send(b"PING"), lambda: link.post(b"SUBSCRIBE", "c")]
        for call in calls:
            with pytest.raises(BrokerUnavailable, match="cannot be reached"):
                call()
        with pytest.raises(BrokerUnavailable, match="cannot be reached"):
            async for _ in link.pushed():
                pass
        group.cancel_scope.cancel()


async def test_a_link_is_shown_without_its_password(redis_server: RedisServer) -> None:
    redis_server.command("ACL", "SETUSER", "bob", "on", ">s3cret", "+@all", "allkeys", "allchannels")
    address = RedisAddress.read(redis_server.url.replace("//", "//bob:s3cret@"))
    async with anyio.create_task_group() as group:
        link = await RedisLink.open(group, address, None, 5.0)
        assert str(redis_server.port) in repr(link._connection)
        assert "s3cret" not in repr(link._connection)
        group.cancel_scope.cancel()
