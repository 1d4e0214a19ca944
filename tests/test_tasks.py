"""The root task: it owns its children, nothing escapes it, and it may be closed from anywhere, even from inside."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from types import ModuleType

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.loop import Errands, now, on_trio
from rcex_ws.tasks import BackgroundTask, RootTask, in_background_task


class Crashes(list[Exception]):
    """The arguments of the calls to `on_crash`."""

    def __call__(self, error: Exception) -> None:
        self.append(error)


@pytest.fixture
def crashes() -> Crashes:
    return Crashes()


@pytest.fixture
async def root() -> AsyncIterator[RootTask]:
    root = RootTask("test")
    await root.start()
    yield root
    with anyio.fail_after(5):
        await root.aclose()
    assert not root.running


async def test_it_knows_its_event_loop(anyio_backend_name: str) -> None:
    assert on_trio() is (anyio_backend_name == "trio")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_trio_that_another_thread_is_just_importing_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    assert not on_trio()


async def test_a_child_runs_and_ends(root: RootTask, crashes: Crashes) -> None:
    ran = anyio.Event()

    async def work() -> None:
        ran.set()

    child = root.spawn(work, name="work", on_crash=crashes)
    with anyio.fail_after(5):
        await child.wait()
    assert (ran.is_set(), child.done, crashes) == (True, True, [])


async def test_a_crash_goes_to_its_owner_and_to_nobody_else(root: RootTask, crashes: Crashes) -> None:
    async def bad() -> None:
        raise ValueError("boom")

    neighbour = root.spawn(anyio.sleep_forever, name="neighbour", on_crash=crashes)
    child = root.spawn(bad, name="bad", on_crash=crashes)
    with anyio.fail_after(5):
        await child.wait()
    assert [str(error) for error in crashes] == ["boom"]
    assert root.running
    assert not neighbour.done


async def test_a_cancelled_child_ends_without_a_crash(root: RootTask, crashes: Crashes) -> None:
    child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    await anyio.wait_all_tasks_blocked()
    child.cancel()
    with anyio.fail_after(5):
        await child.wait()
    assert crashes == []


async def test_a_child_cancelled_before_its_first_step_ends(root: RootTask, crashes: Crashes) -> None:
    child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    child.cancel()
    with anyio.fail_after(5):
        await child.wait()


async def test_start_and_aclose_are_idempotent_and_it_can_start_again(crashes: Crashes) -> None:
    root = RootTask("test")
    await root.aclose()
    for _ in range(2):
        await root.start()
        await root.start()
        child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
        await root.aclose()
        await root.aclose()
        assert child.done
        with pytest.raises(RuntimeError, match="test is not running"):
            root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)


async def test_a_plain_function_may_start_it_and_its_children(crashes: Crashes) -> None:
    root, ran = RootTask("test"), anyio.Event()

    async def run() -> None:
        ran.set()

    root.begin()
    root.begin()
    root.spawn(run, name="early", on_crash=crashes)
    with anyio.fail_after(5):
        await ran.wait()
        await root.aclose()


async def test_it_may_be_started_and_closed_in_different_tasks(crashes: Crashes) -> None:
    root = RootTask("test")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(root.start)
        child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
        async with anyio.create_task_group() as group:
            group.start_soon(root.aclose)
    assert child.done


async def test_it_outlives_the_cancelled_scope_it_was_started_in(crashes: Crashes) -> None:
    root = RootTask("test")
    with anyio.CancelScope() as scope:
        await root.start()
        scope.cancel()
    child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    await anyio.wait_all_tasks_blocked()
    assert root.running
    assert not child.done
    await root.aclose()


async def test_closing_while_it_starts_leaves_it_closed() -> None:
    root, begun = RootTask("test"), anyio.Event()

    async def start() -> None:
        begun.set()
        await root.start()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(start)
            await begun.wait()
            await root.aclose()
        await anyio.wait_all_tasks_blocked()
    assert not root.running


async def test_closing_from_inside_lets_the_child_finish_and_ends_the_others(crashes: Crashes) -> None:
    root = RootTask("test")
    await root.start()
    log: list[str] = []

    async def closer() -> None:
        assert in_background_task()
        await root.aclose()
        log.append("closed")
        await checkpoint()
        log.append("finished")

    other = root.spawn(anyio.sleep_forever, name="other", on_crash=crashes)
    child = root.spawn(closer, name="closer", on_crash=crashes)
    with anyio.fail_after(5):
        await child.wait()
        await other.wait()
    assert log == ["closed", "finished"]
    assert crashes == []


async def test_a_child_neither_cancels_itself_nor_waits_for_itself(root: RootTask, crashes: Crashes) -> None:
    log: list[str] = []
    children: list[BackgroundTask] = []

    async def work() -> None:
        children[0].cancel()
        await children[0].wait()
        await checkpoint()
        log.append("finished")

    children.append(root.spawn(work, name="work", on_crash=crashes))
    with anyio.fail_after(5):
        await children[0].wait()
    assert log == ["finished"]


async def test_a_root_started_inside_a_handler_is_no_part_of_it(root: RootTask, crashes: Crashes) -> None:
    second = RootTask("second")
    seen: list[bool] = []

    async def look() -> None:
        seen.append(handler.runs_caller())

    async def open_another() -> None:
        await second.start()

    handler = root.spawn(open_another, name="handler", on_crash=crashes)
    with anyio.fail_after(5):
        await handler.wait()
        await second.spawn(look, name="look", on_crash=crashes).wait()
        await second.aclose()
    assert seen == [False]
    assert not in_background_task()


async def test_aclose_waits_no_longer_than_it_was_told(crashes: Crashes, ms: float) -> None:
    root, release = RootTask("test"), anyio.Event()
    await root.start()

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()

    child = root.spawn(stubborn, name="stubborn", on_crash=crashes)
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(5):
        await root.aclose(within=20 * ms)
        assert not child.done
        release.set()
        await child.wait()


async def test_aclose_finishes_though_its_caller_is_cancelled(crashes: Crashes) -> None:
    root = RootTask("test")
    await root.start()
    child = root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await root.aclose()
    assert child.done


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_task_is_left_on_asyncio(crashes: Crashes) -> None:
    before = asyncio.all_tasks()
    root = RootTask("test")
    await root.start()
    root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    await root.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_no_task_is_left_on_trio(crashes: Crashes) -> None:
    import trio

    before = trio.lowlevel.current_statistics().tasks_living
    root = RootTask("test")
    await root.start()
    root.spawn(anyio.sleep_forever, name="sleeper", on_crash=crashes)
    await root.aclose()
    await anyio.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before


class TestErrands:
    async def test_they_are_done_in_order_by_the_task_that_runs_them(self) -> None:
        errands, done = Errands(), list[int]()
        errands.put(lambda: done.append(1))
        errands.put(lambda: errands.put(lambda: done.append(3)))
        errands.put(lambda: done.append(2))
        await errands.run(until=now() + 0.01)
        assert done == [1, 2, 3]

    async def test_one_that_comes_while_it_waits_is_done_at_once(self) -> None:
        errands, done = Errands(), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(errands.run)
            await anyio.wait_all_tasks_blocked()
            errands.put(done.set)
            with anyio.fail_after(5):
                await done.wait()
            group.cancel_scope.cancel()

    async def test_another_task_takes_over(self) -> None:
        """The first task may be cancelled before it has even started."""
        errands, done = Errands(), anyio.Event()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                first = anyio.CancelScope()

                async def run_first() -> None:
                    with first:
                        await errands.run()

                group.start_soon(run_first)
                first.cancel()
                group.start_soon(errands.run)
                await anyio.wait_all_tasks_blocked()
                errands.put(done.set)
                await done.wait()
                group.cancel_scope.cancel()

    async def test_a_time_that_is_past_lets_others_run(self) -> None:
        errands, others = Errands(), 0

        async def other() -> None:
            nonlocal others
            others += 1

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            for _ in range(10):
                await errands.run(until=now() - 1)
        assert others == 1


async def test_a_child_runs_with_the_context_of_who_spawned_it(root: RootTask, crashes: Crashes) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    seen: list[tuple[str, bool]] = []

    async def note() -> None:
        seen.append((variable.get(), in_background_task()))

    variable.set("the caller's")
    with anyio.fail_after(5):
        await root.spawn(note, name="note", on_crash=crashes).wait()
    assert seen == [("the caller's", True)]


async def test_a_child_belongs_to_the_root_and_not_to_the_child_that_spawned_it(
    root: RootTask, crashes: Crashes
) -> None:
    inner: list[BackgroundTask] = []
    enclosed: list[bool] = []

    async def note() -> None:
        enclosed.append(outer.runs_caller())

    async def spawn() -> None:
        inner.append(root.spawn(note, name="inner", on_crash=crashes))

    outer = root.spawn(spawn, name="outer", on_crash=crashes)
    with anyio.fail_after(5):
        await outer.wait()
        await inner[0].wait()
    assert enclosed == [False]
