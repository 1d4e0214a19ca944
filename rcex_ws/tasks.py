"""One root task per client owns every background task, on asyncio and on trio, with or without `async with`.

A task group must be exited in the task that entered it, yet a client may be opened in one task and closed in another.
So the group lives in a root task of its own, which starts children and stops on request. Nothing escapes: an exception
in a child is passed to that child's `on_crash`, never to the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn, cast

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from rcex_ws.errors import NotConnected
from rcex_ws.loop import Errands, Signal, on_trio
from rcex_ws.options import Name, checked

__all__ = ["BackgroundTask", "RootTask", "in_background_task", "reason_to_exit", "run_to_completion"]

# The children that the current code was called by: a handler may close the client whose child calls it.
_inside: contextvars.ContextVar[tuple[BackgroundTask, ...]] = contextvars.ContextVar("rcex_ws_inside", default=())


def in_background_task() -> bool:
    """Return whether a background task of a client called the current code, for example a handler."""
    return any(not child.done for child in _inside.get())


async def run_to_completion(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a step to its end even if the caller is cancelled, then let the cancellation through.

    A shielded scope does not stop asyncio's native cancellation, so there the step runs in a task of its own.
    """
    with anyio.CancelScope(shield=True):
        if on_trio():
            await step()
            return
        task = asyncio.create_task(step())
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError as exc:
                cancelled = exc
        task.result()
        if cancelled is not None:
            raise cancelled


class BackgroundTask:
    """A handle on one background task of a `RootTask`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._scope: anyio.CancelScope | None = None  # while it runs
        self._cancelled = False
        self._let_finish_depth = 0
        self._done = Signal()
        self._released = Signal()  # done, or left to finish

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self._done.is_set()

    def runs_caller(self) -> bool:
        """Return whether this task called the current code, directly or through a task that it started."""
        return self in _inside.get()

    @property
    def left_to_finish(self) -> bool:
        """Whether the task finishes by itself: `cancel` and `wait` then do nothing."""
        return self._let_finish_depth > 0 or self.runs_caller()

    @contextmanager
    def let_finish(self) -> Generator[None]:
        """Leave the task to finish by itself within the block, since it waits for what would wait for it."""
        self._let_finish_depth += 1
        self._released.set()
        try:
            yield
        finally:
            self._let_finish_depth -= 1
            if self._let_finish_depth == 0 and not self.done:
                self._released = Signal()

    def cancel(self) -> None:
        """Cancel the task, unless it is left to finish, as a handler is that closes its own client."""
        if self.left_to_finish:
            return
        self._cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    async def wait(self) -> None:
        """Wait until the task has ended, or is left to finish."""
        if not self.left_to_finish:
            await self._released.wait()

    async def run(
        self, func: Callable[[], Awaitable[None]], on_crash: Callable[[Exception], None], *, caller_waits: bool
    ) -> None:
        """Run `func`; called once, by the root.

        Args:
            func: called without arguments.
            on_crash: called with the exception that it raises.
            caller_waits: as for `RootTask.spawn`.

        Raises:
            BaseException: one that ends the program, alone or in a group.
        """
        _inside.set((*_inside.get(), self) if caller_waits else (self,))
        try:
            with anyio.CancelScope() as self._scope:
                if self._cancelled:
                    self._scope.cancel()
                await func()
        except Exception as exc:  # noqa: BLE001 - left to the owner; nothing may escape into the root
            on_crash(exc)
        finally:
            self.end()

    def end(self) -> None:
        """Record that the task has ended, or will never start."""
        self._scope = None
        self._done.set()
        self._released.set()


class RootTask:
    """The owner of the background tasks of one client.

    Args:
        name: shown in task listings.
    """

    @checked
    def __init__(self, name: Name) -> None:
        self._name = name
        self._current: _RootRun | None = None
        self._previous: _RootRun | None = None  # whose children may still be finishing
        self._exit: BaseException | None = None

    @property
    def running(self) -> bool:
        """Whether the root task is running."""
        return self._current is not None and self._current.started.is_set()

    def begin(self) -> None:
        """Start the root task unless it is running, without waiting: children spawned meanwhile start with it."""
        if self._current is None:
            self._current = _RootRun(self._name, self._end_program)
            self._current.begin()

    async def start(self) -> None:
        """Start the root task unless it is running, and wait until it runs."""
        self.begin()
        if self._current is not None:
            await self._current.started.wait()

    @contextmanager
    def let_caller_finish(self) -> Generator[None]:
        """Leave the children that called the current code to finish while it waits for this root to end."""
        with ExitStack() as stack:
            for child in () if self._current is None else self._current.children:
                if child.runs_caller():
                    stack.enter_context(child.let_finish())
            yield

    def spawn(
        self,
        func: Callable[[], Awaitable[None]],
        *,
        name: str,
        on_crash: Callable[[Exception], None],
        caller_waits: bool = False,
    ) -> BackgroundTask:
        """Run `func` in the background until it returns or the child is cancelled.

        It has the caller's context variables, but only this root owns it.

        Args:
            func: called without arguments.
            name: shown in task listings.
            on_crash: called with the exception if `func` raises one; with `NotConnected` for KeyboardInterrupt and
                SystemExit, which also end the program, or whatever ran the loop: a notebook keeps running.
            caller_waits: whether the caller will wait for it. The children that called the caller then count as callers
                of this one as well, which must not wait for them.

        Raises:
            RuntimeError: the root task was not started.
        """
        if self._current is None:
            raise RuntimeError(f"{self._name} is not running")
        return self._current.spawn(func, name, on_crash, caller_waits=caller_waits)

    async def aclose(self, *, within: float = 5.0) -> None:
        """Cancel all children and end the root task; a child that called this is left to finish.

        A second call waits for that child as well.

        Args:
            within: seconds to wait for slow children.

        Raises:
            SystemExit: a child raised it; on trio it reaches the program here.
        """
        run, self._current = self._current, None
        if run is not None:
            self._previous = run
            await run.end(within)
        elif self._previous is not None:
            await self._previous.wait_ended(within)
        if self._exit is not None and not in_background_task():
            exit_, self._exit = self._exit, None
            raise exit_

    def _end_program(self, exc: BaseException) -> None:
        """End the program with a KeyboardInterrupt or SystemExit that a child raised.

        On asyncio the loop raises it, as it does for any task. On trio a system task that raises is an internal error,
        so the main task is interrupted as by Ctrl-C instead, and `aclose` raises SystemExit.
        """
        if not on_trio():
            asyncio.get_running_loop().call_soon(_raise, exc)
        elif threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
            raise exc  # as trio's internal error: nothing else would end the program
        else:
            self._exit = None if isinstance(exc, KeyboardInterrupt) else exc
            sys.modules["trio"].lowlevel.enable_ki_protection(_interrupt)()


class _RootRun:
    """One run of the root task, from `start` to `aclose`."""

    def __init__(self, name: str, end_program: Callable[[BaseException], None]) -> None:
        self.started = Signal()
        self._name = name
        self._end_program = end_program
        self._errands = Errands()
        # In start order, which is also the order of cancellation; with what runs, once it was passed to the group.
        self._children: dict[BackgroundTask, Coroutine[Any, Any, None] | None] = {}
        self._stop = anyio.CancelScope()
        self._ended = Signal()
        self._task: asyncio.Task[None] | None = None  # asyncio keeps only weak references to tasks

    def begin(self) -> None:
        # The root outlives the code that starts it, and must not count as called by a running handler.
        context = contextvars.copy_context()
        context.run(_inside.set, ())
        if on_trio():
            import trio

            trio.lowlevel.spawn_system_task(self._run, name=self._name, context=context)
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name, context=context)

    def spawn(
        self,
        func: Callable[[], Awaitable[None]],
        name: str,
        on_crash: Callable[[Exception], None],
        *,
        caller_waits: bool,
    ) -> BackgroundTask:
        child = BackgroundTask(name)
        if self._ended.is_set():  # the loop itself is ending
            child.end()
            return child
        self._children[child] = None

        async def run() -> None:
            try:
                await child.run(func, on_crash, caller_waits=caller_waits)
            except BaseException as exc:
                if (reason := reason_to_exit(exc)) is None:
                    raise
                on_crash(NotConnected(f"a callback or handler was ended by {type(reason).__name__}"))
                self._errands.put(partial(_raise, _EndOfProgram(reason)))
            finally:
                self._children.pop(child, None)

        def start() -> None:
            running = self._children[child] = run()
            self._group.start_soon(lambda: running, name=f"{self._name}: {name}")

        self._errands.put(partial(contextvars.copy_context().run, start))
        return child

    @property
    def children(self) -> tuple[BackgroundTask, ...]:
        return tuple(self._children)

    async def end(self, within: float) -> None:
        children = tuple(self._children)
        for child in children:
            child.cancel()
        self._errands.put(self._stop.cancel)
        with anyio.move_on_after(within, shield=True):
            for child in children:
                await child.wait()
            await self.wait_ended(within)

    async def wait_ended(self, within: float) -> None:
        if not any(child.left_to_finish for child in self._children):
            with anyio.move_on_after(within, shield=True):
                await self._ended.wait()

    async def _do_errands(self) -> None:
        try:
            await self._errands.run()
        except _EndOfProgram as end:
            # Not in the child, where it would stop asyncio's loop while tasks wait to start. Nor does this task start
            # any before the loop has stopped, as some loops run again later, a notebook's for one.
            self._end_program(end.reason)
            await anyio.lowlevel.checkpoint()

    async def _run(self) -> None:
        self._group: TaskGroup
        try:
            async with anyio.create_task_group() as self._group:
                self.started.set()
                with self._stop:
                    while True:
                        await self._do_errands()
        finally:
            for child, running in tuple(self._children.items()):  # not started: the loop itself is ending
                if running is not None:
                    running.close()  # anyio forgets it, and Python would warn that nothing has awaited it
                child.end()
            self._ended.set()


class _EndOfProgram(Exception):
    def __init__(self, reason: BaseException) -> None:
        self.reason = reason


def reason_to_exit(exc: BaseException) -> BaseException | None:
    """Return the KeyboardInterrupt or SystemExit in an exception, also in nested groups, or None."""
    if isinstance(exc, BaseExceptionGroup):
        reasons = map(reason_to_exit, cast("BaseExceptionGroup[BaseException]", exc).exceptions)
        return next((reason for reason in reasons if reason is not None), None)
    return exc if isinstance(exc, KeyboardInterrupt | SystemExit) else None


def _raise(exc: BaseException) -> NoReturn:
    raise exc


def _interrupt() -> None:
    signal.raise_signal(signal.SIGINT)
