"""Time slices for tasks that never block: those that run handlers from a queue, or parse frames."""

from __future__ import annotations

from time import monotonic

__all__ = ["TimeSlice"]


class TimeSlice:
    """A time slice, after which a task that never blocks should let others run.

    Limited by time, not by items: cheap handlers may empty the queue, an expensive one must not delay a heartbeat.
    """

    #: Length of a slice in seconds.
    LENGTH = 0.005

    def __init__(self) -> None:
        self._ends = monotonic() + self.LENGTH

    def expired(self) -> bool:
        """Return whether the slice is used up, and start the next one; call this between two items."""
        now = monotonic()
        if now < self._ends:
            return False
        self._ends = now + self.LENGTH
        return True
