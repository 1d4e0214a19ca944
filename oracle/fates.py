"""What became of each event that was made. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import journal as j
from oracle.history import Due, Gap, History, Life, silence

__all__ = ["LOST", "fates"]

LOST = "lost"

# A store fails a moment before or after the change returns whose word it was to keep, in seconds.
NEAR = 0.5


def fates(history: History) -> Iterator[tuple[j.Made, str]]:
    """Give each event with its fate, which is "lost" when a promise was broken."""
    handled = {record.n for record in history.handled}
    known: dict[int, set[int]] = {}
    for record in history.server:
        if isinstance(record, j.Written | j.Buffered | j.Dropped):
            known.setdefault(record.n, set()).add(record.session)
    vanished = _vanished(history)
    for n, event in history.made.items():
        due = history.due_at(event.at)
        if n in handled:
            yield event, "handled"
        elif due is None or due.pending or event.topic not in due.topics:
            yield event, "not due"
        elif gaps := history.covered(event.at, event.topic):
            yield event, _told(gaps)
        elif _excused(history, n, event.at, due):
            yield event, "nobody to tell"
        elif any(begin <= event.at <= end and session not in known.get(n, ()) for begin, end, session in vanished):
            yield event, "nobody could know"
        else:
            yield event, LOST


def _told(gaps: list[Gap]) -> str:
    if any(gap.of_overflow for gap in gaps):
        return "dropped by a full queue and told"
    return "in a certain gap" if any(gap.certain for gap in gaps) else "in a possible gap"


def _excused(history: History, n: int, at: float, due: Due) -> bool:
    """Say whether an event lay in what an ending life may leave unsaid, there being nobody to tell."""
    life = history.lives.get(due.life)
    if life is None:
        return False
    if _unread(history, life, n, at) or _not_stored(history, life):
        return True
    if not life.store and n > life.last_handled:
        # Killed without a store: nobody remembers. Closed: what was under way on a connection that was not known dead.
        return life.how == "kill" or _just_before_close(history, life, at)
    if not life.store and life.how == "kill":  # nor of an outage that was not over
        lost = history.disconnected_at(life)
        if lost is not None and at >= lost - silence(life.options):
            return True
    if life.revoked and n > life.last_handled:
        return _just_before_close(history, life, at)
    # Who revokes before having subscribed, on a connection, takes what an earlier life left with it.
    later = (other for other in history.lives.values() if other.number > due.life)
    return any(other.how == "revoke" and not (other.subscribed and other.connected) for other in later)


def _not_stored(history: History, life: Life) -> bool:
    """Say whether a life was killed when its store had failed, as it was told, to take what it had subscribed last."""
    changed = failed = 0.0
    for record in history.client:
        match record:
            case j.Changed(life=life.number, how="returned"):
                changed = record.at
            case j.Told(life=life.number, event="error") if "No space left" in record.detail:
                failed = record.at
            case _:
                pass
    return life.how == "kill" and failed > changed - NEAR


def _unread(history: History, life: Life, n: int, at: float) -> bool:
    """Say whether an event waited for an iterator that nobody read to its end, and no next life is to tell of it.

    What is buffered can still be iterated when its subscription has ended; nothing but the application can tell that it
    was not. A session that is kept is another matter: the next life tells what no consumer has taken.
    """
    return any(one.n == n and one.life == life.number for one in history.unread) and not _is_kept(history, life, at)


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
    """Give the times in which the server had lost a session's subscription unasked, and the client never noticed."""
    times: list[tuple[float, float, int]] = []
    since, session, asked = 0.0, 0, False
    for record in history.server:
        if isinstance(record, j.InForce) and record.by == "vanished":
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


def _just_before_close(history: History, life: Life, at: float) -> bool:
    """Say whether a life was closed before it could know: it had not noticed the loss, or not got over it."""
    if life.closing is None:
        return False
    lost = float("inf")
    for record in history.client:
        if isinstance(record, j.Told) and record.life == life.number and record.at < life.closing.at:
            if record.event == "disconnected":
                lost = min(lost, record.at)
            elif record.event == "connectionReady":
                lost = float("inf")
    return at > min(lost, life.closing.at) - silence(life.options)
