"""How far back each gap may reach, by what the application could see to be proven. Pure.

`Gap.since` is the oldest moment that is not proven complete, less the margin: no loss lies before it, which is the rule
`lost`, and it is no excuse for all that was ever, which is this. A gap is measured against the last proof of the same
kind before what it tells of: of what was written for a loss, of the subscription where that was gone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from oracle import journal as j
from oracle.history import MARGIN, NOT_GRANTED, SKEW, Gap, History, Life
from oracle.proofs import Proof, Proofs

__all__ = ["Measured", "measure"]

# The server's clock is known by answers that took a moment, and by `Date` headers, which tell whole seconds.
CLOCK = 2.0
# A slow hook or handler may hold up what is told for so long, in seconds.
LATE_TELLING = 130.0
# What is known is stored at most once a second.
STORED_WITHIN = 2.0
# And a slow store, or one that fails at first, takes its time.
STORED_LATE = 30.0
# What happened so shortly before the end of a life, in seconds, may not have been told in it.
UNTOLD = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A gap, and what there was to measure it by.

    Attributes:
        gap: as it was told.
        proof: the last one before; None when there is none, or an older doubt was open: then it may reach far.
        over: seconds by which it begins before the proof less the margin, and the clock's share; at most 0 is right.
            With no `since` and a proof it is endless.
    """

    gap: Gap
    proof: Proof | None = None
    over: float | None = None


def measure(history: History) -> Iterator[Measured]:
    """Measure the gaps of a run."""
    proofs = Proofs(history)
    outages = _outages(history)
    doubts = _Doubts(history)
    told = set[int]()
    for gap in history.gaps:
        if gap.since_kept:
            yield Measured(gap)  # it was measured when it was told first
            continue
        if gap.since is None and gap.life not in told and history.unreadable(gap.life):
            told.add(gap.life)  # once, whenever it is
            yield Measured(gap)
            continue
        cancelled = "callbacks cancelled" in gap.reason and "0 callbacks cancelled" not in gap.reason
        if gap.of_waiting and (cancelled or len(gap.reason.split("; ")) > 1):
            yield Measured(gap)  # one was in hand for long, or it was merged with others
            continue
        if gap.of_waiting:
            yield _of_overflow(history, proofs, gap, outages)
            continue
        if NOT_GRANTED in gap.reason or doubts.not_granted(gap.told_at):
            yield Measured(gap)
            continue
        outage = next((one for one in reversed(outages) if one[0] == gap.life and one[1] <= gap.told_at), None)
        proof = _within(history, proofs, doubts, gap, outage) or _before(history, proofs, doubts, gap)
        if proof is None:
            yield Measured(gap)
        elif gap.since is None:
            # Who connects anew begins anew: what was proven before that was about another subscription.
            yield Measured(gap) if proof.at < doubts.anew(gap) else Measured(gap, proof, float("inf"))
        elif doubts.unanswered(history.at_of(gap.since) - MARGIN, gap.told_at) or doubts.cut(gap):
            yield Measured(gap)
        else:
            yield Measured(gap, proof, _over(history, gap.since, proof.at))


def _over(history: History, since: float, proven: float) -> float:
    skew = SKEW if "stamp-skew" in history.kinds else 0.0
    return history.server_time(proven) - MARGIN - CLOCK - skew - since


def _of_overflow(history: History, proofs: Proofs, gap: Gap, outages: list[tuple[int, float, float]]) -> Measured:
    """Measure a gap of a full queue: it begins with the oldest that this life was sent and did not handle.

    When that has no time of its own, it begins with what was proven before; in an outage, before that.
    """
    life = history.lives[gap.life]
    missed = _undelivered(history, life, gap.told_at)
    if not missed:
        return Measured(gap)
    oldest = min(at for at, _ in missed) - MARGIN
    proof = Proof(oldest, gap.told_at, "what was not handled", gap.life, written=True, alive=True)
    if not all(stamped for _, stamped in missed):
        open_ = (lost for life, lost, over in outages if life == gap.life and lost <= oldest + MARGIN < over)
        oldest = min([oldest, *open_])
        before = proofs.last(gap.life, oldest, alive=True, seen=oldest)
        if before is None:
            return Measured(gap)
        proof = before
    return Measured(gap, proof, float("inf") if gap.since is None else _over(history, gap.since, proof.at))


def _within(
    history: History, proofs: Proofs, doubts: _Doubts, gap: Gap, outage: tuple[int, float, float] | None
) -> Proof | None:
    """Give the last proof of the same life. For a loss it lies before that; else only the subscription counts."""
    lost = outage is not None and gap.told_at <= outage[2]
    before = min(gap.told_at, history.at_of(gap.until)) - MARGIN
    if outage is not None and lost:
        before = min(outage[1], before + MARGIN)
    if "slow-handler" in history.kinds:
        before -= LATE_TELLING  # what is told waits behind a slow handler
    gone = doubts.gone(history.lives[gap.life].began_at, gap.told_at)
    # A call that was asked for before a loss may have been sent after it.
    return proofs.last(gap.life, before, alive=gone or not lost, seen=before)


def _before(history: History, proofs: Proofs, doubts: _Doubts, gap: Gap) -> Proof | None:
    """Give the last proof of the life before, that can have been kept, for what is told at the begin of this one."""
    life = history.lives[gap.life]
    earlier = history.before(gap.life)
    if earlier is None or not life.store or not earlier.store or earlier.revoked:
        return None
    if history.unreadable(gap.life) or history.damaged(gap.life, "damage-token"):
        return None
    kept = STORED_LATE if history.kinds & {"slow-store", "store-fails"} else STORED_WITHIN
    # What was sent and not handled lies in the gap that follows.
    undelivered = min((at - MARGIN for at, _ in _undelivered(history, earlier)), default=float("inf"))
    before = min(doubts.untold(earlier), undelivered, earlier.ended_at - kept)
    gone = doubts.gone(earlier.began_at, gap.told_at)
    return proofs.last(earlier.number, before, alive=gone, seen=earlier.ended_at - kept)


def _undelivered(history: History, life: Life, until: float = float("inf")) -> list[tuple[float, bool]]:
    """Give when each was made that a life was sent until then and did not handle, and whether it was told that time."""
    handled = history.handled_by(life.number)
    until = min(until, life.ended_at)
    unstamped = {record.at for record in history.struck if record.kind == "stamp-none"}
    return [
        (history.made[record.n].at, record.at not in unstamped)
        for record in history.server
        if isinstance(record, j.Written) and life.began_at <= record.at <= until and record.n not in handled
    ]


class _Doubts:
    """What was open, and for how long."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._granted: list[tuple[float, bool]] = [
            (record.at, bool(record.disabled)) for record in history.server if isinstance(record, j.InForce)
        ]
        self._unanswered = [
            record.at
            for record in history.client
            if isinstance(record, j.Changed) and record.how in {"error", "cancelled"}
        ]
        self._cut = list(_cut(history))
        self._gone = [
            record.at
            for record in history.server
            if (isinstance(record, j.InForce) and record.by in {"missing", "vanished", "forgotten", "DELETE"})
            or (isinstance(record, j.ConnOpened) and record.code == "WSG-1005")
        ]
        self._anew = [
            (record.life, record.at)
            for record in history.client
            if isinstance(record, j.Changing) and record.what in {"revoke", "connect"}
        ]
        self._disturbed = sorted(
            record.at
            for record in [*history.server, *history.client]
            if isinstance(record, j.ConnEnded | j.ConnOpened | j.SessionLost | j.Changing | j.Changed | j.GapTold)
        )

    def anew(self, gap: Gap) -> float:
        """Give when the application last revoked or connected anew before a gap was told."""
        return max((at for life, at in self._anew if life == gap.life and at <= gap.told_at), default=float("-inf"))

    def not_granted(self, at: float) -> bool:
        """Say whether the server had refused a filter, for how long nobody knows."""
        return next((disabled for when, disabled in reversed(self._granted) if when <= at), False)

    def unanswered(self, begin: float, end: float) -> bool:
        """Say whether a change was left unanswered in this time."""
        return any(begin <= at <= end for at in self._unanswered)

    def cut(self, gap: Gap) -> bool:
        """Say whether a gap begins with a change that was under way, and whose call a loss had left unanswered."""
        begin = self._history.at_of(gap.since or 0.0) + MARGIN + CLOCK
        return any(
            life == gap.life and begun <= begin and lost <= gap.told_at <= end for life, begun, lost, end in self._cut
        )

    def gone(self, begin: float, end: float) -> bool:
        """Say whether the server turned out to have lost the subscription in this time."""
        return any(begin <= at <= end for at in self._gone)

    def untold(self, life: Life) -> float:
        """Give since when something may have happened in a life that it had no time to tell of."""
        late = LATE_TELLING if "slow-handler" in self._history.kinds else 0.0
        begin = life.ended_at - UNTOLD * self._history.pace - late
        return min((at for at in self._disturbed if begin <= at <= life.ended_at), default=life.ended_at)


def _cut(history: History) -> Iterator[tuple[int, float, float, float]]:
    """Give the changes that are asked for again after a loss: life, begin, the first loss, end."""
    ended = [record.at for record in history.server if isinstance(record, j.ConnEnded)]
    begun: dict[tuple[int, int], float] = {}
    for record in history.client:
        if isinstance(record, j.Changing):
            begun[record.life, record.op] = record.at
        elif isinstance(record, j.Changed) and record.op:
            low = bisect_left(ended, begun[record.life, record.op])
            if low < bisect_right(ended, record.at):
                yield record.life, begun[record.life, record.op], ended[low], record.at


def _outages(history: History) -> list[tuple[int, float, float]]:
    """Give the losses: life, told when, and until when all was ready again."""
    outages: list[tuple[int, float, float]] = []
    for record in history.client:
        if isinstance(record, j.Told) and record.event == "disconnected":
            outages.append((record.life, record.at, float("inf")))
        elif isinstance(record, j.Told) and record.event == "connectionReady" and outages and outages[-1][2] > 1e300:
            outages[-1] = (*outages[-1][:2], record.at)
    return outages
