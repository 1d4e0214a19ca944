"""The calls and heartbeats of one connection that are not answered yet, in the order they were sent. Pure.

An answer proves that everything the server wrote before it took the question has arrived, so the time at which a
question was sent is kept until its answer, or the answer to a later one, comes.
"""

from __future__ import annotations

__all__ = ["Questions"]


class Questions:
    """Unanswered questions of one connection.

    Args:
        now: the event loop's time.

    Attributes:
        last_sent_at: the loop's time of the last question; at first, when the connection was begun.
    """

    def __init__(self, now: float) -> None:
        self.last_sent_at = now
        self._sent_at: dict[str, float] = {}  # by message id, oldest first

    def sent(self, key: str, now: float) -> None:
        """Record that a question goes out."""
        self.last_sent_at = self._sent_at[key] = now

    def settle(self, key: str) -> float | None:
        """Return when a question was sent that is answered now; None if it is unknown.

        Earlier questions are forgotten with it: their answers would prove less than this one.
        """
        if key not in self._sent_at:
            return None
        while True:
            oldest = next(iter(self._sent_at))
            sent_at = self._sent_at.pop(oldest)
            if oldest == key:
                return sent_at
