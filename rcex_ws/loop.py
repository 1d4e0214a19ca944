"""The parts of the running event loop that a client needs, on asyncio and on trio: clock, waiters, errands.

Nothing of anyio's may be created or called while no task runs: asyncio calls `data_received` and the like from the loop
itself, where anyio cannot detect the loop (it asks sniffio, which asks for the current task). Everything here works
there, too; for anything else, code in such callbacks leaves an errand for a task of ours.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

import anyio.lowlevel

if TYPE_CHECKING:
    import trio

__all__ = ["Errands", "Lock", "Signal", "Waiter", "loop_clock", "now", "on_trio", "waiter_factory"]


def on_trio() -> bool:
    """Return whether the caller runs on trio rather than on asyncio."""
    trio = sys.modules.get("trio")
    # Without `lowlevel`, another thread is still importing it, so nothing runs on it.
    return trio is not None and hasattr(trio, "lowlevel") and bool(trio.lowlevel.in_trio_run())


def loop_clock() -> Callable[[], float]:
    """Return the running loop's own clock, in seconds: `anyio.current_time` without its dispatch."""
    if on_trio():
        clock: Callable[[], float] = sys.modules["trio"].current_time
        return clock
    return asyncio.get_running_loop().time


def now() -> float:
    """Return the event loop's time, for code without a clock at hand."""
    return loop_clock()()


class Waiter(Protocol):
    """Wakes one task, once: the part of `asyncio.Future` that also exists for trio."""

    def done(self) -> bool:
        """Return whether the task was woken or cancelled."""
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


def waiter_factory() -> Callable[[], Waiter]:
    """Return a factory for waiters of the running loop: `anyio.Event` without its dispatch, for per-message use."""
    return _TrioWaiter if on_trio() else asyncio.get_running_loop().create_future


def _wake(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Signal:
    """An `anyio.Event` in a tenth of the space: a connection has a dozen, and most are never waited for."""

    __slots__ = ("_set", "_waiters")

    def __init__(self) -> None:
        self._set = False
        self._waiters: tuple[Waiter, ...] = ()

    def is_set(self) -> bool:
        """Return whether the signal is set."""
        return self._set

    def set(self) -> None:
        """Set the signal and wake all waiters."""
        self._set = True
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            _wake(waiter)

    async def wait(self, *, until: float = math.inf) -> None:
        """Wait until the signal is set, or until a time of the loop's clock, which is cheaper than a cancel scope."""
        if self._set:
            await anyio.lowlevel.checkpoint()
            return
        waiter = waiter_factory()()
        self._waiters = (*self._waiters, waiter)
        try:
            if until == math.inf:
                await waiter
            elif on_trio():
                with sys.modules["trio"].CancelScope(deadline=until):
                    await waiter
            else:
                timer = asyncio.get_running_loop().call_at(until, _wake, waiter)
                try:
                    await waiter
                finally:
                    timer.cancel()
        finally:
            self._waiters = tuple(one for one in self._waiters if one is not waiter)


class Lock:
    """An `anyio.Lock` in a tenth of the space; first come, first served."""

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: tuple[Signal, ...] = ()

    async def __aenter__(self) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = Signal()
        self._waiting = (*self._waiting, turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._pass_on()
            self._waiting = tuple(one for one in self._waiting if one is not turn)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            first, *rest = self._waiting
            self._waiting = tuple(rest)
            first.set()
        else:
            self._taken = False


class Errands:
    """A queue of callbacks from code outside any task, which a task of ours runs."""

    __slots__ = ("_ended", "_more", "_pending")

    def __init__(self) -> None:
        self._pending: list[Callable[[], object]] = []  # a few at most; a deque would take 0.7 KiB
        self._more = Signal()
        self._ended = False

    def put(self, errand: Callable[[], object]) -> None:
        """Queue a callback that does not wait; callable from anywhere in the loop's thread."""
        self._pending.append(errand)
        self._more.set()

    def end(self) -> None:
        """Make `run` return once the queue is empty."""
        self._ended = True
        self._more.set()

    async def run(self, *, until: float = math.inf) -> None:
        """Run callbacks until `end` or a time of the loop's clock; another task may continue later.

        Waits for at least one iteration of the loop, even if that time has passed.
        """
        while True:
            while self._pending:
                self._pending.pop(0)()
            if self._ended:
                return
            if self._more.is_set():
                self._more = Signal()
            await self._more.wait(until=until)
            if not self._pending and now() >= until:
                return
