"""Timers that belong to no request. Each is a request without a message, so that one task watches all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from rcex_ws.connection import Pending, RequestTable
from rcex_ws.loop import now

__all__ = ["Timer", "Timers"]

Timer = Pending[None]


class Timers:
    """The timers of one client.

    Args:
        start_watcher: as for `RequestTable`; the task that it starts runs `watch`.
    """

    def __init__(self, start_watcher: Callable[[], object]) -> None:
        self._table: RequestTable[None] = RequestTable(start_watcher)
        self._table.connect(lambda _: None)
        self._keys = count()
        self.watch = self._table.watch_deadlines

    def start(self, seconds: float, on_expired: Callable[[], object]) -> Timer:
        """Call a function, which must not wait, in `seconds` unless the timer is stopped."""

        def settled(timer: Timer) -> None:
            if timer.error is not None:
                on_expired()

        return self._table.submit(str(next(self._keys)), b"", deadline=now() + seconds, on_settled=settled)

    def stop(self, timer: Timer) -> None:
        """Stop a timer; ignored if it has expired."""
        self._table.settle(timer.key, None)
