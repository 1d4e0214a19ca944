"""A gap stays open until `on_gap` has handled it: the order and number of calls, without a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from rcex_ws import Gap
from rcex_ws.connection import EventEmitter
from rcex_ws.tasks import BackgroundTask, RootTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.gap_hook import GapCalls
from tests.told import Told

START = datetime(2025, 1, 1, tzinfo=UTC)


def a_gap(since: float | None, until: float, *, certain: bool = False) -> Gap:
    begin = None if since is None else START + timedelta(seconds=since)
    return Gap(begin, START + timedelta(seconds=until), certain=certain, reason="why")


ONE, TWO, THREE = a_gap(0, 1), a_gap(10, 11), a_gap(20, 21, certain=True)


class Desk:
    """An announcer whose handlers run, with a hook that fails as long as a test wants it to."""

    def __init__(self, root: RootTask, told: Told, hook: Callable[[Gap], object] | None, timeout: float = 5) -> None:
        self.told = told
        self.broken = True
        self.root = root
        self.tasks: list[BackgroundTask] = []
        self.emitter = EventEmitter()
        self.emitter.on("error", partial(told.add, "error"))
        self.emitter.on("notificationGap", partial(told.add, "event"))
        self.announcer = Announcer(
            self.emitter,
            on_gap=hook,
            gap_timeout=timeout,
            retry_delay=lambda n: 1000,
            on_gap_change=lambda: told.add("change"),
        )
        self.emitter.start(partial(root.spawn, name="events", on_crash=self.crashed))
        self.start()

    @property
    def calls(self) -> GapCalls:
        return self.announcer.gap_calls

    def start(self) -> None:
        def start_task(func: Any) -> BackgroundTask:
            self.tasks.append(self.root.spawn(func, name="on_gap", on_crash=self.crashed))
            return self.tasks[-1]

        self.calls.start(start_task)

    def crashed(self, error: Exception) -> None:
        self.told.add("crash", error)

    def fail(self, gap: Gap) -> None:
        self.told.add("hook", gap)
        if self.broken:
            raise ConnectionError("REST is not back yet")

    async def settled(self) -> None:
        """Wait until all that was emitted is told."""
        done = anyio.Event()
        self.announcer.then(done.set)
        await done.wait()


@pytest.fixture
def make_desk(told: Told) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(hook: Callable[[Gap], object] | None = None, **options: Any) -> AsyncIterator[Desk]:
        root = RootTask("desk")
        await root.start()
        desk = Desk(root, told, hook, **options)
        if hook is None:
            desk.calls.hook = desk.fail
        try:
            yield desk
        finally:
            desk.calls.stop()
            await root.aclose()
            assert told.of("crash") == []

    return make


async def test_the_hook_is_called_again_with_each_gap_it_failed_for_once_a_round_in_order(make_desk, told):
    async with make_desk() as desk:
        for gap in (ONE, TWO, THREE):
            desk.announcer.gap(gap)
        await told.wait("error", 3)
        assert told.of("hook") == desk.calls.open == [ONE, TWO, THREE]
        desk.calls.connected()
        await told.wait("error", 6)
        assert told.of("hook")[3:] == desk.calls.open == [ONE, TWO, THREE]
        desk.broken = False
        desk.calls.connected()
        await told.until(lambda: not desk.calls.open)
        assert told.of("hook")[6:] == [ONE, TWO, THREE]
        assert len(told.of("event")) == 3  # told once
        desk.calls.connected()
        await desk.settled()
        assert len(told.of("hook")) == 9


async def test_a_gap_that_one_call_handles_is_not_called_again_with_the_others(make_desk, told):
    async def only_two(gap: Gap) -> None:
        told.add("hook", gap)
        if gap != TWO:
            raise ConnectionError

    async with make_desk(only_two) as desk:
        for gap in (ONE, TWO, THREE):
            desk.announcer.gap(gap)
        await told.wait("error", 2)
        assert desk.calls.open == [ONE, THREE]
        desk.calls.connected()
        await told.wait("error", 4)
        assert told.of("hook") == [ONE, TWO, THREE, ONE, THREE]


async def test_a_repeated_call_waits_for_a_first_one_that_runs(make_desk, told):
    entered, goes_on = anyio.Event(), anyio.Event()

    async def hook(gap: Gap) -> None:
        told.add("hook", gap)
        if told.of("hook") == [ONE]:
            raise ConnectionError
        if gap == TWO:
            entered.set()
            await goes_on.wait()

    async with make_desk(hook) as desk:
        desk.announcer.gap(ONE)
        await told.wait("error")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.announcer.gap_now, TWO)
            await entered.wait()
            desk.calls.connected()
            await anyio.wait_all_tasks_blocked()
            assert told.of("hook") == [ONE, TWO]
            goes_on.set()
        await told.until(lambda: not desk.calls.open)
        assert told.of("hook") == [ONE, TWO, ONE]


async def test_a_hook_that_takes_too_long_has_not_handled_the_gap(make_desk, told):
    async def hang(gap: Gap) -> None:
        told.add("hook", gap)
        await anyio.sleep_forever()

    async with make_desk(hang, timeout=0.01) as desk:
        await desk.announcer.gap_now(ONE)
        await told.wait("error")
        assert isinstance(told.of("error")[0], TimeoutError)
        assert desk.calls.open == [ONE]
        desk.calls.connected()
        await told.wait("error", 2)
        assert told.of("hook") == [ONE, ONE]


async def test_a_time_out_of_the_hooks_own_is_what_it_raised(make_desk, told):
    mine = TimeoutError("REST took too long")

    async def give_up(gap: Gap) -> None:
        raise mine

    async with make_desk(give_up) as desk:
        desk.announcer.gap(ONE)
        assert await told.wait("error") is mine
        assert desk.calls.open == [ONE]


async def test_without_a_hook_the_event_is_enough(make_desk, told):
    async with make_desk() as desk:
        desk.calls.hook = None
        desk.announcer.gap(ONE)
        await desk.announcer.gap_now(TWO)
        assert desk.calls.open == [ONE, TWO]  # its handlers are still to run
        await told.until(lambda: not desk.calls.open)
        assert told.of("event") == [ONE, TWO]


async def test_too_many_gaps_are_merged_from_the_oldest_on(make_desk, told):
    async with make_desk() as desk:
        gaps = [a_gap(10 * number, 10 * number + 1, certain=number == 1) for number in range(18)]
        for gap in gaps:
            await desk.announcer.gap_now(gap)
        await told.wait("error", 18)
        first, *others = desk.calls.open
        assert (first.since, first.until, first.certain) == (gaps[0].since, gaps[2].until, True)
        assert others == gaps[3:]
        assert len(others) == 15


async def test_a_gap_that_grows_while_the_hook_has_it_in_hand_stays_open(make_desk, told):
    begun, go_on = anyio.Event(), anyio.Event()

    async def slow(gap: Gap) -> None:
        told.add("hook", gap)
        if desk.broken:
            raise ConnectionError
        begun.set()
        await go_on.wait()

    async with make_desk(slow) as desk:
        gaps = [a_gap(10 * number, 10 * number + 1) for number in range(17)]
        for gap in gaps[:16]:
            await desk.announcer.gap_now(gap)
        await told.wait("error", 16)
        desk.broken = False
        desk.calls.connected()
        await begun.wait()
        desk.calls.hook = desk.fail
        desk.broken = True
        await desk.announcer.gap_now(gaps[16])
        go_on.set()
        await told.wait("error", 17)
        assert (desk.calls.open[0].since, desk.calls.open[0].until) == (gaps[0].since, gaps[1].until)


@pytest.mark.parametrize("now", [False, True])
async def test_a_new_gap_comes_before_the_old_ones_and_the_hook_never_runs_twice_at_a_time(make_desk, told, now):
    """Notifications wait for the new one; the call that is cut short is made again."""
    running = 0

    async def hook(gap: Gap) -> None:
        nonlocal running
        running += 1
        told.add("hook", (gap, running))
        try:
            if len(told.of("hook")) == 1:
                raise ConnectionError
            if len(told.of("hook")) == 2:
                await anyio.sleep_forever()
            await anyio.lowlevel.checkpoint()
        finally:
            running -= 1

    async with make_desk(hook) as desk:
        desk.announcer.gap(ONE)
        await told.wait("error")
        desk.calls.connected()
        await told.wait("hook", 2)
        if now:
            await desk.announcer.gap_now(TWO)
        else:
            desk.announcer.gap(TWO)
        await told.until(lambda: not desk.calls.open)
        assert [gap for gap, _ in told.of("hook")] == [ONE, ONE, TWO, ONE]
        assert len(told.of("error")) == 1  # to give way is no failure


async def test_what_is_emitted_is_told_before_the_hook_is_called_again(make_desk, told):
    async with make_desk() as desk:
        desk.announcer.gap(ONE)
        await told.wait("error")
        desk.broken = False
        desk.emitter.on("connectionReady", lambda: told.add("ready"))
        desk.emitter.emit("connectionReady")
        desk.calls.connected()
        await told.until(lambda: not desk.calls.open)
        assert [name for name in told.names if name != "change"] == ["event", "hook", "error", "ready", "hook"]


async def test_after_the_end_the_hook_is_not_called_again_and_the_gap_is_kept(make_desk, told):
    async with make_desk() as desk:
        desk.announcer.gap(ONE)
        await told.wait("error")
        ended = desk.calls.stop()
        await ended.wait()
        assert ended.done
        desk.calls.connected()
        await desk.settled()
        assert (told.of("hook"), desk.calls.open) == ([ONE], [ONE])
        desk.broken = False
        desk.start()  # `connect()`
        desk.calls.connected()
        await told.until(lambda: not desk.calls.open)
        assert told.of("hook") == [ONE, ONE]


async def test_a_hook_that_closes_while_it_is_called_again_is_left_to_finish(make_desk, told):
    async def close(gap: Gap) -> None:
        told.add("hook", gap)
        if desk.broken:
            raise ConnectionError
        desk.calls.stop()
        desk.announcer.gap(THREE)  # what was not delivered
        desk.broken = True
        await told.wait("error", 3)
        desk.emitter.stop(within=1)
        told.add("finished")

    async with make_desk(close) as desk:
        desk.announcer.gap(ONE)
        desk.announcer.gap(TWO)
        await told.wait("error", 2)
        desk.broken = False
        desk.calls.connected()
        await told.wait("finished")
        with anyio.fail_after(5):
            await desk.tasks[0].wait()
        assert told.of("hook") == [ONE, TWO, ONE, THREE]
        assert desk.calls.open == [TWO, THREE]


async def test_a_hook_that_is_set_later_gets_what_the_earlier_one_has_failed_for(make_desk, told):
    async with make_desk() as desk:
        desk.announcer.gap(ONE)
        await told.wait("error")
        desk.calls.hook = partial(told.add, "later")
        desk.calls.connected()
        await told.until(lambda: not desk.calls.open)
        assert told.of("later") == [ONE]
