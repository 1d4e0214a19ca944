"""Rules of delivery: nothing lost without a word, nothing twice, all in order, and known filters in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from oracle import journal as j
from oracle.history import Due, History, Life, silence
from oracle.violation import Violation

__all__ = ["failed", "lost", "order", "recovers", "twice"]


def lost(history: History) -> Iterator[Violation]:
    """Each event that was due was handled, or lies in a gap that was told."""
    handled = {record.n for record in history.handled}
    fate: dict[int, list[str]] = defaultdict(list)
    for record in history.server:
        if isinstance(record, j.Written):
            fate[record.n].append(f"{record.how} to connection {record.conn} at {record.at:.3f}")
        elif isinstance(record, j.Buffered):
            fate[record.n].append(f"buffered at {record.at:.3f}")
        elif isinstance(record, j.Dropped):
            fate[record.n].append(f"dropped ({record.why}) at {record.at:.3f}")
    vanished = _vanished(history)
    for n, event in history.made.items():
        due = history.due_at(event.at)
        if due is None or due.pending or event.topic not in due.topics or n in handled:
            continue
        if history.covered(event.at, event.topic) or _excused(history, n, event.at, due):
            continue
        if n not in fate and any(begin <= event.at <= end for begin, end in vanished):
            continue
        what = "; ".join(fate[n]) or "the server had no filter that matches"
        text = (
            f"event {n} of {event.at:.3f} ({history.server_time(event.at):.3f} of the server) on {event.topic} was due "
            f"to life {due.life}, was never handled and lies in no gap; {what}"
        )
        yield Violation("lost", event.at, text, (n,))


def _excused(history: History, n: int, at: float, due: Due) -> bool:
    """Say whether an event lay in what an ending life may leave unsaid, there being nobody to tell."""
    life = history.lives.get(due.life)
    if life is None:
        return False
    if not life.store and n > life.last_handled:
        # Killed without a store: nobody remembers. Closed: what was under way on a connection that was not known dead.
        return life.how == "kill" or _just_before_close(history, life, at)
    if life.revoked and n > life.last_handled:
        return _just_before_close(history, life, at)
    # Who revokes before having subscribed, on a connection, takes what an earlier life left with it.
    later = (other for other in history.lives.values() if other.number > due.life)
    return any(other.how == "revoke" and not (other.subscribed and other.connected) for other in later)


def _vanished(history: History) -> list[tuple[float, float]]:
    """Give the times in which the server had lost a subscription without a word and the client never asked for it."""
    times: list[tuple[float, float]] = []
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
                times.append((since, record.at))
            session = 0
    return [*times, (since, float("inf"))] if session else times


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


def twice(history: History) -> Iterator[Violation]:
    """Each event is handled once; again only when a kill lies between."""
    first: dict[int, j.Handled] = {}
    for record in history.handled:
        before = first.setdefault(record.n, record)
        if before is record:
            continue
        lives = range(before.life, record.life)
        if not any(history.lives[life].how == "kill" for life in lives):
            text = (
                f"event {record.n} was handled at {before.at:.3f} (life {before.life}, consumer {before.consumer}) and "
                f"again at {record.at:.3f} (life {record.life}, consumer {record.consumer})"
            )
            yield Violation("twice", record.at, text, (record.n,))


def order(history: History) -> Iterator[Violation]:
    """Each consumer gets events in the order in which the server wrote them; what was written twice fits both times."""
    first, final = dict[int, int](), dict[int, int]()
    for place, written in enumerate(record for record in history.server if isinstance(record, j.Written)):
        first.setdefault(written.n, place)
        final[written.n] = place
    last: dict[tuple[int, int], int] = {}
    for record in history.handled:
        key = (record.life, record.consumer)
        before = last.setdefault(key, record.n)
        if final[record.n] < first[before]:
            text = f"consumer {record.consumer} of life {record.life} got event {record.n} after {before}"
            yield Violation("order", record.at, text, (record.n, before))
        elif first[record.n] > first[before]:
            last[key] = record.n


def recovers(history: History) -> Iterator[Violation]:
    """After the last fault the client is ready again, with a subscription, within the time it was given."""
    if any(record.detail == "forbidden" for record in history.struck):
        return
    settled = history.settled
    if settled is None:
        yield Violation("recovers", history.calm_at, "the last life did not come to rest after the last fault")
    elif settled.state != "ready" or settled.subscription != "active":
        text = (
            f"{settled.at - history.calm_at:.0f} s after the last fault the extension is {settled.state} "
            f"({settled.reason}), its subscription {settled.subscription or 'none'}"
        )
        yield Violation("recovers", settled.at, text)


def failed(history: History) -> Iterator[Violation]:
    """The client ends FAILED only when login or wstoken was refused for good."""
    if any(record.detail == "forbidden" for record in history.struck):
        return
    for record in history.client:
        if isinstance(record, j.Told) and record.state == "failed":
            yield Violation("failed", record.at, f"life {record.life} is FAILED: {record.event} {record.detail}")
            return
