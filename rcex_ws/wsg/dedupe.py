"""The window in which a notification that comes twice is recognised. Pure.

It outlives connections, and with a session store the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["SeenUuids"]


class SeenUuids:
    """Remember the last uuids.

    Args:
        size: how many; far above the server's recovery buffer.
        uuids: those of an earlier process, oldest first.
    """

    def __init__(self, size: int, uuids: Iterable[str] = ()) -> None:
        self._order: deque[str] = deque(maxlen=size)
        self._known: set[str] = set()
        for uuid in uuids:
            self.add(uuid)

    def add(self, uuid: str) -> bool:
        """Remember a uuid; tell whether it is new."""
        if uuid in self._known:
            return False
        if len(self._order) == self._order.maxlen:
            self._known.discard(self._order[0])
        self._order.append(uuid)
        self._known.add(uuid)
        return True

    def last(self, count: int) -> list[str]:
        """Give the newest uuids, oldest first."""
        return list(self._order)[-count:]
