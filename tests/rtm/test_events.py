"""The queue of what an application is told: its order, its bound, and what is dropped."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.errors import ConfigurationError, SlowConsumer
from rcex_ws.rtm import RtmClient, RtmEvents
from tests.rtm.scripted import PATIENCE, Rig, rig


def stuck(it: Rig) -> anyio.Event:
    """Subscribe to "stop" with a callback that waits until the event is set."""
    go = anyio.Event()

    async def callback(_: list[Any]) -> None:
        it.told.add("stopped")
        await go.wait()

    it.client.subscribe("stop", callback)
    return go


async def received(it: Rig, count: int) -> None:
    """Wait until the client has received so many events; calls are answered past any handler."""
    await it.client.call_wait("f")
    assert it.client.stats.events == count


async def test_a_slow_callback_costs_the_oldest_events_one_error_and_one_certain_gap() -> None:
    async with rig(max_pending=4) as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        for number in range(10):
            it.server.event("x", number)
        await received(it, 11)
        assert it.client.stats.undelivered == 5, "four events, and the error"
        go.set()
        await it.settle()
        assert it.told.of("x") == [[6], [7], [8], [9]]
        (error,) = it.told.of("error")
        assert isinstance(error, SlowConsumer)
        (gap,) = it.told.gaps
        assert (gap.certain, gap.published) == (True, True)
        assert gap.reason == "6 frames were dropped because handlers are too slow"
        assert gap.since <= gap.until
        assert it.client.stats.dropped == 6
        assert it.client.stats.gaps == 1
        assert it.told.names == ["open", "stopped", "error", "x", "x", "x", "x", "gap"]


async def test_each_episode_has_its_own_gap() -> None:
    async with rig(max_pending=2) as it:
        it.subscribe("x")
        await it.client.start()
        for episode in (1, 2):
            go = stuck(it)
            it.server.event("stop")
            await it.told.wait("stopped", episode * (episode + 1) // 2)
            for number in range(2 + episode):
                it.server.event("x", number)
            await it.client.call_wait("f")
            go.set()
            await it.settle()
        assert [gap.reason.split()[0] for gap in it.told.gaps] == ["1", "2"]
        assert len(it.told.of("error")) == 2


async def test_bytes_are_bounded_as_well() -> None:
    async with rig(max_pending_bytes=1000) as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        for number in range(4):
            it.server.event("x", number, "a" * 400)
        await received(it, 5)
        go.set()
        await it.settle()
        assert [data[0] for data in it.told.of("x")] == [2, 3]


async def test_nobody_is_told_of_dropped_events_who_wants_none() -> None:
    async with rig(max_pending=2) as it:
        go = anyio.Event()

        async def wait() -> None:
            it.told.add("opened")
            await go.wait()

        it.client.on("open", wait)
        await it.client.start()
        await it.told.wait("opened")
        for _ in range(5):
            it.server.event("x")
        await received(it, 5)
        go.set()
        await it.settle()
        assert it.told.names == ["open", "opened", "error"]
        assert it.client.stats.dropped == 3


async def test_lifecycle_events_and_gaps_are_never_dropped() -> None:
    async with rig(max_pending=1) as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        it.server.event("x", 1)
        it.server.peer.abort()
        await it.client._runtime.supervisor.status.wait_changed()  # type: ignore[union-attr]
        await it.client.wait_ready()
        it.server.event("x", 2)
        it.server.event("x", 3)
        await it.client.call_wait("f")
        go.set()
        await it.settle()
        assert it.told.of("x") == [[3]]
        assert [name for name in it.told.names if name != "error"][:6] == [
            *("open", "stopped", "close", "reconnecting", "gap", "open"),
        ]
        assert [gap.certain for gap in it.told.gaps] == [False, True]


async def test_a_gap_that_is_dropped_lies_within_the_one_of_the_overflow() -> None:
    async with rig(max_pending=2) as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        it.server.say(b"bad")
        for number in range(3):
            it.server.event("x", number)
        await it.client.call_wait("f")
        go.set()
        await it.settle()
        (gap,) = it.told.gaps
        assert (gap.certain, gap.reason.split()[0]) == (True, "3")


async def test_events_received_before_a_loss_are_delivered_all_the_same() -> None:
    async with rig() as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        it.server.event("x", 1)
        await it.client.call_wait("f")
        it.server.peer.abort()
        await it.client._runtime.supervisor.status.wait_changed()  # type: ignore[union-attr]
        await it.client.wait_ready()
        it.server.event("x", 2)
        await it.client.call_wait("f")
        go.set()
        await it.settle()
        assert it.told.names == ["open", "stopped", "x", "close", "reconnecting", "gap", "open", "x"]


async def test_closing_in_an_overflow_tells_the_gap_first() -> None:
    async with rig(max_pending=2) as it:
        go = stuck(it)
        it.subscribe("x")
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        for number in range(3):
            it.server.event("x", number)
        await received(it, 4)
        async with anyio.create_task_group() as group:
            group.start_soon(it.client.aclose)
            await anyio.wait_all_tasks_blocked()
            go.set()
        assert len(it.told.gaps) == 1
        assert it.told.of("x") == [[1], [2]]


async def test_errors_of_attempts_are_dropped_without_a_gap() -> None:
    async with rig(max_pending=1) as it:
        go = stuck(it)
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        it.server.refusal = 503
        it.server.peer.abort()
        await it.server.until(lambda: len(it.server.upgrades) == 5)
        it.server.refusal = None
        await it.client.wait_ready()
        go.set()
        await it.settle()
        assert [type(error).__name__ for error in it.told.of("error")] == ["SlowConsumer", "UpgradeRefused"]
        assert not any(gap.certain for gap in it.told.gaps)


async def test_a_slow_handler_does_not_delay_calls_and_pings(ms: float) -> None:
    async with rig(heartbeat_interval=20 * ms, heartbeat_timeout=200 * ms) as it:
        go = stuck(it)
        await it.client.start()
        it.server.event("stop")
        await it.told.wait("stopped")
        await anyio.sleep(60 * ms)
        assert await it.client.call_wait("f", 1) == [1]
        assert it.client.connected
        go.set()


async def test_a_handler_that_raises_is_reported() -> None:
    async with rig() as it:

        @it.client.on("open")
        def opened() -> None:
            raise ValueError("no")

        await it.client.start()
        await it.settle()
        assert [repr(error) for error in it.told.of("error")] == ["ValueError('no')"]
        assert it.told.names == ["open", "error"]


async def test_a_callback_may_call_the_server_and_wait_for_it() -> None:
    async with rig() as it:

        async def ask(data: list[Any]) -> None:
            it.told.add("answer", await it.client.call_wait("f", *data))

        it.client.subscribe("x", ask)
        await it.client.start()
        it.server.event("x", 1, 2)
        with anyio.fail_after(PATIENCE):
            assert await it.told.wait("answer") == [1, 2]


def test_the_names_of_events_are_checked() -> None:
    client = RtmClient("ws://rtm.example/")
    assert sorted(RtmEvents) == sorted(["authenticating", "open", "close", "error", "reconnecting", "message", "gap"])
    with pytest.raises(ConfigurationError, match="event: 'alert' is none of"):
        client.on("alert", print)
