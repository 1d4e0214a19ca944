"""Run the blocking work on one file in a thread, one job after the other, in order.

A disk may take any time, and a thread cannot be interrupted. So a caller may be cancelled at any time, but its job runs
all the same, before every later one: no old write ever undoes a newer one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakSet

from rcex_ws.errors import RcexError
from rcex_ws.loop import Waiter, on_trio, waiter_factory

__all__ = ["FileThread"]

logger = logging.getLogger("rcex_ws.files")

T = TypeVar("T")


class FileThread:
    """Runs the jobs for one file.

    There is a thread only while there are jobs. It is a daemon thread, as a hanging disk must not keep the program from
    ending. A write interrupted by the end of the program leaves the old content.

    Args:
        name: the thread's name, shown in listings and in the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        """Start without jobs or a thread: initially, and in a forked process, which has only its main thread."""
        self._guard = threading.Lock()  # of the two below; never held while a job runs
        self._busy = False
        self._waiting: deque[_Job] = deque()

    async def do(self, work: Callable[[], T]) -> T:
        """Run a job and return its result or raise its exception; a cancellation takes effect at once."""
        return await _outcome_of(self._submit(work, is_write=False))

    async def write(self, work: Callable[[], None]) -> None:
        """Run a job that supersedes the write queued before it, which is skipped unless it has started.

        The callers of a skipped write get the outcome of this one.
        """
        await _outcome_of(self._submit(work, is_write=True))

    def when_done(self, last: Callable[[], object]) -> None:
        """Call `last` after all queued jobs: at once if there are none, otherwise in the thread."""
        with self._guard:
            if self._busy:
                self._waiting.append(_Job(last, is_write=False))
                return
        last()

    def _submit(self, work: Callable[[], T], *, is_write: bool) -> Future[T]:
        job, future = _Job(work, is_write=is_write), Future[T]()
        with self._guard:
            if is_write and self._waiting and self._waiting[-1].is_write:
                job.futures = self._waiting.pop().futures
            job.futures.append(future)
            if not self._busy:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()  # it first waits for the guard
                self._busy = True
            self._waiting.append(job)
        return future

    def _run(self) -> None:
        job = self._next()
        while job is not None:
            job.run()
            following = self._next()  # before settling: the callers may then find the thread idle
            job.settle(self._name)
            job = following

    def _next(self) -> _Job | None:
        with self._guard:
            self._busy = bool(self._waiting)
            return self._waiting.popleft() if self._busy else None


class _Job:
    """A job, and the futures of its callers."""

    __slots__ = ("_error", "_result", "_work", "futures", "is_write")

    def __init__(self, work: Callable[[], object], *, is_write: bool) -> None:
        self.is_write = is_write
        self.futures: list[Future[Any]] = []
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as exc:  # noqa: BLE001 - passed to the callers
            self._error = exc

    def settle(self, name: str) -> None:
        waiting = [future for future in self.futures if future.set_running_or_notify_cancel()]
        for future in waiting:
            if self._error is None:
                future.set_result(self._result)
            else:
                future.set_exception(self._error)
        if self._error is not None and not waiting:
            bug = None if isinstance(self._error, (OSError, RcexError)) else self._error
            logger.error("%s: a job failed after its caller had stopped waiting: %s", name, self._error, exc_info=bug)


_all: WeakSet[FileThread] = WeakSet()


def _forked() -> None:
    for thread in tuple(_all):
        thread.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


async def _outcome_of(future: Future[T]) -> T:
    waiter = waiter_factory()()
    future.add_done_callback(_waker(waiter))
    try:
        await waiter
    finally:
        future.cancel()  # no effect if it is done
    return future.result()


def _waker(waiter: Waiter) -> Callable[[object], None]:
    """Return a callback that wakes a task of this loop from any thread."""
    if on_trio():
        call_soon: Callable[..., object] = sys.modules["trio"].lowlevel.current_trio_token().run_sync_soon
    else:
        call_soon = asyncio.get_running_loop().call_soon_threadsafe

    def wake(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the task with it
            call_soon(_wake, waiter)

    return wake


def _wake(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)
