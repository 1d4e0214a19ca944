"""Whether the peer is alive. Pure: `now` is passed in.

`Heartbeat` decides when to send a heartbeat, and when the silence after it means that the connection is dead. Any
inbound frame is a sign of life; for `AnswerHeartbeat` only answers are, as reported by the protocol. `SteadyHeartbeat`
asks a busy peer, too. `ClockWatch` compares the wall clock with the monotonic clock, which stops while the machine is
suspended.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["AnswerHeartbeat", "Beat", "ClockWatch", "Heartbeat", "SteadyHeartbeat"]


class Beat(Enum):
    """What to do now."""

    WAIT = auto()  # nothing
    SEND = auto()  # send a heartbeat
    LOST = auto()  # declare the connection dead


class Heartbeat:
    """Monitor of one connection that takes any inbound frame as a sign of life.

    Args:
        interval: seconds without an inbound frame after which to send a heartbeat.
        timeout: seconds to wait for any inbound frame after that.
        now: when the connection was opened, in seconds.

    Attributes:
        timeout: as given.
        last_inbound: when the last frame came.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self.timeout = timeout
        self._interval = interval
        self._last_heartbeat: float | None = None
        self.last_inbound = now

    def wake_at(self, now: float) -> float:
        """Return when to call `poll` next: after one interval at the latest, because answers may come late."""
        return min(self._due, now + self._interval)

    def poll(self, now: float) -> Beat:
        """Return what to do at `now`; any inbound frame since the last heartbeat counts as its answer."""
        if now < self._due:
            return Beat.WAIT
        return self.force(now) if self._is_answered else Beat.LOST

    def force(self, now: float) -> Beat:
        """Have a heartbeat sent now, whatever was received: the machine may have been suspended for hours."""
        self._last_heartbeat = now
        return Beat.SEND

    def record_sent(self, now: float) -> None:
        """Record that this side sent something; called by the protocol."""

    def record_answer(self, now: float) -> None:
        """Record that the peer answered; called by the protocol."""

    @property
    def _is_answered(self) -> bool:
        return self._last_heartbeat is None or self.last_inbound >= self._last_heartbeat

    @property
    def _due(self) -> float:
        if self._last_heartbeat is None or self._is_answered:
            return self.last_inbound + self._interval
        return self._last_heartbeat + self.timeout


class SteadyHeartbeat(Heartbeat):
    """Monitor that has a heartbeat sent every `interval`, whatever is received, and judges after the whole silence.

    For protocols with large messages, both of whose sides use it with about the same times. While one side sends such a
    message over a slow link, its heartbeat and its answers wait behind it; those of the other side do not. So the side
    that receives goes on asking, and the side that sends hears that.

    Args:
        interval: seconds between two heartbeats, and from the last inbound frame until a heartbeat can be in vain.
        timeout: seconds to wait for any inbound frame after that.
        now: when the connection was opened, in seconds.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        super().__init__(interval, timeout, now)
        self._begun = now

    @property
    def _due(self) -> float:
        last = self._begun if self._last_heartbeat is None else self._last_heartbeat
        if self._is_answered:
            return last + self._interval
        return max(last, self.last_inbound + self._interval) + self.timeout


class AnswerHeartbeat(Heartbeat):
    """Monitor that takes only answers as a sign of life, and counts `interval` from the last message that was sent.

    Like the keep-alive of `@slack/rtm-api`: a server that receives nothing may still send.

    Args:
        interval: seconds after the last message that this side sent.
        timeout: seconds to wait for an answer.
        now: when the connection was opened, in seconds.
    """

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        super().__init__(interval, timeout, now)
        self._last_sent = self._last_answer = now

    def force(self, now: float) -> Beat:
        """Have a heartbeat sent now."""
        self._last_sent = now
        return super().force(now)

    def record_sent(self, now: float) -> None:
        """Record that this side sent something."""
        self._last_sent = now

    def record_answer(self, now: float) -> None:
        """Record that the peer answered the newest heartbeat, or something sent after it."""
        self._last_answer = now

    @property
    def _is_answered(self) -> bool:
        return self._last_heartbeat is None or self._last_answer >= self._last_heartbeat

    @property
    def _due(self) -> float:
        if self._last_heartbeat is None or self._is_answered:
            return self._last_sent + self._interval
        return self._last_heartbeat + self.timeout


class ClockWatch:
    """Detector of suspensions of the machine.

    Args:
        monotonic: the current monotonic time, in seconds.
        wall: the current wall-clock time, in seconds since the epoch.

    Attributes:
        offset: wall-clock time minus monotonic time, in seconds, when last compared.
    """

    #: In seconds; a smaller jump is taken for an adjustment of the clock.
    THRESHOLD = 2.0

    def __init__(self, monotonic: float, wall: float) -> None:
        self.offset = wall - monotonic

    def jumped(self, monotonic: float, wall: float) -> float:
        """Return the seconds that the wall clock has gained since the last call; 0 below the threshold."""
        offset = wall - monotonic
        ahead = offset - self.offset
        self.offset = offset
        return ahead if ahead >= self.THRESHOLD else 0.0
