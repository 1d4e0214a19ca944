"""Rules of the hook for gaps: it is called again with what it has not handled, by this life or the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oracle import journal as j
from oracle.history import History, lies_in
from oracle.violation import Violation

__all__ = ["again"]

# The hook is called again after so long at the latest, in seconds: the longest delay, and a round of slow calls.
WAIT = 300.0
# What was open so long before a kill is in the store, in seconds.
STORED = 5.0


def again(history: History) -> Iterator[Violation]:
    """A gap that the hook has not handled is told again, with a period that covers it: to the hook, or in a next life.

    It is not judged after the application let go of its session, nor where a store failed or was damaged.
    """
    for number, done in enumerate(history.client):
        if not isinstance(done, j.HookDone) or done.how == "returned":
            continue
        if _let_go(history, done) or _told(history.client, number, done):
            continue
        text = (
            f"the hook {done.how} in life {done.life} from the gap {done.since}..{done.until}, and it was told no more"
        )
        if _had_time(history, done) or _left_to_an_heir(history, done):
            yield Violation("again", done.at, text)


def _let_go(history: History, done: j.HookDone) -> bool:
    """Say whether the application revoked or connected anew after that, or was at it."""
    ended = {(one.life, one.op): one.at for one in history.client if isinstance(one, j.Changed)}
    return any(
        isinstance(one, j.Changing)
        and (one.life == done.life and one.what in {"connect", "revoke"})
        and max(one.at, ended.get((one.life, one.op), one.at)) >= done.at
        for one in history.client
    )


def _told(records: Sequence[j.AnyRecord], number: int, done: j.HookDone) -> bool:
    """Say whether the gap was told again: later, or in a later life, which a hook that closed may outlive."""
    return any(
        isinstance(gap, j.GapTold)
        and (gap.life > done.life or (place > number and gap.life == done.life and gap.how == "hook"))
        and lies_in(done, gap)
        and gap.certain >= done.certain
        for place, gap in enumerate(records)
    )


def _had_time(history: History, done: j.HookDone) -> bool:
    """Say whether the life went on for so long that the hook must have been called again."""
    life = history.lives[done.life]
    end = life.ended_at if life.closing is None else life.closing.at
    return min(end, history.client[-1].at) > done.at + WAIT * history.pace


def _left_to_an_heir(history: History, done: j.HookDone) -> bool:
    """Say whether a life left the gap in its store, and another found it there."""
    life, heir = history.lives[done.life], history.heir(done.life)
    if heir is None or not life.store or life.revoked:
        return False
    if life.how == "kill" and ("slow-store" in history.kinds or done.at > life.ended_at - STORED * history.pace):
        return False
    heirs = [one for one in history.lives.values() if life.number < one.number <= heir.number]
    if any(history.damaged(one.number) or history.damaged(one.number, "damage-token") for one in heirs):
        return False
    return not any(one.revoked for one in heirs[:-1]) and not any(
        history.struck_in(one, "store-fails") for one in (life, *heirs)
    )
