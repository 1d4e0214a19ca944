"""How long one task may go on when nothing makes it wait: what runs user code from a queue, or reads frames."""

from __future__ import annotations

from time import monotonic

__all__ = ["Turn"]


class Turn:
    """Tell what never waits by itself when other tasks should get a turn.

    By time and not by number: a cheap handler may empty the queue, a dear one must not delay a heartbeat.
    """

    #: Seconds.
    LENGTH = 0.005

    def __init__(self) -> None:
        self._ends = monotonic() + self.LENGTH

    def over(self) -> bool:
        """Tell, between two items, whether it is time for `anyio.lowlevel.checkpoint()`."""
        now = monotonic()
        if now < self._ends:
            return False
        self._ends = now + self.LENGTH
        return True
