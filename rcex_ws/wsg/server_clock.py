"""What time it is at the server. Pure.

Gaps are told in the server's time, for that is what its events bear. This side knows its own clocks, and what the
server wrote now and then: the `Date` of an HTTP answer, the `creationTime` of a connection. Each such reading lies
between a question and its answer, so the difference of the clocks is known within bounds, and both ends of a gap take
the bound that errs on the safe side. Only the newest reading counts, and the one before if that was a moment ago: the
server's clock may have been set meanwhile, and not by so much that the two would contradict each other.
"""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.readers import read_date

__all__ = ["ServerClock", "ServerTime"]

#: By how much a `Date` header may be behind, in seconds: it is rounded down, and servers renew it once a second.
_DATE_RESOLUTION = 2.0

#: How long a reading helps to understand the next one, in seconds: an attempt to connect has two.
_NARROWS_FOR = 10.0

#: How fast two clocks may drift apart, in seconds per second: quartz is ten times better.
_DRIFT = 1e-4


class ServerTime(Struct, frozen=True, gc=False):
    """A moment in the server's time, in seconds since the epoch: not before `earliest`, not after `latest`."""

    earliest: float
    latest: float


class ServerClock:
    """Turn the event loop's time into the server's.

    The loop's clock is monotonic: whoever sets this machine's clock changes nothing.

    Args:
        wall: this machine's wall clock, in seconds since the epoch; taken for the server's until that has been read.
        now: the loop's time, in seconds, at the same moment.
    """

    def __init__(self, wall: float, now: float) -> None:
        self._low = self._high = wall - now  # of the server's clock over the loop's
        self._read_at: float | None = None
        self._newest = (self._low, self._high)  # by the newest reading alone

    def read(
        self, server_time: float, *, asked_at: float, got_at: float, resolution: float = 0.0, narrows: bool = False
    ) -> None:
        """Take what the server wrote.

        Args:
            server_time: in seconds since the epoch, rounded down.
            asked_at: the loop's time before which the server cannot have written it.
            got_at: the loop's time when it was here.
            resolution: what the server rounds its times to, in seconds.
            narrows: the reading before was taken a moment ago, so that both hold unless they contradict each other.
        """
        drift = _DRIFT * (got_at - asked_at)
        low, high = newest = server_time - got_at - drift, server_time + resolution - asked_at + drift
        if narrows and self._read_at is not None:
            drift = _DRIFT * (got_at - self._read_at)
            both = max(low, self._newest[0] - drift), min(high, self._newest[1] + drift)
            if both[0] <= both[1]:
                low, high = both
        self._low, self._high, self._newest, self._read_at = low, high, newest, got_at

    def read_date(self, date: str | None, *, asked_at: float, got_at: float) -> bool:
        """Take the `Date` header of an answer; tell whether it was one. Arguments as for `read`."""
        server_time = read_date(date)
        if server_time is None:
            return False
        narrows = self._read_at is not None and got_at - self._read_at <= _NARROWS_FOR
        self.read(server_time, asked_at=asked_at, got_at=got_at, resolution=_DATE_RESOLUTION, narrows=narrows)
        return True

    def widen(self, seconds: float) -> None:
        """Hear that the loop's clock may have stood still for so long; or else the wall clock was set."""
        self._high += seconds
        self._newest = (self._newest[0], self._newest[1] + seconds)

    def earliest(self, now: float) -> float:
        """Give `at(now).earliest`, for what runs per answer."""
        drift = 0.0 if self._read_at is None else _DRIFT * abs(now - self._read_at)
        return now + self._low - drift

    def at(self, now: float) -> ServerTime:
        """Give the server's time at a time of the loop's."""
        drift = 0.0 if self._read_at is None else _DRIFT * abs(now - self._read_at)
        return ServerTime(now + self._low - drift, now + self._high + drift)
