"""The one clock of a gateway, injected so that the same rules run in real and in virtual time.

Used by every part that keeps a deadline or writes a date. Intervals are measured in monotonic time; the dates in bodies
are derived from it, so they too advance under trio's MockClock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "iso"]


class Clock:
    """Monotonic and wall time from one source.

    Args:
        now: returns monotonic seconds, such as `anyio.current_time`.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._started = now()
        self._started_wall = datetime.now(UTC)

    def wall(self) -> datetime:
        """Return the aware UTC time that corresponds to `now()`."""
        return self._started_wall + timedelta(seconds=self.now() - self._started)


def iso(moment: datetime) -> str:
    """Format a time as RingCentral does in bodies: with milliseconds and `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
