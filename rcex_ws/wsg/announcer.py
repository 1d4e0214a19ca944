"""What the application is told, and in which order: events, the `on_gap` hook, then delivery goes on.

Everything runs in turn in the emitter's task, so the order holds by itself and nothing here waits.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from rcex_ws.connection import EventEmitter, call
from rcex_ws.wsg.models import Events, Gap

__all__ = ["Announcer", "GapHook"]

logger = logging.getLogger("rcex_ws.wsg")

GapHook = Callable[[Gap], Awaitable[None] | None]
"""Sync or async; called with each gap before newer notifications are delivered: the place to read the data again."""


class Announcer:
    """Emit lifecycle events.

    Args:
        emitter: runs the handlers.
        on_gap: the hook, or None.
        gap_timeout: seconds the hook may take.
    """

    def __init__(self, emitter: EventEmitter, *, on_gap: GapHook | None, gap_timeout: float) -> None:
        self._emitter = emitter
        self._on_gap = on_gap
        self._gap_timeout = gap_timeout

    def emit(self, event: Events, *args: object) -> None:
        """Emit an event."""
        self._emitter.emit(event, *args)

    def error(self, error: Exception) -> None:
        """Emit `error`; logged if nobody listens."""
        self._emitter.emit(Events.ERROR, error)

    def gap(self, gap: Gap) -> None:
        """Emit a gap and run the hook in its turn."""
        self._emit_gap(gap)
        self._emitter.in_turn(partial(self._run_hook, gap))

    async def gap_now(self, gap: Gap) -> None:
        """Emit a gap and run the hook in the caller's task, which may itself be a handler that others wait for."""
        self._emit_gap(gap)
        await self._run_hook(gap)

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` once the handlers of everything emitted so far are through."""

        async def step() -> None:
            action()

        self._emitter.in_turn(step)

    def _emit_gap(self, gap: Gap) -> None:
        logger.warning("%s gap: %s", "certain" if gap.certain else "possible", gap.reason)
        self._emitter.emit(Events.NOTIFICATION_GAP, gap)

    async def _run_hook(self, gap: Gap) -> None:
        if self._on_gap is None:
            return
        try:
            with anyio.fail_after(self._gap_timeout):
                await call(self._on_gap, gap)
        except TimeoutError as exc:
            logger.warning("on_gap took longer than %g s and was cancelled", self._gap_timeout)
            self.error(exc)
        except Exception as exc:
            logger.exception("on_gap raised")
            self.error(exc)
