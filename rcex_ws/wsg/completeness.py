"""Up to which moment everything is proven to have come, and for which period something may be missing. Pure.

The protocol has no acknowledgements, so what is complete must be inferred. Three things prove:

* a question (a heartbeat, a call) that was answered: what the server had written before it took the question has come
  before the answer;
* a live notification: what the server wrote before it has come before it;
* a replay that is over: what it covered.

A server takes a moment from an event to its frame; the margin covers that. A gap begins at the last proof, less the
margin, and never earlier. Between proofs there are doubts: while one runs it keeps its beginning, and it is stored
with the session, so that a process that dies in between leaves it to the next.

All moments are the server's, in seconds since the epoch; `now` is the event loop's time.
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

#: Seconds that a server takes at most from an event to the frame that tells of it.
MARGIN = 5.0

#: The year 9999: what a server may make us add to its times must still be one.
_FAR = 253_370_764_800.0


class OpenGap(Struct, frozen=True, gc=False):
    """What may be missing from some moment on, and is not over yet.

    Attributes:
        since: the last moment that is complete; minus infinity if there is none known.
        certain: whether something is known to be lost.
        reason: why, for people; empty where only the end will tell.
        set_back: by how many seconds the server's clock was set back meanwhile: what it had stamped before may bear
            a time that is still to come.
    """

    since: float
    certain: bool = False
    reason: str = ""
    set_back: float = 0.0

    def until(self, now: ServerTime) -> Gap:
        """Make the gap that ends now."""
        until = now.latest + self.set_back
        # What is still to come was stored before the server's clock was set back, or never: it proves nothing.
        since = self.since if self.since <= until else -math.inf
        return gap_between(since, until, certain=self.certain, reason=self.reason)

    def including(self, other: OpenGap) -> OpenGap:
        """Make the one that stands for both."""
        return replace(self, since=min(self.since, other.since), certain=self.certain or other.certain)

    def to_store(self) -> StoredGap:
        """Write it down."""
        since = None if self.since == -math.inf else self.since
        return StoredGap(since=since, certain=self.certain, reason=self.reason)

    @classmethod
    def of(cls, gap: Gap) -> Self:
        """Give what a gap says, to be told again."""
        return cls(-math.inf if gap.since is None else gap.since.timestamp(), gap.certain, gap.reason)

    @classmethod
    def from_store(cls, stored: StoredGap) -> Self:
        """Read it again."""
        return cls(-math.inf if stored.since is None else stored.since, stored.certain, stored.reason)


def gap_between(since: float, until: float, *, certain: bool, reason: str) -> Gap:
    """Make a gap from two moments of the server's time."""
    until = min(max(since, until), _FAR)
    begin = None if since == -math.inf else datetime.fromtimestamp(min(since, _FAR), UTC)
    return Gap(begin, datetime.fromtimestamp(until, UTC), certain=certain, reason=reason)


class Replayed(Struct, frozen=True, gc=False):
    """Say of a notification that the server may have replayed it.

    Attributes:
        earlier: whether it was made before the new connection, as far as it says.
        gap: what may be missing, if this one shows that the replay is not whole.
    """

    earlier: bool
    gap: Gap | None


class _Replay(Struct, gc=False):
    """What the server sends again after a recovery: everything from the loss that it saw to the new connection."""

    since: float
    until: float  # the new connection, in the server's time
    size: int  # of the server's buffer
    frames: int = 0
    later: bool = False  # whether something live has come


class _Left(Struct, gc=False):
    """The moment of the last frame before an outage.

    The server's clock may be set back during the outage. Then what it stamps is not older than that moment by its new
    clock, and what it had stamped is not newer than now by its old one.
    """

    at: float  # the loop's time
    server_time: ServerTime  # then, by the latest of its clocks so far

    def reread(self, open_gap: OpenGap, clock: ServerClock) -> OpenGap:
        """Correct what may be missing, if the clock was set back since."""
        present = clock.at(self.at)
        if present.latest < self.server_time.earliest:
            set_back = self.server_time.latest - present.latest
            return replace(open_gap, since=min(open_gap.since, present.earliest), set_back=set_back)
        if present.earliest > self.server_time.latest:
            self.server_time = present
        return replace(open_gap, set_back=0.0)


class _OverflowEpisode(Struct, gc=False):
    """What one queue has dropped in one episode."""

    since: float
    until: float


class Completeness:
    """Keep the account of one session, from connection to connection.

    Args:
        clock: knows the server's time.
        margin: seconds that a server takes at most from an event to its frame.

    Attributes:
        clock, margin: as given.
    """

    def __init__(self, clock: ServerClock, *, margin: float = MARGIN) -> None:
        self.clock = clock
        self.margin = margin
        self._floor = -math.inf  # everything up to here is proven by answers, or was before this session
        self._stamp: str | None = None  # of the last live notification: read only when asked for
        self._confirmed = -math.inf  # when the subscription was last known to exist
        self._replay: _Replay | None = None
        self._open_gap: OpenGap | None = None
        self._left: _Left | None = None  # None in an outage that began in an earlier process
        self._overflows: dict[object, _OverflowEpisode] = {}  # by queue

    def begin_session(self, now: float) -> None:
        """Hear that a session begins empty: what comes was made after that."""
        self._floor = self.clock.at(now).earliest - self.margin

    # -- while connected -------------------------------------------------------------------------------------------

    def proven_by_answer(self, asked_at: float) -> None:
        """Hear that a question of this connection was answered, which was sent at `asked_at` of the loop's time."""
        self._replay = None  # the server had written it
        self._floor = max(self._floor, self.clock.earliest(asked_at) - self.margin)

    def record_notification(self, timestamp: str | None) -> Replayed | None:
        """Hear of a notification as it comes, duplicates too; tell whether it was replayed.

        Runs for each notification: a timestamp is read only during a replay.
        """
        if self._replay is None:
            if timestamp is not None:
                self._stamp = timestamp
            return None
        return self._count(self._replay, timestamp)

    def confirm_subscription(self, asked: ServerTime) -> None:
        """Hear that a subscription call sent at that moment was answered: the subscription exists."""
        self._confirmed = asked.earliest

    def last_confirmed(self, last_inbound: float) -> float:
        """Give the last moment at which the subscription is known to have existed; `last_inbound` as for `proven`."""
        return max(self._confirmed, self._live_until(last_inbound)) - self.margin

    def proven(self, last_inbound: float) -> float:
        """Give the moment up to which everything is proven to have come.

        Args:
            last_inbound: the loop's time when the newest frame came: a later timestamp would be a mistake.
        """
        if self._open_gap is not None:
            return self._open_gap.since
        if self._replay is not None:
            return self._replay.since
        return max(self._floor, self._live_until(last_inbound) - self.margin)

    # -- losses ----------------------------------------------------------------------------------------------------

    def include(self, open_gap: OpenGap) -> None:
        """Let the outage include what was in doubt before it began."""
        if self._open_gap is not None:
            self._open_gap = self._open_gap.including(open_gap)

    @property
    def open_gap(self) -> OpenGap | None:
        """The outage that is not concluded; None if there is none."""
        return self._open_gap

    @property
    def replaying(self) -> bool:
        """Whether the server may still be sending what it had buffered."""
        return self._replay is not None

    def begin_outage(self, last_inbound: float) -> None:
        """Begin an outage, unless the last one goes on; `last_inbound` as for `proven`."""
        if self._open_gap is None:
            self._open_gap = OpenGap(self.proven(last_inbound))
            self._left = _Left(last_inbound, self.clock.at(last_inbound))
        elif self._left is not None:
            self._open_gap = self._left.reread(self._open_gap, self.clock)  # before the clock is set again
        self._confirmed = max(self._confirmed, self._live_until(last_inbound))
        self._replay, self._stamp = None, None

    def resume(self, open_gap: OpenGap) -> None:
        """Go on where an earlier process ended."""
        self._open_gap, self._floor = open_gap, open_gap.since

    def recover(self, now: float, *, created: float | None, buffer_size: int) -> OpenGap:
        """End the outage at the first frame of a recovered session, and expect its replay.

        Any question that is answered shows that the server has written it.

        Args:
            now: the loop's time.
            created: when the server made the connection, in its own words; None if it did not say.
            buffer_size: most notifications that it replays.
        """
        open_gap = self.end_outage(now)
        until = self.clock.at(now).latest if created is None else created
        self._replay = _Replay(open_gap.since, until, buffer_size)
        self._floor = min(self._floor, open_gap.since)
        self._confirmed = open_gap.since if created is None else created
        return open_gap

    def end_outage(self, now: float) -> OpenGap:
        """End the outage; called directly with a subscription on a session that began empty."""
        open_gap, self._open_gap = self._open_gap or OpenGap(self.clock.at(now).earliest), None
        left, self._left = self._left, None
        if left is not None:
            return left.reread(open_gap, self.clock)
        # It is from an earlier process: as in `OpenGap.until`, and what follows must not be held for proven, either.
        return open_gap if open_gap.since <= self.clock.at(now).latest else replace(open_gap, since=-math.inf)

    # -- what this side drops --------------------------------------------------------------------------------------

    def record_drop(self, queue: object, made: float, *, stamped: bool) -> None:
        """Hear that this side drops a notification, because its consumer is too slow.

        Args:
            queue: where it waited.
            made: the moment at which it was made, or after which, if it does not say.
            stamped: whether it says so.
        """
        overflow = self._overflows.setdefault(queue, _OverflowEpisode(made, made))
        overflow.since = min(overflow.since, made)
        overflow.until = max(overflow.until, made if stamped else math.inf)

    def end_overflow(self, queue: object, now: float, reason: str) -> Gap:
        """Hear that nothing is being dropped any more from a queue, which was; give the gap."""
        overflow = self._overflows.pop(queue)
        until = min(overflow.until, self.clock.at(now).latest)
        return gap_between(overflow.since, until, certain=True, reason=reason)

    def unfinished(self, last_inbound: float, waiting: float = math.inf, *, gone: bool = False) -> OpenGap:
        """Give what the next process should doubt if this one died now.

        Args:
            last_inbound: as for `proven`.
            waiting: the moment of the oldest notification that no consumer has taken.
            gone: whether the session is known to be lost.
        """
        dropped = (overflow.since for overflow in self._overflows.values())
        certain = gone or bool(self._overflows) or (self._open_gap is not None and self._open_gap.certain)
        return OpenGap(min(self.proven(last_inbound), waiting, *dropped), certain)

    # -- how -------------------------------------------------------------------------------------------------------

    def _live_until(self, last_inbound: float) -> float:
        made = parse_time(self._stamp)
        return -math.inf if made is None else min(made.timestamp(), self.clock.at(last_inbound).latest)

    def _count(self, replay: _Replay, timestamp: str | None) -> Replayed:
        """Count what may be replayed, to a moment after `creationTime`: the server may still fill its buffer then."""
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
