"""The server's time. Pure.

Gaps are reported in the server's time, which is also that of its notifications. This side knows its own clocks, and
what the server wrote now and then: the `Date` of an HTTP answer, the `creationTime` of a connection. Each such reading
lies between a question and its answer, so the offset between the clocks is known within bounds, and each end of a gap
uses the bound that errs on the safe side. Only the newest reading counts, and the one before if it is recent: the
server's clock may have been set meanwhile, though not by so much that the two would contradict each other.
"""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.readers import read_date

__all__ = ["ServerClock", "ServerTime"]

#: Seconds that a `Date` header may be behind: it is rounded down, and servers update it once a second.
_DATE_RESOLUTION = 2.0

#: Seconds for which a reading helps to narrow the next one: an attempt to connect has two.
_NARROWS_FOR = 10.0

#: Seconds per second by which two clocks may drift apart: quartz is ten times better.
_DRIFT = 1e-4


class ServerTime(Struct, frozen=True, gc=False):
    """A time of the server's clock within bounds, both in seconds since the epoch."""

    earliest: float
    latest: float


class ServerClock:
    """Converts the event loop's time to the server's.

    The loop's clock is monotonic, so setting this machine's clock changes nothing.

    Args:
        wall: this machine's wall clock, in seconds since the epoch; stands in for the server's until that is read.
        now: the loop's time, in seconds, at the same moment.
    """

    def __init__(self, wall: float, now: float) -> None:
        self._low = self._high = wall - now  # bounds of the server's clock minus the loop's
        self._read_at: float | None = None
        self._newest = (self._low, self._high)  # bounds by the newest reading alone

    def read(
        self, server_time: float, *, asked_at: float, got_at: float, resolution: float = 0.0, narrows: bool = False
    ) -> None:
        """Set the clock by a time that the server wrote.

        Args:
            server_time: in seconds since the epoch, rounded down.
            asked_at: the loop's time before which the server cannot have written it.
            got_at: the loop's time of its arrival.
            resolution: seconds that the server rounds its times to.
            narrows: the previous reading is recent, so both hold unless they contradict each other.
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
        """Set the clock by the `Date` header of an answer; return whether it was valid. Arguments as for `read`."""
        server_time = read_date(date)
        if server_time is None:
            return False
        narrows = self._read_at is not None and got_at - self._read_at <= _NARROWS_FOR
        self.read(server_time, asked_at=asked_at, got_at=got_at, resolution=_DATE_RESOLUTION, narrows=narrows)
        return True

    def widen(self, seconds: float) -> None:
        """Raise the late bound: the loop's clock may have stood still for so many seconds, or the wall clock was set.

        The early bound stays, so until the next reading `earliest` may be behind by as much.
        """
        self._high += seconds
        self._newest = (self._newest[0], self._newest[1] + seconds)

    def earliest(self, now: float) -> float:
        """Return `at(now).earliest`, for code that runs once per answer."""
        drift = 0.0 if self._read_at is None else _DRIFT * abs(now - self._read_at)
        return now + self._low - drift

    def at(self, now: float) -> ServerTime:
        """Return the server's time at a time of the loop."""
        drift = 0.0 if self._read_at is None else _DRIFT * abs(now - self._read_at)
        return ServerTime(now + self._low - drift, now + self._high + drift)
