"""Up to when everything is proven to have arrived, and since when something may be missing. Pure.

The protocol has no acknowledgements, so completeness must be inferred. Three things prove it:

* an answered question (a heartbeat, a call): what the server had written before it took the question arrived before
  the answer;
* a live notification: what the server had written before it arrived before it;
* a finished replay: what it covers is complete.

A server takes some time from an event to its frame, which the margin covers. A gap begins at the last proof, less the
margin, and never earlier. What is open between proofs keeps its beginning, and is stored with the session, so that a
process that dies in between leaves it to the next.

All moments are the server's, in seconds since the epoch; `now`, `asked_at` and `last_inbound` are the loop's time.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from rcex_ws.wsg.models import Gap, parse_time
from rcex_ws.wsg.server_clock import ServerClock, ServerTime
from rcex_ws.wsg.stored import StoredGap

__all__ = ["MARGIN", "Completeness", "OpenGap", "Replayed", "gap_between"]

#: Maximum seconds that a server takes from an event to the frame that reports it.
MARGIN = 5.0

#: The year 9999: sums with a server's times must stay valid times.
_FAR = 253_370_764_800.0


class OpenGap(Struct, frozen=True, gc=False):
    """A gap whose end is not known yet.

    Attributes:
        since: the last complete moment; minus infinity if none is known.
        certain: whether something is known to be lost.
        reason: why, for people; empty if that is decided at its end.
        set_back: seconds by which the server's clock was set back meanwhile; what it stamped before may bear a time
            that is still to come.
    """

    since: float
    certain: bool = False
    reason: str = ""
    set_back: float = 0.0

    def until(self, now: ServerTime) -> Gap:
        """Return the gap that ends now."""
        until = now.latest + self.set_back
        # A beginning in the future was stored before the server's clock was set back: it proves nothing.
        since = self.since if self.since <= until else -math.inf
        return gap_between(since, until, certain=self.certain, reason=self.reason)

    def including(self, other: OpenGap) -> OpenGap:
        """Return the gap that covers both."""
        return replace(self, since=min(self.since, other.since), certain=self.certain or other.certain)

    def to_store(self) -> StoredGap:
        """Return its stored form."""
        since = None if self.since == -math.inf else self.since
        return StoredGap(since=since, certain=self.certain, reason=self.reason)

    @classmethod
    def from_store(cls, stored: StoredGap) -> Self:
        """Return the gap of its stored form."""
        return cls(-math.inf if stored.since is None else stored.since, stored.certain, stored.reason)


def gap_between(since: float, until: float, *, certain: bool, reason: str) -> Gap:
    """Return the gap between two moments."""
    until = min(max(since, until), _FAR)
    begin = None if since == -math.inf else datetime.fromtimestamp(min(since, _FAR), UTC)
    return Gap(begin, datetime.fromtimestamp(until, UTC), certain=certain, reason=reason)


class Replayed(Struct, frozen=True, gc=False):
    """What is known of a notification that arrived during a replay.

    Attributes:
        earlier: whether it was made before the new connection, as far as that is known.
        gap: what may be missing, if this one shows that the replay is incomplete; otherwise None.
    """

    earlier: bool
    gap: Gap | None


class _Replay(Struct, gc=False):
    """What the server sends after a recovery: everything from the loss as it saw it to the new connection."""

    since: float
    until: float  # the new connection, in the server's time
    size: int  # of the server's recovery buffer
    frames: int = 0
    later: bool = False  # whether a live notification has arrived


class _LastFrame(Struct, gc=False):
    """The last frame before an outage.

    The server's clock may be set back during the outage. Then what it stamps is not older than this frame by its new
    clock, and what it had stamped is not newer than now by its old one.
    """

    at: float  # the loop's time
    server_time: ServerTime  # the same moment, by the most advanced of its clocks so far

    def corrected(self, open_gap: OpenGap, clock: ServerClock) -> OpenGap:
        """Return the open gap, corrected if the server's clock was set back since."""
        present = clock.at(self.at)
        if present.latest < self.server_time.earliest:
            set_back = self.server_time.latest - present.latest
            return replace(open_gap, since=min(open_gap.since, present.earliest), set_back=set_back)
        if present.earliest > self.server_time.latest:
            self.server_time = present
        return replace(open_gap, set_back=0.0)


class _OverflowEpisode(Struct, gc=False):
    """The period of what one queue has dropped in one episode."""

    since: float
    until: float


class Completeness:
    """What is proven complete in one session, from connection to connection.

    Args:
        clock: the server's time.
        margin: maximum seconds that a server takes from an event to its frame.

    Attributes:
        clock, margin: as given.
    """

    def __init__(self, clock: ServerClock, *, margin: float = MARGIN) -> None:
        self.clock = clock
        self.margin = margin
        self._floor = -math.inf  # lower bound of what is proven, live notifications aside
        self._stamp: str | None = None  # of the last live notification; parsed on demand
        self._confirmed = -math.inf  # when the subscription was last known to exist
        self._replay: _Replay | None = None
        self._open_gap: OpenGap | None = None
        self._last_frame: _LastFrame | None = None  # None if the outage began in an earlier process
        self._overflows: dict[object, _OverflowEpisode] = {}  # by queue

    def begin_session(self, now: float) -> None:
        """Begin a session on a connection that continues none: all its notifications are made after now."""
        self._floor = self.clock.at(now).earliest - self.margin

    # -- while connected -------------------------------------------------------------------------------------------

    def proven_by_answer(self, asked_at: float) -> None:
        """Record that a question of this connection, sent at `asked_at`, was answered."""
        self._replay = None  # the server had written all of it before the answer
        self._floor = max(self._floor, self.clock.earliest(asked_at) - self.margin)

    def record_notification(self, timestamp: str | None) -> Replayed | None:
        """Record an arriving notification, even a duplicate; return what is known of it during a replay, else None.

        Runs for each notification, so a timestamp is parsed only during a replay.
        """
        if self._replay is None:
            if timestamp is not None:
                self._stamp = timestamp
            return None
        return self._count(self._replay, timestamp)

    def confirm_subscription(self, asked: ServerTime) -> None:
        """Record that a subscription call sent at `asked` was answered, so the subscription existed."""
        self._confirmed = asked.earliest

    def last_confirmed(self, last_inbound: float) -> float:
        """Return the last moment at which the subscription is known to have existed; `last_inbound` as for `proven`."""
        return max(self._confirmed, self._live_until(last_inbound)) - self.margin

    def proven(self, last_inbound: float) -> float:
        """Return the moment up to which everything is proven to have arrived.

        Args:
            last_inbound: the loop's time of the newest frame: a notification with a later timestamp proves no more.
        """
        if self._open_gap is not None:
            return self._open_gap.since
        if self._replay is not None:
            return self._replay.since
        return max(self._floor, self._live_until(last_inbound) - self.margin)

    # -- outages ---------------------------------------------------------------------------------------------------

    def include(self, open_gap: OpenGap) -> None:
        """Extend the open gap, if there is one, by one from before the outage."""
        if self._open_gap is not None:
            self._open_gap = self._open_gap.including(open_gap)

    @property
    def open_gap(self) -> OpenGap | None:
        """What may be missing because of the current outage; None if there is none."""
        return self._open_gap

    @property
    def replaying(self) -> bool:
        """Whether the server may still be sending what it buffered."""
        return self._replay is not None

    def begin_outage(self, last_inbound: float) -> None:
        """Begin an outage, unless the last one is not over; `last_inbound` as for `proven`."""
        if self._open_gap is None:
            self._open_gap = OpenGap(self.proven(last_inbound))
            self._last_frame = _LastFrame(last_inbound, self.clock.at(last_inbound))
        elif self._last_frame is not None:
            self._open_gap = self._last_frame.corrected(self._open_gap, self.clock)  # before the clock is set again
        self._confirmed = max(self._confirmed, self._live_until(last_inbound))
        self._replay, self._stamp = None, None

    def resume(self, open_gap: OpenGap) -> None:
        """Continue the open gap of an earlier process."""
        self._open_gap, self._floor = open_gap, open_gap.since

    def recover(self, now: float, *, created: float | None, buffer_size: int) -> OpenGap:
        """End the outage at the first frame of a recovered session, and expect its replay.

        The first answer to a question shows that the replay is finished.

        Args:
            now: the loop's time.
            created: when the server made the connection; None if it did not send that.
            buffer_size: maximum number of notifications that it replays.

        Returns:
            What may be missing because of the outage.
        """
        open_gap = self.end_outage(now)
        until = self.clock.at(now).latest if created is None else created
        self._replay = _Replay(open_gap.since, until, buffer_size)
        self._floor = min(self._floor, open_gap.since)
        self._confirmed = open_gap.since if created is None else created
        return open_gap

    def end_outage(self, now: float) -> OpenGap:
        """End the outage once the subscription is active on a new session; return what may be missing because of it."""
        open_gap, self._open_gap = self._open_gap or OpenGap(self.clock.at(now).earliest), None
        last_frame, self._last_frame = self._last_frame, None
        if last_frame is not None:
            return last_frame.corrected(open_gap, self.clock)
        # From an earlier process: a beginning in the future proves nothing, as in `OpenGap.until`.
        return open_gap if open_gap.since <= self.clock.at(now).latest else replace(open_gap, since=-math.inf)

    # -- notifications dropped here --------------------------------------------------------------------------------

    def record_drop(self, queue: object, made: float, *, stamped: bool) -> None:
        """Record that a notification is dropped because its consumer is too slow.

        Args:
            queue: identifies the queue.
            made: when it was made; without a timestamp, a moment after which it was made.
            stamped: whether it has a timestamp.
        """
        overflow = self._overflows.setdefault(queue, _OverflowEpisode(made, made))
        overflow.since = min(overflow.since, made)
        overflow.until = max(overflow.until, made if stamped else math.inf)

    def end_overflow(self, queue: object, now: float, reason: str) -> Gap:
        """End the episode in which a queue dropped notifications; return the gap."""
        overflow = self._overflows.pop(queue)
        until = min(overflow.until, self.clock.at(now).latest)
        return gap_between(overflow.since, until, certain=True, reason=reason)

    def unfinished(self, last_inbound: float, waiting: float = math.inf, *, gone: bool = False) -> OpenGap:
        """Return what the next process must consider missing if this one dies now.

        Args:
            last_inbound: as for `proven`.
            waiting: when the oldest notification that no consumer has taken was made.
            gone: whether the session is known to be lost.
        """
        dropped = (overflow.since for overflow in self._overflows.values())
        certain = gone or bool(self._overflows) or (self._open_gap is not None and self._open_gap.certain)
        return OpenGap(min(self.proven(last_inbound), waiting, *dropped), certain)

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _live_until(self, last_inbound: float) -> float:
        made = parse_time(self._stamp)
        return -math.inf if made is None else min(made.timestamp(), self.clock.at(last_inbound).latest)

    def _count(self, replay: _Replay, timestamp: str | None) -> Replayed:
        """Count what may be replayed, to a margin after `creationTime`: the server may still fill its buffer then."""
        parsed = parse_time(timestamp)
        made = None if parsed is None else parsed.timestamp()
        if made is not None and made > replay.until + self.margin:
            self._stamp, replay.later = timestamp, True
            return Replayed(earlier=False, gap=None)
        if made is None and replay.later:
            return Replayed(earlier=False, gap=None)
        replay.frames += 1
        gap = None
        if replay.frames == replay.size:
            reason = f"the server's recovery buffer of {replay.size} was full; older notifications may be gone"
            gap = gap_between(replay.since, replay.until, certain=False, reason=reason)
        return Replayed(made is None or made <= replay.until, gap)
