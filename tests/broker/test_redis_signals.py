"""Signals over Redis: packed together, bounded, and lost when Redis is away."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.broker import redis_signals
from rcex_ws.broker.redis_signals import pack, unpack
from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer


@pytest.mark.parametrize("signals", [[b""], [b"a"], [b"1 2\n", b"", b"\n\n"], [bytes(range(256))] * 3])
def test_what_is_packed_is_unpacked(signals: list[bytes]) -> None:
    assert unpack(pack(signals)) == signals


async def test_signals_are_sent_while_an_append_waits_and_lost_when_redis_is_away(
    redis: Any, redis_server: RedisServer, until: Any
) -> None:
    with FaultProxy(redis_server.host, redis_server.port) as proxy:
        async with redis() as service:
            far, near = await service.node(url=f"redis://{proxy.host}:{proxy.port}"), await service.node()
            proxy.freeze("down")
            far.send("t", b"waits for its answer")
            far.broker.signal(near.broker.node, b"1")
            await until(lambda: near.signals)
            proxy.refuse()
            await anyio.to_thread.run_sync(proxy.cut)
            await until(lambda: not far.broker.connected)
            far.broker.signal(near.broker.node, b"2")
            near.broker.signal(far.broker.node, b"3")
            proxy.thaw()
            proxy.accept()
            await until(lambda: far.broker.connected)
            far.broker.signal(near.broker.node, b"4")
            near.broker.signal(far.broker.node, b"5")
            await until(lambda: len(near.signals) == 2 and far.signals)
            assert (near.signals, far.signals) == ([b"1", b"4"], [b"5"])


async def test_too_many_are_dropped(redis: Any, monkeypatch: Any, until: Any) -> None:
    async with redis() as service:
        one, two = await service.node(), await service.node()
        monkeypatch.setattr(redis_signals, "_MOST_BYTES", 100)
        for _ in range(100):
            one.broker.signal(two.broker.node, b"x" * 10)
        await until(lambda: two.signals)
        await anyio.wait_all_tasks_blocked()
        assert len(two.signals) == 10
