"""Time slices for code that never blocks: running handlers from a queue, or parsing frames."""

from __future__ import annotations

from time import monotonic

__all__ = ["TimeSlice"]


class TimeSlice:
    """A time slice, after which code that never blocks should let other tasks run.

    Limited by time, not by items: cheap handlers may empty the queue, expensive ones must not delay a heartbeat.
    """

    #: Length of a slice in seconds.
    LENGTH = 0.005

    def __init__(self) -> None:
        self._ends = monotonic() + self.LENGTH

    def expired(self) -> bool:
        """Return whether the slice is used up, and if so start the next one; to be called between items."""
        now = monotonic()
        if now < self._ends:
            return False
        self._ends = now + self.LENGTH
        return True
