"""Watches the time for all clients of a server, in one task: handshakes, pings, signs of life."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Protocol

from rcex_ws.loop import Signal

__all__ = ["Timekeeper"]


class _Polled(Protocol):
    def poll(self, now: float) -> float:
        """Do what is due; return when to call this again."""
        ...


class Timekeeper:
    """Polls the services of clients when something is due.

    Args:
        services: a live view of those of all clients.
        clock: the clock of the event loop.
        granularity: seconds by which anything may be late, so that not every client wakes the task.
    """

    def __init__(self, services: Collection[_Polled], clock: Callable[[], float], granularity: float) -> None:
        self._services = services
        self._clock = clock
        self._granularity = granularity
        self._wake_at = math.inf
        self._earlier = Signal()

    def note(self, service: _Polled) -> None:
        """Note when a new service is due."""
        if service.poll(self._clock()) < self._wake_at:
            self._earlier.set()

    async def run(self) -> None:
        """Poll the services until cancelled."""
        while True:
            now = self._clock()
            due = min([service.poll(now) for service in tuple(self._services)], default=math.inf)
            self._wake_at, self._earlier = max(due, now + self._granularity), Signal()
            await self._earlier.wait(until=self._wake_at)
