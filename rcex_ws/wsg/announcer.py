"""What is reported to the application, in order: events, the `on_gap` hook, then delivery resumes.

Everything runs in the emitter's task, one after the other, so nothing here has to wait; only `gap_now` does, for a call
of the application that must not return before its gap is handled. A peer that sends garbage must
not fill that queue: while an error waits in it, later ones of its kind are only counted, and while a gap waits, gaps
that touch it are merged into it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from rcex_ws.connection import EventEmitter
from rcex_ws.errors import BadFrame, SlowConsumer
from rcex_ws.loop import Signal
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.gap_hook import GapCalls, GapHook
from rcex_ws.wsg.gaps import WaitingGap, WaitingGaps
from rcex_ws.wsg.models import Events, Gap
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Announcer"]

#: Errors that a peer can cause over and over by what it sends or how fast: one tells as much as many.
_ALIKE = (BadFrame, SlowConsumer)

#: Of other errors each is reported by itself, unless so many of its type are waiting.
_MOST_ERRORS = 100

#: Each frame may bring a new token, and only the newest has any worth.
_MOST_TOKENS = 100


class _WaitingError:
    """An error, and how many more like it came while it waited.

    Args:
        error: the first one.
        already_logged: whether it is in the log already.
    """

    def __init__(self, error: Exception, *, already_logged: bool) -> None:
        self.error = error
        self.already_logged = already_logged
        self.more = 0

    def counted(self) -> Exception:
        """Return the error, with the number of the others in its text."""
        error, more = self.error, self.more
        if more:
            words = f"and {more:,} more like it"
            if isinstance(error, _ALIKE):
                error.args = (f"{error} ({words})",)
            else:  # perhaps the application's own type, whose `args` may mean anything
                error.add_note(words)
        return error


class Announcer:
    """Emits lifecycle events and runs the `on_gap` hook; outlives the runtimes of its extension, as the emitter does.

    Args:
        emitter: runs the handlers.
        on_gap: the hook, or None.
        gap_timeout: seconds the hook may take.
        retry_delay: see `GapCalls`.
        on_gap_change: called when another set of gaps is open, for the store.
        telemetry: log and counters.

    Attributes:
        gap_calls: calls the hook, and knows which gaps are open.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        *,
        on_gap: GapHook | None,
        gap_timeout: float,
        retry_delay: Callable[[int], float],
        on_gap_change: Callable[[], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._emitter = emitter
        self._telemetry = telemetry or Telemetry()
        self._log = self._telemetry.log
        self._errors: dict[type[Exception], deque[_WaitingError]] = {}
        self._wscs: deque[Wsc] = deque()
        self._gaps = WaitingGaps()
        self.gap_calls = GapCalls(
            on_gap,
            timeout=gap_timeout,
            retry_delay=retry_delay,
            turn=self._turn,
            on_error=partial(self.error, already_logged=True),
            on_change=on_gap_change,
            log=self._log,
        )

    def emit(self, event: Events, *args: object) -> None:
        """Emit an event."""
        self._gaps.close()
        self._emitter.emit(event, *args)

    def new_wsc(self, wsc: Wsc) -> None:
        """Emit `newWsc`; while too many are waiting, a newer token replaces the last of them."""
        if len(self._wscs) >= _MOST_TOKENS:
            self._wscs[-1] = wsc
            return
        self._wscs.append(wsc)
        self._gaps.close()
        self._emitter.enqueue(self._emit_wsc)

    def error(self, error: Exception, *, already_logged: bool = False) -> None:
        """Emit `error`; it is logged if nobody listens, unless it is `already_logged`."""
        waiting = self._errors.setdefault(type(error), deque())
        if waiting and (isinstance(error, _ALIKE) or len(waiting) >= _MOST_ERRORS):
            waiting[-1].more += 1
            return
        new = _WaitingError(error, already_logged=already_logged)
        waiting.append(new)
        self._emitter.enqueue(partial(self._emit_error, new))

    def gap(self, gap: Gap) -> None:
        """Emit a gap, then run the hook, in the emitter's task; until then, gaps that touch it are merged into it."""
        new = self._gaps.add(gap)
        if new is None:
            return
        self._log_gap(gap)
        self.gap_calls.add(new)
        self._emitter.enqueue(partial(self._emit_gap, new))
        self._emitter.enqueue(partial(self.gap_calls.handle, new))

    async def gap_now(self, gap: Gap) -> None:
        """Emit a gap and run the hook in the caller's task, which may itself be one of the emitter's handlers."""
        self._log_gap(gap)
        waiting = WaitingGap(gap)
        self.gap_calls.add(waiting)
        self._telemetry.count_gap(gap)
        self._emitter.emit(Events.NOTIFICATION_GAP, gap)
        try:
            await self.gap_calls.call(waiting)
        finally:  # not before the handlers of the event are through, too
            self._emitter.enqueue(partial(self.gap_calls.settle, waiting))

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` once all handlers of the events emitted so far have run."""

        async def step() -> None:
            action()

        self._gaps.close()
        self._emitter.enqueue(step)

    async def _emit_wsc(self) -> None:
        await self._emitter.dispatch(Events.NEW_WSC, self._wscs.popleft())

    async def _emit_error(self, waiting: _WaitingError) -> None:
        kind = type(waiting.error)
        self._errors[kind].popleft()
        if not self._errors[kind]:
            del self._errors[kind]
        if not waiting.already_logged or self._emitter.has_handlers(Events.ERROR):
            await self._emitter.dispatch(Events.ERROR, waiting.counted())

    async def _emit_gap(self, waiting: WaitingGap) -> None:
        gap = self._gaps.report(waiting)
        if gap is None:
            return
        if waiting.count > 1:
            self._log_gap(gap)
        self._telemetry.count_gap(gap)
        await self._emitter.dispatch(Events.NOTIFICATION_GAP, gap)

    async def _turn(self) -> None:
        told = Signal()
        self.then(told.set)
        await told.wait()

    def _log_gap(self, gap: Gap) -> None:
        kind = "certain" if gap.certain else "possible"
        self._log.warning("%s gap from %s to %s: %s", kind, gap.since or "an unknown time", gap.until, gap.reason)
