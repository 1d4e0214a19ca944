"""The table of requests: order, limit, time-outs, cancellation, and both ways to live through a loss."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.connection import Pending, RequestTable
from rcex_ws.errors import RcexError, RequestLost, RequestTimeout
from rcex_ws.loop import now


class Wire(list[str]):
    """Stand for a link: takes requests in order, and marks them as written at once unless told to keep them."""

    def __init__(self) -> None:
        self.keep = False

    def __call__(self, pending: Pending[Any]) -> None:
        self.append(pending.key)
        pending.sent = not self.keep


class Callers:
    """Make calls in the background and keep their outcomes."""

    def __init__(self, group: anyio.abc.TaskGroup, table: RequestTable[Any]) -> None:
        self.group, self.table = group, table
        self.outcomes: dict[str, Any] = {}
        self.scopes: dict[str, anyio.CancelScope] = {}

    async def start(self, *keys: str, timeout: float = 60.0) -> None:
        for key in keys:
            self.group.start_soon(self._call, key, timeout)
            await anyio.wait_all_tasks_blocked()

    async def _call(self, key: str, timeout: float) -> None:
        with anyio.CancelScope() as self.scopes[key]:
            try:
                self.outcomes[key] = await self.table.call(key, key.encode(), deadline=anyio.current_time() + timeout)
            except RcexError as exc:
                self.outcomes[key] = exc

    async def cancel(self, key: str) -> None:
        self.scopes[key].cancel()
        await anyio.wait_all_tasks_blocked()


class Watched(RequestTable[Any]):
    """A table whose deadlines are watched in a group, once it has one."""

    def __init__(self) -> None:
        super().__init__(self._start_watching)
        self.group: anyio.abc.TaskGroup | None = None
        self.watchers = 0

    def _start_watching(self) -> None:
        self.watchers += 1
        if self.group is not None:
            self.group.start_soon(self.watch_deadlines)


@pytest.fixture
def table() -> Watched:
    return Watched()


@pytest.fixture
async def callers(table: RequestTable[Any]) -> AsyncIterator[Callers]:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            yield Callers(group, table)
            group.cancel_scope.cancel()


def in_flight(table: RequestTable[Any]) -> int:
    """Return how many requests were sent and have no answer yet."""
    return sum(pending.sent for pending in table.waiting())


def lost(pending: Pending[Any]) -> RequestLost:
    return RequestLost("gone", sent=pending.sent)


async def test_answers_reach_their_own_waiter_in_any_order(table: Watched, callers: Callers) -> None:
    table.connect(wire := Wire())
    await callers.start("1", "2", "3")
    assert wire == ["1", "2", "3"]
    for key in ("3", "1", "2"):
        assert table.settle(key, f"answer {key}")
    await anyio.wait_all_tasks_blocked()
    assert callers.outcomes == {"1": "answer 1", "2": "answer 2", "3": "answer 3"}
    assert len(table) == 0


async def test_none_and_false_are_answers_too(table: Watched, callers: Callers) -> None:
    table.connect(Wire())
    await callers.start("1", "2")
    table.settle("1", None)
    table.settle("2", False)
    await anyio.wait_all_tasks_blocked()
    assert callers.outcomes == {"1": None, "2": False}


async def test_beyond_the_limit_requests_wait_their_turn(table: Watched, callers: Callers) -> None:
    table.connect(wire := Wire(), limit=2)
    await callers.start("1", "2", "3", "4")
    assert (wire, in_flight(table), len(table)) == (["1", "2"], 2, 4)
    table.settle("2", "ok")
    assert (wire, in_flight(table)) == (["1", "2", "3"], 2)
    table.settle("1", "ok")
    assert wire == ["1", "2", "3", "4"]


async def test_requests_made_while_disconnected_are_sent_in_order_on_connect(table: Watched, callers: Callers) -> None:
    await callers.start("1", "2")
    assert not table.connected
    table.connect(wire := Wire())
    assert (wire, table.connected) == (["1", "2"], True)


async def test_an_unknown_or_repeated_answer_is_refused(table: Watched, callers: Callers) -> None:
    table.connect(Wire())
    await callers.start("1")
    assert not table.settle("2", "whose?")
    assert table.settle("1", "first")
    assert not table.settle("1", "second")
    await anyio.wait_all_tasks_blocked()
    assert callers.outcomes == {"1": "first"}


async def test_an_answer_to_a_request_that_still_waits_its_turn_is_unknown(table: Watched, callers: Callers) -> None:
    table.connect(Wire(), limit=1)
    await callers.start("1", "2")
    assert not table.settle("2", "too early")
    assert len(table) == 2


async def test_a_cancelled_request_that_waits_its_turn_leaves_nothing(table: Watched, callers: Callers) -> None:
    table.connect(wire := Wire(), limit=1)
    await callers.start("1", "2", "3")
    await callers.cancel("2")
    assert len(table) == 2
    table.settle("1", "ok")
    assert wire == ["1", "3"]


async def test_a_cancelled_request_in_the_outbox_is_not_sent_and_gives_its_place_away(
    table: Watched, callers: Callers
) -> None:
    wire, outbox = Wire(), []
    wire.keep = True

    def send(pending: Pending[Any]) -> None:
        outbox.append(pending)
        wire(pending)

    table.connect(send, limit=1)
    await callers.start("1", "2")
    await callers.cancel("1")
    assert outbox[0].settled, "the writer skips what is settled"
    assert wire == ["1", "2"]
    assert len(table) == 1


async def test_a_cancelled_request_that_was_sent_keeps_its_place_until_the_answer(
    table: Watched, callers: Callers
) -> None:
    table.connect(wire := Wire(), limit=1)
    await callers.start("1", "2")
    await callers.cancel("1")
    assert wire == ["1"], "the server still works on the first"
    assert table.settle("1", "late"), "an answer nobody waits for is still known"
    assert wire == ["1", "2"]
    assert table.settle("2", "ok")
    assert len(table) == 0


async def test_a_cancelled_request_that_was_sent_is_forgotten_at_its_deadline(table: Watched, callers: Callers) -> None:
    table.connect(wire := Wire(), limit=1)
    await callers.start("1", timeout=5.0)
    await callers.start("2", timeout=500.0)
    await callers.cancel("1")
    table.expire(anyio.current_time() + 6.0)
    assert wire == ["1", "2"]
    assert not table.settle("1", "much too late")
    assert len(table) == 1


async def test_expire_fails_what_is_overdue_and_gives_the_next_deadline(table: Watched, callers: Callers) -> None:
    table.connect(Wire(), limit=1)
    now = anyio.current_time()
    assert table.expire(now) == math.inf
    await callers.start("sent", timeout=10.0)
    await callers.start("waits", timeout=20.0)
    assert table.expire(now) == pytest.approx(now + 10.0, abs=1.0)
    assert table.expire(now + 15.0) == pytest.approx(now + 20.0, abs=1.0)
    assert table.expire(now + 25.0) == math.inf
    await anyio.wait_all_tasks_blocked()
    assert [type(outcome) for outcome in callers.outcomes.values()] == [RequestTimeout, RequestTimeout]
    assert len(table) == 0


async def test_what_is_overdue_in_the_queue_is_never_sent(table: Watched, callers: Callers) -> None:
    outbox: list[Pending[Any]] = []
    table.connect(outbox.append, limit=1)
    await callers.start("1", "2", timeout=10.0)
    table.expire(anyio.current_time() + 20.0)
    assert [pending.key for pending in outbox if not pending.settled] == []


async def test_a_time_out_tells_what_was_sent(table: Watched, callers: Callers) -> None:
    table.connect(Wire(), limit=1)
    await callers.start("sent", "waits", timeout=10.0)
    table.expire(anyio.current_time() + 20.0)
    await anyio.wait_all_tasks_blocked()
    assert {key: error.sent for key, error in callers.outcomes.items()} == {"sent": True, "waits": False}


async def test_a_loss_with_an_error_fails_every_waiter_and_tells_what_was_sent(
    table: Watched, callers: Callers
) -> None:
    table.connect(Wire(), limit=1)
    await callers.start("sent", "waits")
    table.disconnect(lost)
    await anyio.wait_all_tasks_blocked()
    assert {key: error.sent for key, error in callers.outcomes.items()} == {"sent": True, "waits": False}
    assert {key: error.retryable for key, error in callers.outcomes.items()} == {"sent": False, "waits": True}
    assert (len(table), table.connected) == (0, False)


async def test_a_loss_without_an_error_lets_waiters_live_on(table: Watched, callers: Callers) -> None:
    table.connect(Wire(), limit=1)
    await callers.start("1", "2")
    table.disconnect()
    await callers.start("3")
    assert callers.outcomes == {}
    table.connect(second := Wire(), limit=10)
    assert second == ["2", "3"], "what was sent is not sent again"
    assert table.settle("1", "answered over the next connection")
    await anyio.wait_all_tasks_blocked()
    assert callers.outcomes == {"1": "answered over the next connection"}


async def test_what_never_left_the_lost_connection_is_sent_over_the_next(table: Watched, callers: Callers) -> None:
    """Handed to the old link's outbox is not sent: without a second chance the waiter waits for nothing."""
    first = Wire()
    first.keep = True
    table.connect(first)
    await callers.start("1", "2")
    table.disconnect()
    table.connect(second := Wire())
    assert second == ["1", "2"]


async def test_no_watcher_idles_when_there_is_nothing_to_watch(table: Watched, callers: Callers, ms: float) -> None:
    table.connect(Wire())
    table.group = callers.group
    for expected in (1, 2):
        with anyio.fail_after(5):
            await callers._call("1", 20 * ms)
            await anyio.wait_all_tasks_blocked()
        assert isinstance(callers.outcomes["1"], RequestTimeout)
        assert table.watchers == expected


async def test_one_sleeper_watches_all_deadlines(table: Watched, callers: Callers, ms: float) -> None:
    table.connect(Wire())
    table.group = callers.group
    started = anyio.current_time()
    callers.group.start_soon(callers._call, "late", 120 * ms)
    callers.group.start_soon(callers._call, "early", 30 * ms)
    callers.group.start_soon(callers._call, "never", 600.0)
    with anyio.fail_after(5):
        while len(callers.outcomes) < 2:
            await anyio.sleep(5 * ms)
    assert list(callers.outcomes) == ["early", "late"]
    assert all(isinstance(outcome, RequestTimeout) for outcome in callers.outcomes.values())
    assert 120 * ms <= anyio.current_time() - started
    assert len(table) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # timers are counted on asyncio's loop
async def test_a_thousand_requests_need_no_timer_each(
    table: Watched, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.group = callers.group
    await callers.start("first", timeout=50.0)
    loop, timers = asyncio.get_running_loop(), []
    original: Callable[..., Any] = loop.call_at

    def call_at(*args: Any, **kwargs: Any) -> Any:
        timers.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(loop, "call_at", call_at)
    for number in range(1000):
        callers.group.start_soon(callers._call, str(number), 60.0)
    while len(table) < 1001:
        await checkpoint()
    assert timers == []


async def test_quick_answers_do_not_cost_a_watcher_each() -> None:
    """Their watcher begins only after the answer has come: it sleeps all the same."""
    watchers: list[int] = []

    async with anyio.create_task_group() as group:

        def watch() -> None:
            watchers.append(1)
            group.start_soon(table.watch_deadlines)

        table: RequestTable[str] = RequestTable(watch)
        table.connect(Wire())
        for number in range(20):
            pending = table.submit(str(number), b"", deadline=now() + 60)
            table.settle(str(number), "at once")
            assert await pending.wait() == "at once"
            await checkpoint()
        group.cancel_scope.cancel()
    assert len(watchers) == 1


async def test_a_watch_that_cannot_start_is_tried_again() -> None:
    starts: list[str] = []

    def watch() -> None:
        starts.append("tried")
        if len(starts) == 1:
            raise RuntimeError("not running yet")
        group.start_soon(table.watch_deadlines)

    table: RequestTable[str] = RequestTable(watch)
    async with anyio.create_task_group() as group:
        with pytest.raises(RuntimeError):
            table.submit("1", b"", deadline=anyio.current_time() + 0.01)
        with anyio.fail_after(5), pytest.raises(RequestTimeout):
            await table.call("2", b"", deadline=anyio.current_time() + 0.01)
    assert len(starts) == 2


async def test_an_error_for_a_request_that_nobody_waits_for_is_dropped() -> None:
    table: RequestTable[str] = RequestTable(lambda: None)
    wire = Wire()
    table.connect(wire, limit=1)
    table.abandon(table.submit("1", b"", deadline=math.inf))
    table.submit("2", b"", deadline=math.inf)
    assert wire == ["1"], "the server still works on it"
    assert table.fail("1", RequestLost("late", sent=True))
    assert wire == ["1", "2"]


async def test_a_queued_request_that_is_settled_by_being_sent_is_not_in_flight() -> None:
    table: RequestTable[str] = RequestTable(lambda: None)
    pending = [table.submit(key, b"", deadline=math.inf) for key in ("1", "2")]
    table.connect(lambda one: one.answer(one.key), limit=1)
    assert [await one.wait() for one in pending] == ["1", "2"]
    assert len(table) == 0
