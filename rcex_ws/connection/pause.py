"""The pause before an attempt, which other tasks can change or cut short."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import anyio

from rcex_ws.connection.loss import utc_now
from rcex_ws.loop import Signal
from rcex_ws.named_log import Log

__all__ = ["Pause"]


class Pause:
    """The wait before the next attempt.

    Args:
        log: gets the length of each pause.

    Attributes:
        ends_at: when the current pause ends, by the wall clock; None outside of a pause, and in an endless one.
    """

    __slots__ = (
        "_interrupted",
        "_log",
        "_new_delay",
        "ends_at",
    )

    def __init__(self, log: Log) -> None:
        self.ends_at: datetime | None = None
        self._log = log
        self._interrupted = Signal()
        self._new_delay = 0.0  # seconds to wait from an interruption on

    async def wait(self, delay: float) -> None:
        """Wait `delay` seconds, which may be infinite; not at all if `cut_short` was called since the last pause."""
        while delay > 0:
            if delay < math.inf:
                self._log.info("next attempt in %.1f s", delay)
                self.ends_at = _from_now(delay)
            self._new_delay = 0.0
            with anyio.move_on_after(delay):
                await self._interrupted.wait()
            self._interrupted, delay = Signal(), self._new_delay
            self.ends_at = None
        self._interrupted = Signal()

    def cut_short(self) -> None:
        """End the current pause now; outside of a pause, skip the next one."""
        self.change(0.0)

    def change(self, delay: float) -> None:
        """Let the current pause end in `delay` seconds from now; outside of a pause, skip the next one."""
        self._new_delay = delay
        self._interrupted.set()


def _from_now(seconds: float) -> datetime:
    try:
        return utc_now() + timedelta(seconds=seconds)
    except OverflowError:  # the schedule is a function of the application, which may return any number
        return datetime.max.replace(tzinfo=UTC)
