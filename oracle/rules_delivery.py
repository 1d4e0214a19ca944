"""Rules of delivery: nothing lost without a word, nothing twice, all in order, and known filters in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from oracle import journal as j
from oracle.fates import LOST, fates
from oracle.history import History
from oracle.violation import Violation

__all__ = ["failed", "lost", "order", "recovers", "twice"]


def lost(history: History) -> Iterator[Violation]:
    """Each event that was due was handled, or lies in a gap that was told."""
    missed = [event for event, fate in fates(history) if fate == LOST]
    if not missed:
        return
    path: dict[int, list[str]] = defaultdict(list)
    for record in history.server:
        if isinstance(record, j.Written):
            path[record.n].append(f"{record.how} to connection {record.conn} at {record.at:.3f}")
        elif isinstance(record, j.Buffered):
            path[record.n].append(f"buffered at {record.at:.3f}")
        elif isinstance(record, j.Dropped):
            path[record.n].append(f"dropped ({record.why}) at {record.at:.3f}")
    for event in missed:
        due = history.due_at(event.at)
        text = (
            f"event {event.n} of {event.at:.3f} ({history.server_time(event.at):.3f} of the server) on {event.topic} "
            f"was due to life {due.life if due else 0}, was never handled and lies in no gap; "
            f"{'; '.join(path[event.n]) or 'the server had no filter that matches'}"
        )
        yield Violation("lost", event.at, text, (event.n,))


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
    """Each consumer gets events in the order in which the server wrote them; what was written twice fits both times.

    An iterator is a consumer of its own, whatever subscribe it goes under; what was left waiting comes last.
    """
    first, final = dict[int, int](), dict[int, int]()
    for place, written in enumerate(record for record in history.server if isinstance(record, j.Written)):
        first.setdefault(written.n, place)
        final[written.n] = place
    last: dict[tuple[int, int, int], int] = {}
    for record in (*history.handled, *history.unread):
        consumer = record.consumer if isinstance(record, j.Handled) and not record.iterator else 0
        key = (record.life, consumer, record.iterator)
        before = last.setdefault(key, record.n)
        if final[record.n] < first[before]:
            who = f"iterator {record.iterator}" if record.iterator else f"consumer {consumer}"
            text = f"{who} of life {record.life} got event {record.n} after {before}"
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
