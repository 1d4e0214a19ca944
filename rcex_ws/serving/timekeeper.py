"""Watches the time for all clients of a server, in one task: handshakes, pings, signs of life."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

from rcex_ws.loop import Signal

__all__ = ["Timekeeper"]


class _Polled(Protocol):
    def poll(self, now: float) -> float:
        """Do what is due; return when to call this again."""
        ...


class Timekeeper:
    """Polls what has deadlines when something is due.

    Args:
        polled: returns what is to be polled, for each client and for the server itself.
        clock: the clock of the event loop.
        granularity: seconds by which anything may be late, so that not every client wakes the task.
    """

    def __init__(self, polled: Callable[[], Iterable[_Polled]], clock: Callable[[], float], granularity: float) -> None:
        self._polled = polled
        self._clock = clock
        self._granularity = granularity
        self._wake_at = math.inf
        self._earlier = Signal()

    def note(self, one: _Polled) -> None:
        """Note when something new is due."""
        if one.poll(self._clock()) < self._wake_at:
            self._earlier.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            now = self._clock()
            due = min([one.poll(now) for one in tuple(self._polled())], default=math.inf)
            self._wake_at, self._earlier = max(due, now + self._granularity), Signal()
            await self._earlier.wait(until=self._wake_at)
