"""How often a feed is reopened after bad notifications: the original's count, trailing in time. Pure."""

from __future__ import annotations

import math

__all__ = ["ReopenPolicy"]


class ReopenPolicy:
    """The reopenings of one feed over one connection.

    Args:
        max_attempts: reopenings within `trailing` seconds; negative for always.
        trailing: seconds after which a reopening no longer counts; 0 for the whole connection.
    """

    __slots__ = ("_counted", "_max_attempts", "_trailing")

    def __init__(self, max_attempts: int, trailing: float) -> None:
        self._max_attempts = max_attempts
        self._trailing = trailing
        self._counted: list[float] = []  # when each one stops counting; a deque would take 0.7 KiB

    def allow(self, now: float) -> bool:
        """Return whether to reopen at `now`, and count that; if not, `next_at` says when."""
        self._forget(now)
        if self._max_attempts < 0:
            return True
        if len(self._counted) >= self._max_attempts:
            return False
        self._counted.append(now + self._trailing if self._trailing else math.inf)
        return True

    @property
    def next_at(self) -> float:
        """When one more becomes possible; infinity for never. The reopening at that time is not counted."""
        return self._counted[0] if self._counted else math.inf

    def reset(self) -> None:
        """Forget all, as the connection is lost."""
        self._counted.clear()

    def _forget(self, now: float) -> None:
        while self._counted and self._counted[0] <= now:
            self._counted.pop(0)
