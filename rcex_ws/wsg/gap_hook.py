"""Calls the `on_gap` hook, and calls it again with each gap that it has not handled.

A gap is open until the hook returns from it. While the hook fails, notifications go on; the gap is kept, in the store
too, and the hook is called with it again: by the schedule, and at once after the next reconnect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from rcex_ws.handlers import call
from rcex_ws.loop import Signal, now
from rcex_ws.named_log import Log
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.gaps import FailedGaps, WaitingGap
from rcex_ws.wsg.models import Gap

__all__ = ["GapCalls", "GapHook"]

GapHook = Callable[[Gap], object]
"""Sync or async; called with each gap before newer notifications are delivered, so it can read the data again."""

#: Minimum seconds between two rounds, whatever the application's schedule says: its hook may fail at once.
_LEAST_PAUSE = 1.0

StartTask = Callable[[Callable[[], Awaitable[None]]], BackgroundTask]


class GapCalls:
    """Calls the hook, one gap at a time, and keeps the gaps that it is not through with.

    A new gap comes before those that failed: notifications wait for it.

    Args:
        hook: the hook, or None: then a gap needs nobody.
        timeout: seconds the hook may take.
        retry_delay: returns the delay in seconds before the n-th round of repeated calls in a row, n from 1.
        turn: waits until the handlers of everything emitted so far have run.
        on_error: called with what the hook raised, which is logged already.
        on_change: called when `open` has changed, for the store.
        log: gets what fails.

    Attributes:
        hook: as given; may be replaced.
    """

    def __init__(
        self,
        hook: GapHook | None,
        *,
        timeout: float,
        retry_delay: Callable[[int], float],
        turn: Callable[[], Awaitable[None]],
        on_error: Callable[[Exception], None],
        on_change: Callable[[], None],
        log: Log,
    ) -> None:
        self.hook = hook
        self._timeout = timeout
        self._retry_delay = retry_delay
        self._turn = turn
        self._on_error = on_error
        self._on_change = on_change
        self._log = log
        self._new: list[WaitingGap] = []  # handlers and hook are still to run, or running
        self._failed = FailedGaps()
        self._start_task: StartTask | None = None
        self._task: BackgroundTask | None = None  # makes the repeated calls
        self._first_calls = 0  # running now
        self._none_runs = Signal()  # made for who waits for their end
        self._repeating: anyio.CancelScope | None = None  # of the repeated call that runs; not of a hook that closes
        self._pause_over = Signal()

    @property
    def open(self) -> list[Gap]:
        """Gaps that handlers and hook are not through with; the next process reports them if this one ends."""
        return [waiting.gap for waiting in (*self._failed, *self._new) if not waiting.absorbed]

    # -- the first call --------------------------------------------------------------------------------------------

    def add(self, waiting: WaitingGap) -> None:
        """Add a gap, for which `handle` will be called, or `call` and `settle`."""
        self._new.append(waiting)
        self._on_change()

    async def handle(self, waiting: WaitingGap) -> None:
        """Call the hook with a gap; if it fails, keep the gap and call it again later."""
        try:
            await self.call(waiting)
        finally:  # closing may cancel the hook
            await self.settle(waiting)

    async def call(self, waiting: WaitingGap) -> None:
        """Call the hook with a new gap, unless that was merged into another."""
        if not waiting.absorbed:
            self._give_way()
            self._first_calls += 1
            try:
                waiting.handled = await self._call(waiting.gap)
            finally:
                self._first_calls -= 1
                self._none_runs.set()

    async def settle(self, waiting: WaitingGap) -> None:
        """Let a gap go if it is handled or merged into another; otherwise keep it. Never waits."""
        self._new.remove(waiting)
        if not (waiting.handled or waiting.absorbed):
            self._failed.add(waiting)
            self._repeat_later()
        self._on_change()

    # -- the repeated calls ----------------------------------------------------------------------------------------

    def start(self, start_task: StartTask) -> None:
        """Begin to repeat calls, in a task that exists only while a gap has failed.

        Args:
            start_task: starts it.
        """
        self._start_task = start_task
        self._repeat_later()

    def stop(self) -> BackgroundTask | None:
        """Repeat no more calls; gaps stay open.

        Returns:
            The task that ends, if there is one.
        """
        self._start_task = None
        task, self._task, self._repeating = self._task, None, None
        if task is not None:
            task.cancel()  # not the hook that closes
        return task

    def connected(self) -> None:
        """Repeat the calls now: what made the hook fail may be over with the outage."""
        self._pause_over.set()

    def _repeat_later(self) -> None:
        if self._start_task is not None and self._failed and (self._task is None or self._task.done):
            self._pause_over = Signal()
            self._task = self._start_task(self._repeat)

    async def _repeat(self) -> None:
        this, rounds = self._task, 0
        while self._failed:
            rounds += 1
            delay = max(_LEAST_PAUSE, self._retry_delay(rounds))
            self._log.info("on_gap is called again in %.1f s", delay)
            await self._pause_over.wait(until=now() + delay)
            if self._pause_over.is_set():
                self._pause_over, rounds = Signal(), 0
            for waiting in tuple(self._failed):
                await self._wait_for_turn()
                if not waiting.absorbed:
                    await self._call_again(waiting)
                if self._task is not this:  # the hook has closed the extension
                    return

    async def _wait_for_turn(self) -> None:
        await self._turn()
        while self._first_calls:  # of `gap_now`, which waits for nobody
            self._none_runs = Signal()
            await self._none_runs.wait()

    async def _call_again(self, waiting: WaitingGap) -> None:
        parts = waiting.count
        with anyio.CancelScope() as scope:
            self._repeating = scope
            try:
                handled = await self._call(waiting.gap)
            finally:
                if self._repeating is scope:
                    self._repeating = None
            if handled and waiting.count == parts:  # nothing was merged into it meanwhile
                self._failed.remove(waiting)
                self._log.info("on_gap has handled a gap for which it had failed")
                self._on_change()

    def _give_way(self) -> None:
        """Cut a repeated call short, so that the hook never runs twice at a time; it is made again later."""
        if self._repeating is not None:
            self._repeating.cancel()
            self.connected()

    # -- the hook --------------------------------------------------------------------------------------------------

    async def _call(self, gap: Gap) -> bool:
        """Call the hook; return whether it has handled the gap."""
        if self.hook is None:
            return True
        try:
            with anyio.move_on_after(self._timeout) as scope:
                await call(self.hook, gap)
        except Exception as exc:  # noqa: BLE001 - logged and emitted
            self._log.exception("on_gap raised; it will be called with this gap again")
            self._on_error(exc)
            return False
        if scope.cancelled_caught:
            text = f"on_gap took longer than {self._timeout:g} s and was cancelled"
            self._log.warning("%s; it will be called with this gap again", text)
            self._on_error(TimeoutError(text))
        return not scope.cancelled_caught
