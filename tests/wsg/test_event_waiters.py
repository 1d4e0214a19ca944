"""Callers that wait for a notification: a slow predicate, and an end while it is at work."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws import NotConnected, SlowConsumer
from rcex_ws.wsg import event_waiters
from rcex_ws.wsg.event_waiters import EventWaiters
from rcex_ws.wsg.router import Selector
from tests.wsg.test_router import notification


async def test_too_many_for_a_slow_predicate_end_the_waiting(monkeypatch):
    monkeypatch.setattr(event_waiters, "_MOST_KEPT", 2)
    waiters, at_work, go_on = EventWaiters(), anyio.Event(), anyio.Event()

    async def predicate(_):
        at_work.set()
        await go_on.wait()
        return False

    async def wait():
        with pytest.raises(SlowConsumer):
            await waiters.wait(Selector("/a"), None, predicate)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        waiters.offer(notification("/a"))
        await at_work.wait()
        for _ in range(3):
            waiters.offer(notification("/a"))
        go_on.set()
    assert not waiters.any


async def test_what_came_before_the_end_is_still_looked_at():
    waiters, found = EventWaiters(), []

    async def wait():
        found.append(await waiters.wait(Selector("/a?type=SMS"), None, lambda one: one.event == "/a"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        waiters.offer(notification("/b"))
        waiters.offer(notification("/a?type=Fax"))
        waiters.offer(notification("/a"))
        waiters.end(NotConnected("closed"))
    assert [one.event for one in found] == ["/a"]
