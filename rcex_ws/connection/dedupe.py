"""A window of keys in which duplicates are recognised. Pure.

It outlives a connection, or spans two that overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["Seen"]


class Seen:
    """The most recent keys.

    Args:
        size: how many keys to remember; far more than a server replays.
        keys: the keys of an earlier process, oldest first.
    """

    def __init__(self, size: int, keys: Iterable[str] = ()) -> None:
        self._order: deque[str] = deque(maxlen=size)
        self._known: set[str] = set()
        for key in keys:
            self.add(key)

    def add(self, key: str) -> bool:
        """Remember a key, and return whether it is new."""
        if key in self._known:
            return False
        if len(self._order) == self._order.maxlen:
            self._known.discard(self._order[0])
        self._order.append(key)
        self._known.add(key)
        return True

    def last(self, count: int) -> list[str]:
        """Return the newest keys, oldest first."""
        return list(self._order)[-count:]
