"""One root task per client owns every background task, on asyncio and on trio, with or without `async with`.

A task group must be left in the task that entered it, yet a client may be opened in one task and closed in another. So
the group lives in a root task of its own; everybody else only asks it to start something or to stop. Nothing escapes:
an exception out of a child is handed to that child's `on_crash`, never to the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

if TYPE_CHECKING:
    import trio

__all__ = ["Child", "RootTask", "Signal", "Waiter", "in_child", "loop_clock", "new_waiter", "now", "on_trio"]

# The children inside which the current code runs: user code called by one may close what owns it.
_inside: contextvars.ContextVar[tuple[Child, ...]] = contextvars.ContextVar("rcex_ws_inside", default=())


def on_trio() -> bool:
    """Tell whether the caller runs on trio; without it, on asyncio."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def loop_clock() -> Callable[[], float]:
    """Give the running loop's own clock, in seconds: `anyio.current_time` without its dispatch."""
    if on_trio():
        clock: Callable[[], float] = sys.modules["trio"].current_time
        return clock
    return asyncio.get_running_loop().time


def now() -> float:
    """Give the event loop's time, for what runs per message and has no clock at hand."""
    return loop_clock()()


class Waiter(Protocol):
    """What one task waits for, once: the part of `asyncio.Future` that trio can do, too."""

    def done(self) -> bool:
        """Tell whether it was woken, or its task cancelled."""
        ...

    def set_result(self, result: None, /) -> None:
        """Wake the task."""
        ...

    def __await__(self) -> Generator[Any, Any, None]: ...


class _TrioWaiter:
    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: trio.Event = sys.modules["trio"].Event()

    def done(self) -> bool:
        return self._event.is_set()

    def set_result(self, _: None) -> None:
        self._event.set()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._event.wait().__await__()


def new_waiter() -> Waiter:
    """Make a waiter of the running loop: `anyio.Event` without its dispatch, for what is made per message."""
    return _TrioWaiter() if on_trio() else asyncio.get_running_loop().create_future()


class Signal:
    """Do what `anyio.Event` does in a tenth of the space: a connection has a dozen, and most are never waited for."""

    __slots__ = ("_set", "_waiters")

    def __init__(self) -> None:
        self._set = False
        self._waiters: tuple[Waiter, ...] = ()

    def is_set(self) -> bool:
        """Tell whether it has happened."""
        return self._set

    def set(self) -> None:
        """Let everybody go on."""
        self._set = True
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until it has happened."""
        if self._set:
            await anyio.lowlevel.checkpoint()
            return
        waiter = new_waiter()
        self._waiters = (*self._waiters, waiter)
        try:
            await waiter
        finally:
            self._waiters = tuple(one for one in self._waiters if one is not waiter)


def in_child() -> bool:
    """Tell whether the caller was called by a background task of a client: from a handler, say."""
    return any(not child.done for child in _inside.get())


class Child:
    """Handle one background task of a `RootTask`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._scope = anyio.CancelScope()
        self._done = Signal()

    @property
    def done(self) -> bool:
        """Tell whether the task has ended."""
        return self._done.is_set()

    def encloses_caller(self) -> bool:
        """Tell whether the calling code was itself called by this task (a handler, or a task it started)."""
        return self in _inside.get()

    def cancel(self) -> None:
        """Cancel the task; from inside it do nothing, so that a handler that closes its owner can finish."""
        if not self.encloses_caller():
            self._scope.cancel()

    async def wait(self) -> None:
        """Wait until the task has ended; from inside it return at once."""
        if not self.encloses_caller():
            await self._done.wait()

    async def run(self, func: Callable[[], Awaitable[None]], on_crash: Callable[[Exception], None]) -> None:
        """Run `func`; called once, by the root."""
        _inside.set((*_inside.get(), self))
        try:
            with self._scope:
                await func()
        except Exception as exc:  # noqa: BLE001 - the owner decides; nothing may escape into the root
            on_crash(exc)
        finally:
            self._done.set()


class RootTask:
    """Own the background tasks of one client.

    Args:
        name: shown in task listings.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._group: TaskGroup | None = None
        self._children: set[Child] = set()
        self._started = Signal()
        self._stop: Signal | None = None
        self._ended = Signal()
        self._task: asyncio.Task[None] | None = None  # asyncio keeps only weak references to tasks

    @property
    def running(self) -> bool:
        """Tell whether the root task is up."""
        return self._group is not None

    async def start(self) -> None:
        """Start the root task; do nothing when it is up."""
        if self._stop is None:
            self._stop, self._started, self._ended = Signal(), Signal(), Signal()
            self._spawn_root(self._stop, self._started, self._ended)
        await self._started.wait()

    def spawn(self, func: Callable[[], Awaitable[None]], *, name: str, on_crash: Callable[[Exception], None]) -> Child:
        """Run `func` in the background until it returns or the child is cancelled.

        Args:
            func: called without arguments.
            name: shown in task listings.
            on_crash: called with the exception when `func` raises one.

        Raises:
            RuntimeError: the root task is not running.
        """
        if self._group is None:
            raise RuntimeError(f"{self._name} is not running")
        child = Child(name)
        self._children.add(child)

        async def run() -> None:
            try:
                await child.run(func, on_crash)
            finally:
                self._children.discard(child)

        self._group.start_soon(run, name=f"{self._name}: {name}")
        return child

    async def aclose(self, *, within: float = 5.0) -> None:
        """Cancel all children and end the root task; a child that called this is left to finish. Idempotent.

        Args:
            within: seconds to wait for children that are slow to end.
        """
        if self._stop is None:
            return
        children, ended = tuple(self._children), self._ended
        self._stop.set()
        self._stop = self._group = None
        for child in children:
            child.cancel()
        with anyio.move_on_after(within, shield=True):
            for child in children:
                await child.wait()
            if not in_child():
                await ended.wait()

    def _spawn_root(self, stop: Signal, started: Signal, ended: Signal) -> None:
        async def root() -> None:
            try:
                async with anyio.create_task_group() as group:
                    if not stop.is_set():
                        self._group = group
                    started.set()
                    await stop.wait()
            finally:
                ended.set()

        # The root outlives the code that asked for it, and must not look like a part of a running handler.
        context = contextvars.copy_context()
        context.run(_inside.set, ())
        if on_trio():
            import trio

            trio.lowlevel.spawn_system_task(root, name=self._name, context=context)
        else:
            self._task = asyncio.get_running_loop().create_task(root(), name=self._name, context=context)
