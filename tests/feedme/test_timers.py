"""Timers: each expires once and in time, unless it is stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rcex_ws.feedme.timers import Timers


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
async def timers() -> AsyncIterator[Timers]:
    async with trio.open_nursery() as nursery:
        timers = Timers(lambda: nursery.start_soon(timers.watch))
        yield timers
        nursery.cancel_scope.cancel()


async def test_timers_expire_in_the_order_of_their_times(timers: Timers) -> None:
    begun, expired = trio.current_time(), list[tuple[str, float]]()
    for name, seconds in [("late", 5.0), ("early", 1.0), ("middle", 3.0)]:
        timers.start(seconds, lambda name=name: expired.append((name, trio.current_time() - begun)))
    await trio.sleep(100)
    assert expired == [("early", 1), ("middle", 3), ("late", 5)]


async def test_a_stopped_timer_does_not_expire_and_may_be_stopped_again(timers: Timers) -> None:
    expired: list[str] = []
    stopped = timers.start(1, lambda: expired.append("stopped"))
    timers.start(2, lambda: expired.append("other"))
    timers.stop(stopped)
    timers.stop(stopped)
    await trio.sleep(100)
    assert expired == ["other"]


async def test_a_timer_that_has_expired_may_be_stopped(timers: Timers) -> None:
    expired: list[str] = []
    timer = timers.start(1, lambda: expired.append("it"))
    await trio.sleep(2)
    timers.stop(timer)
    assert expired == ["it"]


async def test_one_that_expires_may_start_the_next(timers: Timers) -> None:
    begun, expired = trio.current_time(), list[float]()

    def again() -> None:
        expired.append(trio.current_time() - begun)
        if len(expired) < 3:
            timers.start(10, again)

    timers.start(10, again)
    await trio.sleep(100)
    assert expired == [10, 20, 30]
