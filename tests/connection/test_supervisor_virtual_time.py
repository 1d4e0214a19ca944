"""Hours in an instant: heartbeats, silence and the schedule under trio's MockClock, over in-memory streams."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rcex_ws.connection import Endpoint, LossKind, RequestTable, State, default_delays, open_websocket
from rcex_ws.errors import RequestTimeout
from rcex_ws.websocket.socket import Socket


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class World:
    """The other side of each connection: websockets' own protocol over a stream in memory.

    Attributes:
        latency: seconds until an answer.
        mute_after: virtual seconds of the clock after which nothing is answered any more.
        refuse: the HTTP status for the next upgrades; None to accept.
        live: seconds after which the server drops a connection.
        beats: (time, message) of each message.
        opened: the time of each attempt.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.latency = 0.05
        self.mute_after = math.inf
        self.refuse: int | None = None
        self.live: Callable[[], float] = lambda: math.inf
        self.beats: list[tuple[float, bytes]] = []
        self.opened: list[float] = []
        self._nursery = nursery

    def open_socket(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Socket]:
        self.opened.append(trio.current_time())
        near, far = memory_stream_pair()
        self._nursery.start_soon(self._serve, far)
        return open_websocket(endpoint, stream=near)

    async def _serve(self, stream: trio.abc.Stream) -> None:
        protocol = ServerProtocol()
        try:
            with trio.move_on_after(self.live()):
                while data := await stream.receive_some():
                    protocol.receive_data(data)
                    await self._answer(protocol)
                    for part in protocol.data_to_send():
                        if part:
                            await stream.send_all(part)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client aborted
        await trio.aclose_forcefully(stream)

    async def _answer(self, protocol: ServerProtocol) -> None:
        for event in protocol.events_received():
            if isinstance(event, Request):
                response = protocol.accept(event) if self.refuse is None else protocol.reject(self.refuse, "")
                protocol.send_response(response)
            elif event.opcode is Opcode.TEXT:
                self.beats.append((trio.current_time(), bytes(event.data)))
                if trio.current_time() < self.mute_after:
                    await trio.sleep(self.latency)
                    protocol.send_text(b"alive")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        yield World(nursery)
        nursery.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Virtual hours that last real seconds are a hot loop."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 20


def url() -> str:
    return "ws://virtual.example/"


@pytest.mark.parametrize("latency", [0.0, 0.05, 9.0])
async def test_a_quiet_hour_has_a_heartbeat_after_each_half_minute_of_silence(
    world: World, supervise: Any, latency: float
) -> None:
    world.latency = latency
    async with supervise(url(), open_socket=world.open_socket) as rig:
        await rig.supervisor.wait_ready()
        opened = trio.current_time()
        await trio.sleep(3601)
        times = [at - opened for at, message in world.beats if message == b"beat"]
        assert times == [pytest.approx(30.0 + n * (30.0 + latency)) for n in range(int(3600 // (30.0 + latency)))]
        assert (rig.supervisor.is_ready, len(world.opened)) == (True, 1)


async def test_forty_seconds_of_silence_are_a_loss(world: World, supervise: Any) -> None:
    world.mute_after = 0.0
    async with supervise(url(), open_socket=world.open_socket) as rig:
        await rig.supervisor.wait_ready()
        opened = trio.current_time()
        link, talk = rig.link, rig.talk
        await trio.sleep(39.9)
        assert link.loss is None
        await trio.sleep(0.2)
        assert link.loss.kind is LossKind.SILENT
        assert talk.losses == [link.loss]
        assert world.beats == [(pytest.approx(opened + 30.0), b"beat")]
        assert len(world.opened) == 2, "it had lived long enough to be reopened at once"


async def test_silence_after_a_talkative_time_is_a_loss_too(world: World, supervise: Any) -> None:
    async with supervise(url(), open_socket=world.open_socket) as rig:
        await rig.supervisor.wait_ready()
        link, world.mute_after = rig.link, trio.current_time() + 1000.0
        await trio.sleep(1000.0 + 30.1 + 30.1 + 10.1)
        assert link.loss is not None


async def test_the_default_schedule_is_kept_while_the_server_refuses(world: World, supervise: Any) -> None:
    world.refuse = 503
    async with supervise(url(), open_socket=world.open_socket, reconnect_delays=default_delays) as rig:
        await trio.sleep(600.0)
        waits = [later - earlier for earlier, later in pairwise(world.opened)]
        bands = [(1, 1), (2, 6), (10, 20), (20, 40), (40, 80)] + [(80, 120)] * (len(waits) - 5)
        assert len(waits) >= 8
        assert all(low - 0.01 <= wait <= high + 0.01 for wait, (low, high) in zip(waits, bands, strict=True))
        assert rig.supervisor.status.state is State.WAITING


async def test_a_server_that_accepts_and_drops_is_not_hammered(world: World, supervise: Any) -> None:
    world.live = lambda: 5.0
    async with supervise(url(), open_socket=world.open_socket, reconnect_delays=default_delays):
        await trio.sleep(3600.0)
        assert 30 <= len(world.opened) <= 60


async def test_a_server_that_drops_stable_connections_finds_them_reopened_at_once(world: World, supervise: Any) -> None:
    world.live = lambda: 31.0
    async with supervise(url(), open_socket=world.open_socket, reconnect_delays=default_delays) as rig:
        await trio.sleep(31.5)
        assert world.opened[1] - world.opened[0] == pytest.approx(31.0)
        assert rig.supervisor.is_ready


async def test_the_wait_after_recovering_begins_anew(world: World, supervise: Any) -> None:
    world.refuse = 503
    async with supervise(url(), open_socket=world.open_socket, reconnect_delays=default_delays) as rig:
        await trio.sleep(300.0)
        world.refuse = None
        await rig.supervisor.wait_ready()
        await trio.sleep(100.0)
        world.refuse, count = 503, len(world.opened)
        rig.link.abort()
        await trio.sleep(1.5)
        assert len(world.opened) == count + 2, "at once, and after one second"


async def test_deadlines_are_kept_to_the_moment(world: World, supervise: Any) -> None:
    table: RequestTable[bytes] = RequestTable(lambda: watcher.start_soon(table.watch_deadlines))
    outcomes: list[tuple[str, float]] = []

    async def call(key: str, timeout: float) -> None:
        started = trio.current_time()
        with pytest.raises(RequestTimeout):
            await table.call(key, b"", deadline=trio.current_time() + timeout)
        outcomes.append((key, trio.current_time() - started))

    async with trio.open_nursery() as watcher, trio.open_nursery() as callers:
        for key, timeout in (("hour", 3600.0), ("second", 1.0), ("minute", 60.0)):
            callers.start_soon(partial(call, key, timeout))
            await trio.testing.wait_all_tasks_blocked()
    assert outcomes == [("second", 1.0), ("minute", 60.0), ("hour", 3600.0)]
    assert len(table) == 0


async def test_a_blocked_loop_is_no_silent_peer(world: World, supervise: Any, anyio_backend: Any) -> None:
    """When the loop wakes an hour late the answer may lie unread in the socket: ask anew before judging."""
    async with supervise(url(), open_socket=world.open_socket) as rig:
        await rig.supervisor.wait_ready()
        await trio.sleep(29.0)
        link, clock = rig.link, anyio_backend[1]["clock"]
        clock.jump(3600.0)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(20.0)
        assert link.loss is None
        assert rig.talk.suspensions == [pytest.approx(3599.0, abs=1.0)]


async def test_a_suspended_machine_is_noticed_at_the_next_wake_up(
    world: World, supervise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monotonic clock stands still meanwhile, and the wall clock does not."""
    real, slept = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + slept + trio.current_time())
    async with supervise(url(), open_socket=world.open_socket) as rig:
        await rig.supervisor.wait_ready()
        await trio.sleep(29.0)
        slept = 7200.0
        await trio.sleep(2.0)
        assert rig.talk.suspensions == [pytest.approx(7200.0, abs=1.0)]
        assert world.beats[-1][1] == b"beat"
        world.mute_after = 0.0
        await trio.sleep(45.0)
        assert len(world.opened) == 2
