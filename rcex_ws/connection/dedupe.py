"""The window in which something that comes twice is recognised. Pure.

It outlives connections, or spans two that overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["Seen"]


class Seen:
    """Remember the last keys.

    Args:
        size: how many; far above what a server replays.
        keys: those of an earlier process, oldest first.
    """

    def __init__(self, size: int, keys: Iterable[str] = ()) -> None:
        self._order: deque[str] = deque(maxlen=size)
        self._known: set[str] = set()
        for key in keys:
            self.add(key)

    def add(self, key: str) -> bool:
        """Remember a key; tell whether it is new."""
        if key in self._known:
            return False
        if len(self._order) == self._order.maxlen:
            self._known.discard(self._order[0])
        self._order.append(key)
        self._known.add(key)
        return True

    def last(self, count: int) -> list[str]:
        """Give the newest keys, oldest first."""
        return list(self._order)[-count:]
