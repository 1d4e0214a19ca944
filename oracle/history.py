"""Both journals read into what the rules ask for: which events were due when, lives, gaps, faults. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oracle import journal as j
from oracle.topics import FILTERS, TOPICS, matches, matching, resolve

__all__ = ["MARGIN", "SKEW", "TELLS", "Due", "Gap", "History", "Life", "lies_in", "silence"]

# The margin that the library states, in seconds: `since` lies so long before what is proven, and no longer.
MARGIN = 5.0
# Beyond the bounds of a gap, which are inclusive and have the margin in them, nothing may be missing; so much, in
# seconds, is left to rounding.
SLACK = 0.25
# So far, in seconds, the clocks of the server's parts may differ, where that is a fault.
SKEW = 4.0
# A life has told what it has learned after so long, in seconds, hooks and a change of the filters included.
TELLS = 60.0
# So begins the reason of a gap that is about filters which the server refused.
NOT_GRANTED = "filters not granted"
# And such words are in the reason of a gap that is about a full queue.
_FULL = ("queue", "too slow", "overflow")
_LEFT = "not delivered"
# What was made so shortly before the very end, in seconds, may be under way.
UNDER_WAY = 3.0
UNDER_WAY_AT_A_PACE = 0.5


# What the client is told when the server refuses a subscription for good.
_FOR_GOOD = "/restapi/v1.0/subscription was answered 403"


@dataclass
class Due:
    """From `begin` to `end` the events on these topics were due to the application.

    Attributes:
        pending: nobody has wanted them anew since the last life ended; not due until somebody does.
    """

    begin: float
    end: float
    life: int
    topics: frozenset[str]
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap as it was told first; times are the server's.

    Attributes:
        kept: those of earlier lives in it, which no hook has handled: they were kept, and are told again.
    """

    life: int
    since: float | None
    until: float
    certain: bool
    reason: str
    told_at: float
    kept: tuple[Gap, ...] = ()

    @property
    def of_overflow(self) -> bool:
        """Whether it tells what a full queue dropped; reasons are for people, so this goes by their words."""
        return any(word in self.reason for word in _FULL)

    @property
    def of_waiting(self) -> bool:
        """Whether it tells of what had come and waited, some of which may have no time."""
        return self.of_overflow or _LEFT in self.reason

    @property
    def since_kept(self) -> bool:
        """Whether it begins with a gap that is told again: an earlier life found out so far back it reaches."""
        return any(one.since == self.since for one in self.kept)

    @property
    def until_kept(self) -> bool:
        """Whether it ends with a gap that is told again."""
        return any(one.until == self.until for one in self.kept)

    def covers(self, time: float, topic: str, slack: float) -> bool:
        """Say whether an event of this server time and topic may be missing; the bounds are inclusive."""
        # Of all time, since it is not known when it began; but of no other filter.
        # Reasons of gaps that touch are joined.
        if all(NOT_GRANTED in part for part in self.reason.split("; ")) and not any(
            resolve(one) in self.reason and matches(one, topic) for one in FILTERS
        ):
            return False
        return (self.since is None or self.since - slack <= time) and time <= self.until + slack


@dataclass
class Life:
    """One life of the client."""

    number: int
    began_at: float
    store: bool
    options: dict[str, object]
    ended_at: float = float("inf")
    how: str = ""
    closing: j.Closing | None = None
    revoked: bool = False
    last_handled: int = 0
    subscribed: bool = False
    connected: bool = False


@dataclass
class History:
    """Both journals, read.

    Attributes:
        server: all records of the server, in order.
        client: all records of the client, in order.
        pace: by what the times of the run were multiplied.
    """

    server: Sequence[j.AnyRecord]
    client: Sequence[j.AnyRecord]
    made: dict[int, j.Made] = field(default_factory=dict[int, j.Made])
    struck: list[j.Struck] = field(default_factory=list[j.Struck])
    lives: dict[int, Life] = field(default_factory=dict[int, Life])
    gaps: list[Gap] = field(default_factory=list[Gap])
    handled: list[j.Handled] = field(default_factory=list[j.Handled])
    unread: list[j.Unread] = field(default_factory=list[j.Unread])
    due: list[Due] = field(default_factory=list[Due])
    settled: j.Settled | None = None
    kinds: frozenset[str] = frozenset()
    calm_at: float = float("inf")

    def __post_init__(self) -> None:
        began = [record for record in self.server if isinstance(record, j.ServerBegan)]
        self._ahead = began[0].clock - began[0].at
        self.kinds = frozenset(began[0].faults)
        self.pace = float(began[0].options.get("pace", 1.0))
        self.buffer = int(str(began[0].options.get("buffer", 100)))
        self.window = float(began[0].options.get("window", 180.0))
        self._written: dict[int, float] = {}  # when last
        for record in self.server:
            if isinstance(record, j.Made):
                self.made[record.n] = record
            elif isinstance(record, j.Written):
                self._written[record.n] = record.at
            elif isinstance(record, j.Struck):
                self.struck.append(record)
            elif isinstance(record, j.Calm):
                self.calm_at = record.at
        self._read_client()
        self.struck.sort(key=lambda record: record.at)
        self._struck_at = [record.at for record in self.struck]
        self._lives_in_order = sorted(self.lives.values(), key=lambda life: life.began_at)
        self._lives_began = [life.began_at for life in self._lives_in_order]
        _Wanted(self).read()
        self._begins = [due.begin for due in self.due]
        self._returned = self._read_returned()

    def server_time(self, at: float) -> float:
        """Turn the journals' time into the server's."""
        return at + self._ahead

    def at_of(self, server_time: float) -> float:
        """Turn the server's time into the journals'."""
        return server_time - self._ahead

    def came_after(self, n: int, other: int) -> bool:
        """Say whether an event was made, or last written, after another: it waits behind that one."""
        written = self._written
        return n > other or (n in written and other in written and written[n] > written[other])

    def struck_between(self, begin: float, end: float) -> list[j.Struck]:
        """Give the faults of a period."""
        low, high = bisect_right(self._struck_at, begin), bisect_right(self._struck_at, end)
        return self.struck[low:high]

    def due_at(self, at: float) -> Due | None:
        """Give what was due at a moment."""
        index = bisect_right(self._begins, at) - 1
        if index < 0 or self.due[index].end <= at:
            return None
        return self.due[index]

    def covered(self, event: j.Made) -> list[Gap]:
        """Give the gaps that cover an event.

        The client knows only the stamp of what has come to it; of the rest the server's time counts. And a gap since
        nobody knows when covers nothing that an earlier life should have told of: the heir of the one to which it was
        due or, by a replay, was written.
        """
        due, written = self.due_at(event.at), self.life_at(self._written.get(event.n, 0.0))
        heir = None if due is None else self.heir(max(due.life, 0 if written is None else written.number))
        slack = SLACK + (SKEW if "stamp-skew" in self.kinds and event.n in self._written else 0.0)
        return [
            gap
            for gap in self.gaps
            if gap.covers(self.server_time(event.at), event.topic, slack)
            and (gap.since is not None or heir is None or gap.life <= heir.number)
        ]

    def let_go(self, life: int, at: float) -> float | None:
        """Give when a life next revoked, or connected anew, after a moment."""
        return next(
            (
                record.at
                for record in self.client
                if isinstance(record, j.Changing)
                and (record.life == life and record.what in {"connect", "revoke"} and record.at >= at)
            ),
            None,
        )

    def heir(self, life: int) -> Life | None:
        """Give the next life that subscribed on a connection: it tells at the latest what was left to it."""
        later = (self.lives[number] for number in sorted(self.lives) if number > life)
        return next((other for other in later if other.subscribed and other.connected), None)

    def unreadable(self, life: int) -> bool:
        """Say whether a life found a session that it could not read: damaged, and no life before has told of it."""
        while not self.damaged(life):
            life -= 1
            if life not in self.lives or any(gap.life == life and gap.since is None for gap in self.gaps):
                return False
        return True

    def is_due(self, event: j.Made) -> bool:
        """Say whether an event was due to the application."""
        due = self.due_at(event.at)
        return due is not None and not due.pending and event.topic in due.topics

    def struck_in(self, life: Life, kind: str) -> bool:
        """Say whether a fault of a kind struck in a life."""
        return any(one.kind == kind and life.began_at <= one.at <= life.ended_at for one in self.struck)

    def steps_ahead(self, number: int) -> float:
        """Give the seconds by which the wall clock was set ahead in a life, in all."""
        life, offset, ahead = self.lives[number], 0.0, 0.0
        for one in self.struck:
            if one.kind == "step":
                if life.began_at <= one.at <= life.ended_at:
                    ahead += max(0.0, float(one.detail) - offset)
                elif one.at < life.began_at:
                    ahead = max(0.0, float(one.detail))  # until it has read the server's
                offset = float(one.detail)
        return ahead

    def disconnected_at(self, life: Life) -> float | None:
        """Give when a life was told of the loss that was open when it closed or ended; None if none was."""
        end = life.ended_at if life.closing is None else life.closing.at
        at: float | None = None
        for record in self.client:
            if isinstance(record, j.Told) and record.life == life.number and record.at <= end:
                if record.event == "disconnected":
                    at = record.at
                elif record.event == "connectionReady" and record.state == "ready":
                    at = None
        return at

    def consumer_of(self, handled: j.Handled) -> int:
        """Give the number of the subscribe that returned whoever handled an event; 0 if none is known to have."""
        return self._returned.get((handled.life, handled.iterator), handled.consumer)

    def handled_by(self, life: int) -> set[int]:
        """Give the events that were handled by the end of a life."""
        return {record.n for record in self.handled if record.life <= life}

    def life_at(self, at: float) -> Life | None:
        """Give the life of the client at a moment, or the last one before it."""
        index = bisect_right(self._lives_began, at) - 1
        return None if index < 0 else self._lives_in_order[index]

    def before(self, life: int) -> Life | None:
        """Give the life before this one."""
        return self.lives.get(life - 1)

    def damaged(self, life: int, kind: str = "damage-session") -> bool:
        """Say whether a store was damaged before a life took it."""
        before = self.before(life)
        if before is None:
            return False
        began = self.lives[life].began_at  # which may be the moment at which the last one ended
        return any(record.kind == kind and before.ended_at <= record.at <= began for record in self.struck)

    def _read_returned(self) -> dict[tuple[int, int], int]:
        asked = {(one.life, one.op): one.consumer for one in self.client if isinstance(one, j.Changing)}
        return {
            (one.life, one.iterator): asked[one.life, one.op]
            for one in self.client
            if isinstance(one, j.Changed) and one.iterator
        }

    def _read_client(self) -> None:
        seen: set[tuple[object, ...]] = set()
        open_: list[Gap] = []  # which no hook has handled
        for record in self.client:
            match record:
                case j.LifeBegan():
                    self.lives[record.life] = Life(record.life, record.at, record.store, record.options)
                case j.LifeEnded():
                    life = self.lives[record.life]
                    life.ended_at, life.how = record.at, record.how
                case j.Closing():
                    life = self.lives[record.life]
                    life.closing = life.closing or record
                    life.revoked = life.closing.what == "revoke"  # who asks first decides
                case j.Handled():
                    self.handled.append(record)
                    self.lives[record.life].last_handled = max(self.lives[record.life].last_handled, record.n)
                case j.Unread():
                    self.unread.append(record)
                case j.Changed() if record.claimed:
                    self.lives[record.life].subscribed = True
                case j.Told(event="connectionReady"):
                    self.lives[record.life].connected = True
                case j.Settled():
                    self.settled = record
                case j.Struck():
                    self.struck.append(record)
                case j.GapTold():
                    key = (record.life, record.since, record.until, record.reason)
                    if key not in seen:  # the hook and the event tell the same
                        seen.add(key)
                        kept = tuple(one for one in open_ if one.life < record.life and lies_in(one, record))
                        gap = Gap(
                            record.life, record.since, record.until, record.certain, record.reason, record.at, kept
                        )
                        self.gaps.append(gap)
                        open_.append(gap)
                case j.HookDone(how="returned"):
                    open_ = [one for one in open_ if not lies_in(one, record)]
                case _:
                    pass


def lies_in(inner: Gap | j.HookDone, outer: j.GapTold | j.HookDone) -> bool:
    """Say whether one period lies in another."""
    begins = outer.since is None or (inner.since is not None and outer.since <= inner.since)
    return begins and inner.until <= outer.until


class _Wanted:
    """Work out what was due when.

    While a change is under way, only what both the old and the new filters match is due. Between two lives with a
    store, what both the last and the next filters match. After a close without a store, or a revoke, nothing.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._current: frozenset[str] = frozenset()
        self._under_way: dict[int, frozenset[str]] = {}
        self._asked: dict[int, float] = {}
        self._opened = [record.at for record in history.server if isinstance(record, j.ConnOpened)]
        self._between = False
        self._revoked = False  # by closing
        self._ending = set[int]()  # changes under way that end what there is
        self._since = 0.0
        self._life = 0

    def read(self) -> None:
        for record in self._history.client:
            match record:
                case j.LifeBegan():
                    self._cut(record.at)
                    self._life = record.life
                    self._revoked = False
                    self._ending.clear()
                    if not record.store:
                        self._current = frozenset()
                case j.Changing():
                    self._cut(record.at)
                    if record.what in {"revoke", "connect"}:
                        self._revoked = False
                        self._ending.add(record.op)
                        self._current = frozenset()
                    self._asked[record.op] = record.at
                    self._under_way[record.op] = topics_of(record.filters, [])
                case j.Told(event="error") if self._between and _FOR_GOOD in record.detail:
                    self._cut(record.at)  # it was told that nothing comes any more of what an earlier life wanted
                    self._current = frozenset()
                case j.Changed():
                    self._cut(record.at)
                    self._under_way.pop(record.op, None)
                    self._ending.discard(record.op)
                    # What the extension still says to have while it revokes is not wanted any more.
                    over = self._revoked or bool(self._ending)
                    self._current = frozenset() if over else topics_of(record.claimed, record.disabled)
                    if record.disabled:
                        self._refused(self._asked.get(record.op, self._last_opened(record.at)))
                    if self._between and self._current:
                        self._confirm()
                case j.Closing():
                    self._cut(record.at)
                    self._under_way.clear()
                    if record.what == "revoke" or not self._history.lives[record.life].store:
                        self._current, self._revoked = frozenset(), True
                    self._between = True
                case j.LifeEnded():
                    self._cut(record.at)
                    self._under_way.clear()
                    if not self._history.lives[record.life].store:
                        self._current = frozenset()
                    self._between = True
                case j.Settled():
                    self._cut(record.at - (UNDER_WAY if self._history.pace == 1.0 else UNDER_WAY_AT_A_PACE))
                    self._current = frozenset()
                case _:
                    pass

    def _cut(self, at: float) -> None:
        topics = self._current
        for other in self._under_way.values():
            topics &= other
        if topics and at > self._since:
            self._history.due.append(Due(self._since, at, self._life, topics, self._between))
        self._since = at

    def _last_opened(self, at: float) -> float:
        return max((opened for opened in self._opened if opened <= at), default=0.0)

    def _refused(self, since: float) -> None:
        """Take back what the server did not grant, since it may have said so: the claim is known later than that."""
        for due in reversed(self._history.due):
            if due.end <= since:
                break
            if due.begin < since:  # before that it may still be due
                self._history.due.append(Due(since, due.end, due.life, due.topics & self._current, due.pending))
                self._history.due.sort(key=lambda one: one.begin)
                due.end = since
                break
            due.topics &= self._current

    def _confirm(self) -> None:
        self._between = False
        for due in reversed(self._history.due):
            if not due.pending:
                break
            due.pending = False
            due.topics &= self._current


def silence(options: Mapping[str, object]) -> float:
    """Give the seconds after which a dead connection is noticed at the latest."""
    names = ("heartbeat_interval", "heartbeat_timeout")
    return sum(float(str(options.get(name, 60.0))) for name in names) + MARGIN


def topics_of(filters: Sequence[str], disabled: Sequence[str]) -> frozenset[str]:
    """Give the topics that these filters match, without those that were not granted."""
    refused = {resolve(one) for one in disabled}
    granted = [one for one in filters if resolve(one) not in refused]
    return frozenset(topic for topic in TOPICS if matching(granted, topic) is not None)
