"""Watches the time for all clients of a server, in one task: handshakes, pings, signs of life."""

from __future__ import annotations

import math
from collections.abc import Callable

from rcex_ws.feedme.server.service import ClientService
from rcex_ws.loop import Signal

__all__ = ["Monitor"]


class Monitor:
    """The clients of one server.

    Args:
        clock: the clock of the event loop.
        granularity: seconds by which anything may be late, so that not every client wakes the task.
    """

    def __init__(self, clock: Callable[[], float], granularity: float) -> None:
        self._clock = clock
        self._granularity = granularity
        self._services: dict[ClientService, None] = {}
        self._wake_at = math.inf
        self._earlier = Signal()

    @property
    def services(self) -> tuple[ClientService, ...]:
        """All clients."""
        return tuple(self._services)

    def add(self, service: ClientService) -> None:
        """Add a client."""
        self._services[service] = None
        if service.poll(self._clock()) < self._wake_at:
            self._earlier.set()

    def remove(self, service: ClientService) -> None:
        """Remove a client."""
        del self._services[service]

    async def run(self) -> None:
        """Poll the clients until cancelled."""
        while True:
            now = self._clock()
            due = min([service.poll(now) for service in self.services], default=math.inf)
            self._wake_at, self._earlier = max(due, now + self._granularity), Signal()
            await self._earlier.wait(until=self._wake_at)
