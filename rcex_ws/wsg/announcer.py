"""What the application is told, and in which order: events, the `on_gap` hook, then delivery goes on.

Everything runs in turn in the emitter's task, so the order holds by itself and nothing here waits. A peer that sends
nonsense must not fill that queue: while an error waits for its turn, further ones of its kind are counted into it, and
while a gap does, those that touch it are merged into it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from rcex_ws.connection import EventEmitter, call
from rcex_ws.errors import BadFrame, SlowConsumer
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.gaps import WaitingGap, WaitingGaps
from rcex_ws.wsg.models import Events, Gap
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Announcer", "GapHook"]

GapHook = Callable[[Gap], Awaitable[None] | None]
"""Sync or async; called with each gap before newer notifications are delivered: the place to read the data again."""

#: What the peer, or its haste, causes again and again: one tells as much as many.
_ALIKE = (BadFrame, SlowConsumer)

#: Any others say something of their own each, and only so many of one type wait.
_MOST_ERRORS = 100

#: Each frame may bring a new token, and only the newest is worth anything.
_MOST_TOKENS = 100


class _WaitingError:
    """An error and how many more like it came before its turn.

    Args:
        error: the first.
        logged: whether it stands in the log already.
    """

    def __init__(self, error: Exception, *, logged: bool) -> None:
        self.error = error
        self.logged = logged
        self.more = 0

    def counted(self) -> Exception:
        """Give the error, which says of the others."""
        error, more = self.error, self.more
        if more:
            words = f"and {more:,} more like it"
            if isinstance(error, _ALIKE):
                error.args = (f"{error} ({words})",)
            else:  # perhaps the application's, whose arguments mean what they like
                error.add_note(words)
        return error


class Announcer:
    """Emit lifecycle events.

    Args:
        emitter: runs the handlers.
        on_gap: the hook, or None.
        gap_timeout: seconds the hook may take.
        gap_told: hears that handlers and hook are through with a gap, for the store.
        telemetry: counts the gaps, and has the log.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        *,
        on_gap: GapHook | None,
        gap_timeout: float,
        gap_told: Callable[[], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._emitter = emitter
        self._on_gap = on_gap
        self._gap_timeout = gap_timeout
        self._gap_told = gap_told
        self._telemetry = telemetry or Telemetry()
        self._log = self._telemetry.log
        self._errors: dict[type[Exception], deque[_WaitingError]] = {}
        self._wscs: deque[Wsc] = deque()
        self._gaps = WaitingGaps()
        self._untold: list[WaitingGap] = []

    @property
    def untold(self) -> list[Gap]:
        """The gaps that the application has not heard of to the end: who is killed now leaves them to the next."""
        return [waiting.gap for waiting in self._untold]

    def emit(self, event: Events, *args: object) -> None:
        """Emit an event."""
        self._gaps.close()
        self._emitter.emit(event, *args)

    def new_wsc(self, wsc: Wsc) -> None:
        """Emit `newWsc`; while too many wait for their turn, the last of them gives its place to a newer one."""
        if len(self._wscs) >= _MOST_TOKENS:
            self._wscs[-1] = wsc
            return
        self._wscs.append(wsc)
        self._gaps.close()
        self._emitter.enqueue(self._tell_wsc)

    def error(self, error: Exception, *, logged: bool = False) -> None:
        """Emit `error`; logged if nobody listens, unless it is `logged` already."""
        waiting = self._errors.setdefault(type(error), deque())
        if waiting and (isinstance(error, _ALIKE) or len(waiting) >= _MOST_ERRORS):
            waiting[-1].more += 1
            return
        new = _WaitingError(error, logged=logged)
        waiting.append(new)
        self._emitter.enqueue(partial(self._tell_error, new))

    def gap(self, gap: Gap) -> None:
        """Emit a gap and run the hook in its turn; both are for all gaps that touch it and come before that."""
        new = self._gaps.add(gap)
        if new is None:
            return
        self._log_gap(gap)
        self._untold.append(new)
        self._emitter.enqueue(partial(self._tell_gap, new))
        self._emitter.enqueue(partial(self._run_hook_for, new))

    async def gap_now(self, gap: Gap) -> None:
        """Emit a gap and run the hook in the caller's task, which may itself be a handler that others wait for."""
        self._log_gap(gap)
        waiting = WaitingGap(gap)
        self._untold.append(waiting)
        self._telemetry.count_gap(gap)
        self._emitter.emit(Events.NOTIFICATION_GAP, gap)
        try:
            await self._run_hook(gap)
        finally:
            self._emitter.enqueue(partial(self._end, waiting))

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` once the handlers of everything emitted so far are through."""

        async def step() -> None:
            action()

        self._gaps.close()
        self._emitter.enqueue(step)

    async def _tell_wsc(self) -> None:
        await self._emitter.dispatch(Events.NEW_WSC, self._wscs.popleft())

    async def _tell_error(self, waiting: _WaitingError) -> None:
        kind = type(waiting.error)
        self._errors[kind].popleft()
        if not self._errors[kind]:
            del self._errors[kind]
        if not waiting.logged or self._emitter.has_handlers(Events.ERROR):
            await self._emitter.dispatch(Events.ERROR, waiting.counted())

    async def _tell_gap(self, waiting: WaitingGap) -> None:
        gap = self._gaps.tell(waiting)
        if gap is None:
            return
        if waiting.count > 1:
            self._log_gap(gap)
        self._telemetry.count_gap(gap)
        await self._emitter.dispatch(Events.NOTIFICATION_GAP, gap)

    async def _run_hook_for(self, waiting: WaitingGap) -> None:
        if waiting.told is not None:
            await self._run_hook(waiting.told)
        await self._end(waiting)

    async def _end(self, waiting: WaitingGap) -> None:
        self._untold.remove(waiting)
        self._gap_told()

    async def _run_hook(self, gap: Gap) -> None:
        if self._on_gap is None:
            return
        try:
            with anyio.fail_after(self._gap_timeout):
                await call(self._on_gap, gap)
        except TimeoutError as exc:
            self._log.warning("on_gap took longer than %g s and was cancelled", self._gap_timeout)
            self.error(exc, logged=True)
        except Exception as exc:  # noqa: BLE001 - logged and emitted
            self._log.exception("on_gap raised")
            self.error(exc, logged=True)

    def _log_gap(self, gap: Gap) -> None:
        kind = "certain" if gap.certain else "possible"
        self._log.warning("%s gap from %s to %s: %s", kind, gap.since or "an unknown time", gap.until, gap.reason)
