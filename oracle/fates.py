"""What became of each event that was made. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import journal as j
from oracle.history import TELLS, Due, Gap, History, Life, silence
from oracle.proofs import SPOILT, Proofs

__all__ = ["LOST", "fates"]

LOST = "lost"

# A store fails a moment before or after the change returns whose word it was to keep, in seconds.
NEAR = 0.5
# What the client is told when its store fails.
_FULL_DISK = "No space left"
# And when a full queue begins to drop.
_DROPPING = "SlowConsumer"


def fates(history: History) -> Iterator[tuple[j.Made, str]]:
    """Give each event with its fate, which is "lost" when a promise was broken."""
    handled = {record.n for record in history.handled}
    known: dict[int, set[int]] = {}
    for record in history.server:
        if isinstance(record, j.Written | j.Buffered | j.Dropped):
            known.setdefault(record.n, set()).add(record.session)
    vanished, proofs = _vanished(history), Proofs(history)
    for n, event in history.made.items():
        due = history.due_at(event.at)
        if n in handled:
            yield event, "handled"
        elif due is None or due.pending or event.topic not in due.topics:
            yield event, "not due"
        elif gaps := history.covered(event):
            yield event, _told(gaps)
        elif _excused(history, proofs, n, event.at, due):
            yield event, "nobody to tell"
        elif any(begin <= event.at <= end and session not in known.get(n, ()) for begin, end, session in vanished):
            yield event, "nobody could know"
        else:
            yield event, LOST


def _told(gaps: list[Gap]) -> str:
    if any(gap.of_overflow for gap in gaps):
        return "dropped by a full queue and told"
    return "in a certain gap" if any(gap.certain for gap in gaps) else "in a possible gap"


def _excused(history: History, proofs: Proofs, n: int, at: float, due: Due) -> bool:
    """Say whether an event lay in what an ending life may leave unsaid, there being nobody to tell."""
    life = history.lives.get(due.life)
    if life is None:
        return False
    if _unread(history, life, n, at) or _not_stored(history, at) or _given_up(history, life):
        return True
    if _cut_short(history, life) and _was_dropping(history, life, n):
        return True
    end = _let_go(history, life, at)
    if end is not None and _under_way(history, proofs, life, n, at, end):
        return True
    return life.how == "kill" and not life.store and _not_told_yet(history, life, n, at)


def _let_go(history: History, life: Life, at: float) -> float | None:
    """Give when an application let go of what it had subscribed at a moment, and left it to no next life.

    It hears then of an outage that is open, but not of what may be under way on a connection that nobody knows to be
    dead.
    """
    if (end := history.let_go(life.number, at)) is not None:
        return end
    if life.closing is not None:
        return life.closing.at if life.closing.at >= at and (life.revoked or not life.store) else None
    return life.ended_at if life.how == "kill" and not life.store else None


def _not_told_yet(history: History, life: Life, n: int, at: float) -> bool:
    """Say whether a kill came before an event's turn, behind a busy handler, or before an outage was over.

    Or before the gap of a full queue that was dropping, as the application knew.
    """
    lost = history.disconnected_at(life)
    if lost is not None and at >= lost - silence(life.options):
        return True
    behind = history.came_after(n, life.last_handled) or _just_learned(history, life, at)
    return (behind and _busy(history, life)) or _was_dropping(history, life, n)


def _just_learned(history: History, life: Life, at: float) -> bool:
    """Say whether a life learned shortly before its end that the server had lost its subscription before a moment."""
    begin = max(at, life.ended_at - TELLS)
    return any(
        isinstance(record, j.InForce) and record.by == "missing" and begin <= record.at <= life.ended_at
        for record in history.server
    )


def _cut_short(history: History, life: Life) -> bool:
    """Say whether a close for good cut the hook short: a gap that it has no time for is only in the log."""
    if life.closing is None or (life.store and not life.revoked):
        return False
    return any(
        isinstance(record, j.HookDone)
        and (record.life == life.number and record.how == "cancelled" and record.at >= life.closing.at)
        for record in history.client
    )


def _was_dropping(history: History, life: Life, n: int) -> bool:
    """Say whether a full queue, in which an event waited, had begun to drop, and the gap was not told yet."""
    since: float | None = None
    for record in history.client:
        match record:
            case j.Told(life=life.number, event="error") if _DROPPING in record.detail:
                since = record.at
            case j.GapTold(life=life.number) if any(
                gap.of_overflow and gap.told_at == record.at for gap in history.gaps
            ):
                since = None
            case _:
                pass
    handled = (record.n for record in history.handled if record.life == life.number and record.at < (since or 0.0))
    return since is not None and n > max(handled, default=0)


def _under_way(history: History, proofs: Proofs, life: Life, n: int, at: float, end: float) -> bool:
    """Say whether an event may have been on its way at a moment, or lost unnoticed: nothing has proven that it came."""
    proof = proofs.last(life.number, float("inf"), alive=False, seen=end)
    handled = (record.n for record in history.handled if record.life == life.number and record.at <= end)
    if n <= max(handled, default=0) or (proof is not None and proof.at > at):
        return False
    return at > end - silence(life.options) or _trickled(history, at, end)


def _trickled(history: History, at: float, end: float) -> bool:
    """Say whether bytes trickled: a connection that is behind is not silent."""
    return any(one.kind == "slow" for one in history.struck_between(at - SPOILT * history.pace, end))


def _busy(history: History, life: Life) -> bool:
    """Say whether a handler had something in hand when its life ended: more may have waited behind it."""
    in_hand = set[int]()
    for record in history.client:
        if isinstance(record, j.Handled) and record.life == life.number:
            in_hand.add(record.n)
        elif isinstance(record, j.HandlerDone) and record.life == life.number:
            in_hand.discard(record.n)
    return bool(in_hand)


def _given_up(history: History, life: Life) -> bool:
    """Say whether the next life revoked before it had subscribed, on a connection: it takes what was left to it along.

    One that has subscribed has been told; what was left to it counts no more for those that follow.
    """
    heir = history.heir(life.number)
    before = range(life.number + 1, heir.number if heir is not None else max(history.lives) + 1)
    return any(history.lives[number].revoked for number in before)


def _not_stored(history: History, at: float) -> bool:
    """Say whether the life that wanted an event ended when its store had failed, as it was told, to take that wish.

    The next life then knows nothing of it. What was wanted by earlier changes, which were stored, counts as before.
    """
    claims = [record for record in history.client if isinstance(record, j.Changed) and record.claimed]
    wished = next((record for record in reversed(claims) if record.at <= at), None)
    if wished is None:
        return False
    life = history.lives[wished.life]
    of_life = [record for record in history.client if getattr(record, "life", 0) == life.number]
    told = [record.at for record in of_life if isinstance(record, j.Told) and _FULL_DISK in record.detail]
    struck = history.struck_between(life.began_at, life.ended_at)
    failed = sorted([*told, *(one.at for one in struck if one.kind == "store-fails")])  # it may be told later
    asked = {record.op: _sent(history, record, of_life) for record in of_life if isinstance(record, j.Changing)}
    since: float | None = None
    for record in claims:
        if record.life == life.number and record.op:
            fails = any(asked[record.op] <= one <= record.at + NEAR for one in failed)
            since = (since or asked[record.op]) if fails else None
    if since is None or at < since or not told:
        return False
    if any(isinstance(record, j.Stored) and since <= record.at <= life.ended_at for record in history.server):
        return False
    return life.how == "kill" or (life.closing is not None and failed[-1] >= life.closing.at)


def _sent(history: History, asked: j.Changing, of_life: list[j.Record]) -> float:
    """Give from when on a store can have taken what a change asked for.

    Where something was wanted before, that is from the call on: it is written before it is sent. A first wish is
    written when it is granted; it may have waited long for that, behind others or for the server.
    """
    changes = [record for record in of_life if isinstance(record, j.Changed)]
    answer = next((record for record in changes if record.op == asked.op), None)
    before = [record for record in changes if answer is not None and record.at < answer.at]
    if answer is None or not before or before[-1].claimed:
        return asked.at
    granted = [record.at for record in history.server if isinstance(record, j.InForce) and record.at <= answer.at]
    return max(asked.at, granted[-1] - NEAR) if granted else asked.at


def _unread(history: History, life: Life, n: int, at: float) -> bool:
    """Say whether an event waited for an iterator that nobody read to its end, and no next life is to tell of it.

    What is buffered can still be iterated when its subscription has ended; nothing but the application can tell that it
    was not. A session that is kept is another matter: the next life tells what no consumer has taken.
    """
    found = next((history.lives[one.life] for one in history.unread if one.n == n), None)
    if found is not None:  # perhaps in a later life, which got it by a replay
        return not _is_kept(history, found, at)
    return life.how == "kill" and not _is_kept(history, life, at) and _waited_at_the_kill(history, life, n, at)


def _waited_at_the_kill(history: History, life: Life, n: int, at: float) -> bool:
    """Say whether an iterator that had begun before an event had not come as far, nor to its end, when all was killed.

    What it would still have given cannot be seen.
    """
    behind: set[int] = set()
    for record in history.client:
        match record:
            case j.Iterating(life=life.number) if record.at <= at:
                behind.add(record.iterator)
            case j.IteratorEnded(life=life.number):
                behind.discard(record.iterator)
            case j.Handled(life=life.number) if record.n >= n:
                behind.discard(record.iterator)
            case _:
                pass
    return bool(behind)


def _is_kept(history: History, life: Life, since: float) -> bool:
    """Say whether a life has left to the next one what it had subscribed at a moment."""
    if not life.store or life.revoked:
        return False
    for record in history.client:
        if record.at >= since:
            match record:
                case j.Changing(life=life.number, what="connect" | "revoke"):
                    return False
                case j.Changed(life=life.number, op=0) if not record.claimed:
                    return False  # it has failed
                case _:
                    pass
    return True


def _vanished(history: History) -> list[tuple[float, float, int]]:
    """Give the times in which the server had lost a session's subscription unasked, and the client never noticed.

    Only a session that the client is on: of one that it has left behind nothing is due.
    """
    times: list[tuple[float, float, int]] = []
    since, session, asked, newest, current = 0.0, 0, False, 0, 0
    for record in history.server:
        if isinstance(record, j.ConnOpened) and record.conn > newest:
            newest, current = record.conn, record.session
        if isinstance(record, j.InForce) and record.by == "vanished":
            if record.session == current:
                since, session, asked = record.at, record.session, False
        elif not session:
            continue
        elif isinstance(record, j.InForce) and record.by == "missing":
            asked = asked or record.session == session
        elif isinstance(record, j.ConnOpened) or (isinstance(record, j.InForce) and record.session == session):
            if not (asked and isinstance(record, j.InForce)):
                times.append((since, record.at, session))
            session = 0
    return [*times, (since, float("inf"), session)] if session else times
