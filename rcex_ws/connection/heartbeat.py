"""Whether a link is alive: pure, `now` is passed in.

`Heartbeat` decides when to ask the peer for a sign of life and when its silence means that the link is dead; any
inbound frame is one. For `AnswerHeartbeat` only answers are, as the protocol tells them.
`ClockWatch` compares the two clocks at each wake-up: the monotonic one stands still while the machine is suspended.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["AnswerHeartbeat", "Beat", "ClockWatch", "Heartbeat"]


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

    Attributes:
        timeout: as given.
        last_inbound: when the last frame came.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self.timeout = timeout
        self._interval = interval
        self._asked: float | None = None
        self.last_inbound = now

    def wake_at(self, now: float) -> float:
        """Give the time at which `poll` should be called next; at the latest after one interval, for a late answer."""
        return min(self._due, now + self._interval)

    def poll(self, now: float) -> Beat:
        """Decide what to do at `now`. Any inbound frame since the question counts as its answer."""
        if now < self._due:
            return Beat.WAIT
        return self.ask(now) if self._answered else Beat.LOST

    def ask(self, now: float) -> Beat:
        """Send a heartbeat at once, whatever came before: the machine may have slept for hours."""
        self._asked = now
        return Beat.SEND

    @property
    def _answered(self) -> bool:
        return self._asked is None or self.last_inbound >= self._asked

    @property
    def _due(self) -> float:
        if self._asked is None or self._answered:
            return self.last_inbound + self._interval
        return self._asked + self.timeout


class AnswerHeartbeat(Heartbeat):
    """Take only answers for signs of life, and ask `interval` seconds after this side last sent something.

    As the keep-alive of `@slack/rtm-api` does: traffic from a server that hears nothing proves nothing.

    Args:
        interval: seconds after the last message sent.
        timeout: seconds to wait for an answer.
        now: the time the link was opened, in seconds.

    Attributes:
        last_sent: when this side last sent something; set by the protocol.
        last_answer: when the peer last answered a heartbeat, or something sent after it; set by the protocol.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        super().__init__(interval, timeout, now)
        self.last_sent = self.last_answer = now

    def ask(self, now: float) -> Beat:
        """Send a heartbeat at once."""
        self.last_sent = now
        return super().ask(now)

    @property
    def _answered(self) -> bool:
        return self._asked is None or self.last_answer >= self._asked

    @property
    def _due(self) -> float:
        if self._asked is None or self._answered:
            return self.last_sent + self._interval
        return self._asked + self.timeout


class ClockWatch:
    """Notice that the machine was suspended.

    Args:
        monotonic: the current monotonic time, in seconds.
        wall: the current wall-clock time, in seconds since the epoch.

    Attributes:
        offset: what to add to a monotonic time to have the wall-clock time, by the last look.
    """

    #: A smaller difference, in seconds, is a clock being set, not a night's sleep.
    THRESHOLD = 2.0

    def __init__(self, monotonic: float, wall: float) -> None:
        self.offset = wall - monotonic

    def jumped(self, monotonic: float, wall: float) -> float:
        """Give the seconds by which the wall clock ran ahead since the last call, 0.0 below the threshold."""
        offset = wall - monotonic
        ahead = offset - self.offset
        self.offset = offset
        return ahead if ahead >= self.THRESHOLD else 0.0
