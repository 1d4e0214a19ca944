"""Whether a link is alive: pure, `now` is passed in.

`Heartbeat` decides when to ask the peer for a sign of life and when its silence means that the link is dead.
`ClockWatch` compares the two clocks at each wake-up: the monotonic one stands still while the machine is suspended.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["Beat", "ClockWatch", "Heartbeat"]


class Beat(Enum):
    """What a heartbeat wants done now."""

    WAIT = auto()
    SEND = auto()
    LOST = auto()


class Heartbeat:
    """Watch the inbound frames of one link.

    Args:
        interval: seconds without an inbound frame after which to send a heartbeat.
        timeout: seconds to wait for any inbound frame after that.
        now: the time the link was opened, in seconds.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._asked: float | None = None
        self.last_inbound = now

    @property
    def due(self) -> float:
        """The time at which `poll` should be called next."""
        if self._asked is None:
            return self.last_inbound + self._interval
        return self._asked + self._timeout

    def poll(self, now: float) -> Beat:
        """Decide what to do at `now`. Any inbound frame since the question counts as its answer."""
        if self._asked is not None and self.last_inbound > self._asked:
            self._asked = None
        if now < self.due:
            return Beat.WAIT
        if self._asked is not None:
            return Beat.LOST
        return self.ask(now)

    def ask(self, now: float) -> Beat:
        """Send a heartbeat at once, whatever came before: the machine may have slept for hours."""
        self._asked = now
        return Beat.SEND


class ClockWatch:
    """Notice that the machine was suspended.

    Args:
        monotonic: the current monotonic time, in seconds.
        wall: the current wall-clock time, in seconds since the epoch.
    """

    #: A smaller difference, in seconds, is a clock being set, not a night's sleep.
    THRESHOLD = 2.0

    def __init__(self, monotonic: float, wall: float) -> None:
        self._offset = wall - monotonic

    def jumped(self, monotonic: float, wall: float) -> float:
        """Give the seconds by which the wall clock ran ahead since the last call, 0.0 below the threshold."""
        offset = wall - monotonic
        ahead = offset - self._offset
        self._offset = offset
        return ahead if ahead >= self.THRESHOLD else 0.0
