"""Rules of gaps: none without a cause, none in another time than the server's, none longer than there is doubt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from oracle import journal as j
from oracle.bounds import measure
from oracle.causes import Causes
from oracle.history import MARGIN, TELLS, Gap, History, Life, silence
from oracle.violation import Violation

__all__ = ["bounds", "damaged", "endless", "no_cause", "overflow", "uncertain"]

# What was made so shortly before the end of a wish may have been made after it, in seconds.
STILL = 0.5
# The longest attempt to connect, in seconds.
ATTEMPT = 10.0
# A life that had a subscription for so long, in seconds, has told of the store that it could not read.
SOON = 5.0


def no_cause(history: History) -> Iterator[Violation]:
    """Each gap has a cause: a fault, a killed life, an absence beyond the window, a change that did not return."""
    causes = Causes(history)
    for gap in history.gaps:
        if not causes.of(gap):
            text = f"{_describe(gap)} in life {gap.life} has no cause: no fault, no kill, nothing left unanswered"
            yield Violation("no-cause", gap.told_at, text)


def bounds(history: History) -> Iterator[Violation]:
    """A gap ends after it began, and before it was told, in the server's time.

    What a client knows of that time it has read in an attempt to connect, and not better than the attempt took. When
    its wall clock steps ahead it may also have slept, until it has read anew.
    """
    for gap in history.gaps:
        if not history.lives[gap.life].connected or gap.until_kept:
            continue  # it has read no time of the server's, or it took the end from where it was told before
        told = history.server_time(gap.told_at)
        unknown = MARGIN + ATTEMPT * history.pace + history.steps_ahead(gap.life)
        if gap.since is not None and gap.since > gap.until:
            yield Violation("bounds", gap.told_at, f"{_describe(gap)} ends before it begins")
        elif gap.until > told + unknown:
            text = f"{_describe(gap)} ends {gap.until - told:.0f} s after it was told, at {told:.3f} of the server"
            yield Violation("bounds", gap.told_at, text)


def endless(history: History) -> Iterator[Violation]:
    """A gap begins no earlier than what was proven complete before it, less the margin; None needs that nothing was.

    It is not judged while an older doubt was open: an unanswered change, a filter that was not granted, a full queue.
    """
    for measured in measure(history):
        gap, proof = measured.gap, measured.proof
        if proof is None or measured.over is None or measured.over <= 0:
            continue
        before = history.server_time(proof.at) - gap.since if gap.since is not None else 0.0
        since = "the beginning" if gap.since is None else f"{before:.1f} s before it"
        text = (
            f"{_describe(gap)} in life {gap.life} begins at {since}, although {proof.by} proves all complete up to "
            f"{proof.at:.3f} ({history.server_time(proof.at):.3f} of the server)"
        )
        yield Violation("endless", gap.told_at, text)


def uncertain(history: History) -> Iterator[Violation]:
    """What the server dropped with a session or a subscription is certainly missing: the gap says so."""
    handled = {record.n for record in history.handled}
    sessions: dict[int, set[int]] = {}
    for record in history.server:
        if isinstance(record, j.Written | j.Buffered):
            sessions.setdefault(record.n, set()).add(record.session)
    dropped = {
        record.n: record.at
        for record in history.server
        if isinstance(record, j.Dropped)
        and record.why in {"forgotten", "vanished"}
        and record.n not in handled
        and sessions.get(record.n) == {record.session}  # not one that an earlier life left behind
    }
    for n, at in sorted(dropped.items()):
        event = history.made[n]
        if _killed_upon(history, at) or _never_stored(history, event.at):
            continue
        gaps = history.covered(event)
        still = history.due_at(event.at + STILL)
        due = history.is_due(event) and still is not None and not still.pending
        if due and _let_go(history, event.at):
            continue
        if due and gaps and not any(gap.certain for gap in gaps) and not _left_behind(history, sessions[n], event.at):
            text = f"event {n} of {event.at:.3f} went with its subscription, and lies in no gap that is certain"
            yield Violation("uncertain", gaps[0].told_at, f"{text}, but in {_describe(gaps[0])}", (n,))


def _left_behind(history: History, sessions: set[int], at: float) -> bool:
    """Say whether the client was ready on another session than these: what they dropped, it had not lost by that."""
    newest = max(
        (one for one in history.server if isinstance(one, j.ConnOpened) and one.at <= at),
        key=lambda one: one.conn,
        default=None,
    )
    return (
        newest is not None
        and newest.session not in sessions
        and any(
            isinstance(record, j.Told) and record.event == "connectionReady" and newest.at <= record.at <= at
            for record in history.client
        )
    )


def _let_go(history: History, at: float) -> bool:
    """Say whether the life at a moment let go for good, by whatever call, before it can have noticed a loss."""
    life = history.life_at(at)
    if life is None:
        return False
    end = history.let_go(life.number, at)
    closing = life.closing
    if end is None and closing is not None and closing.at >= at and (life.revoked or not life.store):
        end = closing.at if history.disconnected_at(life) is None else None  # an outage is told of as certain
    return end is not None and at >= end - silence(life.options)


def _never_stored(history: History, at: float) -> bool:
    """Say whether the life at a moment was killed, and its store had failed: nobody was left to tell."""
    life = history.life_at(at)
    return life is not None and life.how == "kill" and (not life.store or history.struck_in(life, "store-fails"))


def _killed_upon(history: History, at: float) -> bool:
    """Say whether the life that learned of a drop was killed before it could have told of it, or have kept it."""
    learned = next((record.at for record in history.server if isinstance(record, j.ConnOpened) and record.at >= at), at)
    life = history.life_at(learned)
    return life is not None and life.how == "kill" and life.ended_at < learned + TELLS


def overflow(history: History) -> Iterator[Violation]:
    """What a full queue drops is one certain gap for each time that it is full: until something is taken out of it."""
    last: dict[int, Gap] = {}
    # A consumer takes the first, and a new one may take all.
    taken = [record.at for record in history.client if isinstance(record, j.Handled | j.Changing)]
    for gap in (gap for gap in history.gaps if gap.of_overflow):
        before = last.get(gap.life)
        last[gap.life] = gap
        if not gap.certain:
            yield Violation("overflow", gap.told_at, f"{_describe(gap)} in life {gap.life} is certain, and not told so")
        elif (
            before is not None
            and "stamp-none" not in history.kinds  # what has no time of its own may be as new as the gap
            and _overlap(before, gap)
            and (
                # Both may be told late, behind a slow handler: it counts what was taken out since the last was dropped.
                bisect_left(taken, min(history.at_of(before.until), before.told_at)) == bisect_left(taken, gap.told_at)
            )
        ):
            text = f"{_describe(gap)} in life {gap.life} tells again what {_describe(before)} has told"
            yield Violation("overflow", gap.told_at, text)


def _overlap(one: Gap, other: Gap) -> bool:
    return (one.since is None or one.since <= other.until) and (other.since is None or other.since <= one.until)


def damaged(history: History) -> Iterator[Violation]:
    """A stored session that cannot be read is a certain gap since nobody knows when."""
    for life in history.lives.values():
        if not (life.store and history.damaged(life.number) and _long_subscribed(history, life)):
            continue
        if not any(gap.life == life.number and gap.certain and gap.since is None for gap in history.gaps):
            text = f"life {life.number} found a session that it could not read, and told no certain gap since None"
            yield Violation("damaged", life.began_at, text)


def _long_subscribed(history: History, life: Life) -> bool:
    """Say whether a life was ready and subscribed for a while, undisturbed."""
    since = float("inf")
    for record in history.client:
        if not life.began_at <= record.at <= life.ended_at:
            continue
        if isinstance(record, j.Changed) and record.claimed:
            since = min(since, record.at)
        elif isinstance(record, j.Changing | j.Closing) or (isinstance(record, j.Told) and record.state != "ready"):
            since = float("inf")
        elif record.at > since + SOON:
            return True
    return False


def _describe(gap: Gap) -> str:
    since = "None" if gap.since is None else f"{gap.since:.3f}"
    kind = "certain" if gap.certain else "possible"
    return f"the {kind} gap {since}..{gap.until:.3f} ({gap.reason}), told at {gap.told_at:.3f},"
