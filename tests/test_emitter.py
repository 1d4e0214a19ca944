"""Lifecycle events: in order, one handler at a time, each isolated, never delaying whoever emits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.emitter import EventEmitter
from rcex_ws.errors import ConfigurationError


@pytest.fixture
async def emitter() -> AsyncIterator[EventEmitter]:
    """Give an emitter that runs; at the end it must stop by itself."""
    emitter = EventEmitter()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            emitter.start(group.start_soon)
            yield emitter
            emitter.stop(within=5)


async def settled(emitter: EventEmitter) -> None:
    """Wait until the handlers of everything emitted so far have run."""
    done = anyio.Event()

    async def step() -> None:
        done.set()

    emitter.enqueue(step)
    with anyio.fail_after(5):
        await done.wait()


async def test_sync_and_async_handlers_run_one_at_a_time_in_order(emitter: EventEmitter) -> None:
    log: list[str] = []

    @emitter.on("a")
    async def slow(value: int) -> None:
        log.append(f"slow {value} begins")
        await checkpoint()
        log.append(f"slow {value} ends")

    emitter.on("a", lambda value: log.append(f"sync {value}"))
    emitter.on("b", lambda: log.append("b"))
    emitter.emit("a", 1)
    emitter.emit("b")
    emitter.emit("a", 2)
    await settled(emitter)
    assert log == ["slow 1 begins", "slow 1 ends", "sync 1", "b", "slow 2 begins", "slow 2 ends", "sync 2"]


async def test_emit_runs_no_handler_and_tells_whether_there_is_one(emitter: EventEmitter) -> None:
    log: list[str] = []
    emitter.on("a", lambda: log.append("ran"))
    assert emitter.emit("a")
    assert not emitter.emit("nobody listens")
    assert log == []
    await settled(emitter)
    assert log == ["ran"]


async def test_arguments_and_keywords_reach_the_handler(emitter: EventEmitter) -> None:
    got: list[Any] = []
    emitter.on("a", lambda *args, **kwargs: got.append((args, kwargs)))
    emitter.emit("a", 1, two=2)
    await settled(emitter)
    assert got == [((1,), {"two": 2})]


async def test_a_handler_that_raises_is_logged_emitted_as_error_and_disturbs_nobody(
    emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[Any] = []
    boom = ValueError("boom")

    def bad() -> None:
        raise boom

    async def bad_too() -> None:
        raise boom

    emitter.on("a", bad)
    emitter.on("a", bad_too)
    emitter.on("a", lambda: log.append("next"))
    emitter.on("error", log.append)
    emitter.emit("a")
    await settled(emitter)  # the errors are emitted behind this step
    await settled(emitter)
    assert log == ["next", boom, boom]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [boom, boom]


async def test_an_error_without_listener_is_logged(emitter: EventEmitter, caplog: pytest.LogCaptureFixture) -> None:
    emitter.emit("error", ValueError("unheard"))
    await settled(emitter)
    assert [(record.levelno, "unheard" in record.getMessage()) for record in caplog.records] == [(logging.ERROR, True)]


async def test_a_raising_error_handler_does_not_make_an_endless_chain(
    emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Any] = []

    def bad(error: Exception) -> None:
        calls.append(error)
        raise RuntimeError("the error handler fails as well")

    emitter.on("error", bad)
    emitter.emit("error", ValueError())
    for _ in range(5):
        await settled(emitter)
    assert len(calls) == 1
    assert "the error handler fails as well" in caplog.text


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio never raises Cancelled outside a cancelled scope
async def test_a_cancelled_error_from_users_code_is_an_error_like_any_other() -> None:
    """Awaiting a task that was cancelled elsewhere raises CancelledError, though nobody cancels the emitter."""
    emitter, log = EventEmitter(), []

    async def awaits_a_cancelled_task() -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    emitter.on("a", awaits_a_cancelled_task)
    emitter.on("a", lambda: log.append("next"))
    emitter.on("error", lambda error: log.append("error"))
    emitter.emit("a")
    tasks = []
    emitter.start(lambda handlers: tasks.append(asyncio.ensure_future(handlers())))
    await asyncio.wait(tasks, timeout=5)
    assert log == ["next", "error"]


async def test_once_runs_once_though_emitted_twice_before_its_turn(emitter: EventEmitter) -> None:
    log: list[int] = []
    emitter.once("a", log.append)
    emitter.emit("a", 1)
    emitter.emit("a", 2)
    await settled(emitter)
    assert log == [1]


async def test_a_removed_listener_is_not_called(emitter: EventEmitter) -> None:
    log: list[int] = []
    emitter.on("a", log.append)
    emitter.remove_listener("a", log.append)
    emitter.emit("a", 1)
    await settled(emitter)
    assert log == []


async def test_an_event_is_heard_while_it_has_a_handler_however_that_came_and_went(emitter: EventEmitter) -> None:
    log: list[int] = []

    async def emitted(number: int) -> list[int]:
        log.clear()
        heard = emitter.has_handlers("a")
        assert emitter.emit("a", number) is heard
        await settled(emitter)
        assert bool(log) is heard
        return [*log]

    assert await emitted(1) == []
    emitter.add_listener("a", log.append)
    emitter.on("a", lambda number: log.append(-number))
    assert await emitted(2) == [2, -2]
    emitter.listens_to("a")(lambda number: log.append(10 * number))
    assert await emitted(3) == [3, -3, 30]
    emitter.remove_listener("a", log.append)
    assert await emitted(4) == [-4, 40]
    emitter.remove_all_listeners("a")
    assert await emitted(5) == []
    emitter.on("a")(log.append)
    emitter.once("a", lambda number: log.append(-number))
    assert await emitted(6) == [6, -6]
    assert await emitted(7) == [7]
    emitter.remove_all_listeners()
    assert await emitted(8) == []
    emitter.once("a", log.append)
    assert await emitted(9) == [9]
    assert await emitted(10) == []


async def test_a_handler_attached_after_the_event_but_before_its_turn_gets_it(emitter: EventEmitter) -> None:
    log: list[int] = []
    emitter.emit("a", 1)
    emitter.on("a", log.append)
    await settled(emitter)
    assert log == [1]


async def test_a_handler_may_attach_and_emit(emitter: EventEmitter) -> None:
    log: list[str] = []

    def first() -> None:
        log.append("first")
        emitter.on("b", lambda: log.append("attached inside"))
        emitter.emit("b")
        log.append("first ends")

    emitter.on("a", first)
    emitter.on("a", lambda: log.append("second"))
    emitter.emit("a")
    await settled(emitter)
    await settled(emitter)
    assert log == ["first", "first ends", "second", "attached inside"]


async def test_new_listener_is_emitted_only_when_somebody_listens(emitter: EventEmitter) -> None:
    log: list[str] = []
    emitter.on("new_listener", lambda event, _handler: log.append(event))
    emitter.on("a", print)
    await settled(emitter)
    assert log == ["a"]


async def test_stop_runs_what_was_emitted_and_then_ends() -> None:
    emitter, log = EventEmitter(), []

    async def handler(value: int) -> None:
        await checkpoint()
        log.append(value)

    emitter.on("a", handler)
    emitter.emit("a", 1)
    emitter.emit("a", 2)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            emitter.start(group.start_soon)
            emitter.stop(within=5)
    assert log == [1, 2]


async def test_no_task_idles_between_events() -> None:
    emitter, tasks = EventEmitter(), []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:

            def spawn(handlers: Any) -> None:
                tasks.append(handlers)
                group.start_soon(handlers)

            emitter.start(spawn)
            assert not tasks
            emitter.emit("a")
            emitter.emit("b")
            await settled(emitter)
            await anyio.wait_all_tasks_blocked()
            emitter.emit("c")
            await settled(emitter)
    assert len(tasks) == 2


async def test_a_handler_that_stops_and_keeps_running_loses_nothing() -> None:
    emitter, log = EventEmitter(), []

    def close_and_open_again() -> None:
        emitter.stop(within=5)
        emitter.start(group.start_soon)

    emitter.on("a", close_and_open_again)
    emitter.on("b", lambda: log.append("b"))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            emitter.start(group.start_soon)
            emitter.emit("a")
            await anyio.wait_all_tasks_blocked()
            emitter.emit("b")
            await anyio.wait_all_tasks_blocked()
            assert log == ["b"]
            emitter.stop(within=5)


async def test_a_slow_handler_does_not_delay_whoever_emits(emitter: EventEmitter) -> None:
    release = anyio.Event()
    emitter.on("a", release.wait)
    emitter.emit("a")
    await anyio.wait_all_tasks_blocked()
    for _ in range(1000):
        emitter.emit("b")
    release.set()
    await settled(emitter)


@pytest.mark.parametrize("length", [0.0, 3600.0])
async def test_others_get_their_turn_while_a_long_queue_is_emptied(
    emitter: EventEmitter, monkeypatch: pytest.MonkeyPatch, length: float
) -> None:
    """As soon as the time for one turn is over, which it is here after each event, or never."""
    monkeypatch.setattr("rcex_ws.time_slice.TimeSlice.LENGTH", length)
    turns = 0
    seen: list[int] = []

    async def tick() -> None:
        nonlocal turns
        while len(seen) < 1000:
            await checkpoint()
            turns += 1

    emitter.on("a", lambda: seen.append(turns))
    for _ in range(1000):
        emitter.emit("a")
    async with anyio.create_task_group() as group:
        group.start_soon(tick)
    if length:
        assert seen[-1] == seen[0]
    else:
        assert seen[-1] - seen[0] >= 998


async def test_a_cancellation_between_two_events_leaves_the_rest_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rcex_ws.time_slice.TimeSlice.LENGTH", 0.0)
    emitter, log = EventEmitter(), []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            emitter.on("a", log.append)
            emitter.on("a", lambda number: group.cancel_scope.cancel() if number == 1 else None)
            for number in range(3):
                emitter.emit("a", number)
            emitter.start(group.start_soon)
            emitter.stop(within=5)
        assert log == [0, 1]
        async with anyio.create_task_group() as group:
            emitter.start(group.start_soon)
            emitter.stop(within=5)
    assert log == [0, 1, 2]


@pytest.mark.parametrize("name", ["", None, 5])
async def test_what_is_no_name_of_an_event_is_refused(emitter: EventEmitter, name: Any) -> None:
    for attach in (lambda: emitter.on(name), lambda: emitter.once(name), lambda: emitter.on(name, print)):
        with pytest.raises(ConfigurationError, match=r"^event: expected "):
            attach()


async def test_a_handler_may_cut_itself_short_and_the_next_has_its_turn(emitter: EventEmitter) -> None:
    log: list[str] = []

    def cut() -> None:
        emitter.cut_short()
        log.append("cut")

    emitter.on("a", cut)
    emitter.on("b", lambda: log.append("b"))
    emitter.emit("a")
    emitter.emit("b")
    await settled(emitter)
    assert log == ["cut", "b"]
