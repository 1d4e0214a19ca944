"""One task watches the time for all clients."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.feedme.server import ClientFailure, FeedmeServer, HandshakeTimedOut
from rcex_ws.loop import loop_clock
from rcex_ws.serving import Timekeeper
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import HANDSHAKE
from tests.websocket.serving import Raw, masked

pytestmark = pytest.mark.anyio


class Due:
    """A client that is due once, some time from now."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.polled: list[float] = []
        self.done = anyio.Event()

    def poll(self, now: float) -> float:
        self.polled.append(now)
        if now < self.at:
            return self.at
        self.done.set()
        return math.inf


async def test_the_timekeeper_wakes_when_a_client_is_due(ms: float) -> None:
    clock = loop_clock()
    late, early = Due(clock() + 1000), Due(clock() + 20 * ms)
    clients: list[Any] = [late]
    timekeeper = Timekeeper(lambda: clients, clock, ms)
    async with anyio.create_task_group() as group:
        group.start_soon(timekeeper.run)
        while not late.polled:
            await anyio.lowlevel.checkpoint()
        clients.append(early)
        timekeeper.note(early)  # type: ignore[arg-type]  # although the task sleeps for longer
        with anyio.fail_after(10):
            await early.done.wait()
        assert early.polled[-1] >= early.at
        group.cancel_scope.cancel()


async def test_many_clients_do_not_wake_the_timekeeper_one_by_one(ms: float) -> None:
    clock = loop_clock()
    begin = clock() + 10 * ms
    clients: list[Any] = [Due(begin + number * ms) for number in range(100)]
    async with anyio.create_task_group() as group:
        group.start_soon(Timekeeper(lambda: clients, clock, 200 * ms).run)
        for client in clients:
            with anyio.fail_after(10):
                await client.done.wait()
        group.cancel_scope.cancel()
    assert len(clients[-1].polled) < 10


async def test_a_client_without_a_handshake(ms: float) -> None:
    async with FeedmeServer(handshake_timeout=50 * ms) as server:
        reasons: list[Any] = []
        server.on("disconnect", lambda client, error: reasons.append(type(error)))
        async with connected(server.url, handshake=False) as client, connected(server.url) as other:
            assert await client.receive() is None
            assert client.ending is not None
            assert (client.ending.code, client.ending.reason) == (1008, "handshake timeout")
            assert await other.rest() == []
            assert len(server.clients) == 1
        await server.aclose()
    assert reasons[0] is HandshakeTimedOut


async def test_a_client_without_a_sign_of_life(ms: float, until: Callable[..., Any]) -> None:
    """One answers pings, the other does not."""
    async with FeedmeServer(heartbeat_interval=100 * ms, heartbeat_timeout=100 * ms) as server:
        reasons: list[Any] = []
        server.on("disconnect", lambda client, error: reasons.append(error))
        port = int(server.url.rstrip("/").rpartition(":")[2])
        async with connected(server.url) as alive:
            with Raw(port) as silent:
                await silent.open()
                await silent.send(masked(0x81, json.dumps(HANDSHAKE).encode()))
                await until(lambda: reasons)
            assert await alive.rest() == []
            assert len(server.clients) == 1
    assert type(reasons[0]) is ClientFailure
    assert str(reasons[0]) == "FAILURE: the client gave no sign of life"
