"""The rule of routing: no consumer gets what its filters cannot have caused, whatever an event calls itself.

A guess drops nothing: what no filter can be seen to match goes to the newest consumer. While a replacement is in flight
an event goes to the older one only if its filters alone can have caused it; that the newer ones certainly cannot have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oracle import journal as j
from oracle.history import History, topics_of
from oracle.topics import certainly_not
from oracle.violation import Violation

__all__ = ["astray"]

# What is under way when a change begins or ends may be routed either way, in seconds.
UNDER_WAY = 2.0


@dataclass
class _Consumer:
    """What a consumer asked for, when, and since when it had it; `sure`: nothing else was asked for at that time."""

    number: int
    filters: Sequence[str]
    topics: frozenset[str]
    asked: float
    before: _Consumer | None
    since: float = float("inf")
    sure: bool = True
    followed: float = float("inf")


@dataclass
class _Life:
    consumers: dict[int, _Consumer] = field(default_factory=dict[int, _Consumer])
    # What the server may also have been told: by changes that did not return, and by updates.
    also: set[str] = field(default_factory=set[str])
    open: dict[int, j.Changing] = field(default_factory=dict[int, j.Changing])
    # The only one that has a subscription for certain.
    standing: _Consumer | None = None


def astray(history: History) -> Iterator[Violation]:
    """What only the new filters caused never goes to the old consumer; what only the old can have, not to the new."""
    lives: dict[int, _Life] = {}
    for record in history.client:
        if isinstance(record, j.Changing):
            _ask(lives.setdefault(record.life, _Life()), record)
        elif isinstance(record, j.Changed) and record.op:
            _answer(lives.setdefault(record.life, _Life()), record)
    written: dict[int, float] = {}
    for record in history.server:
        if isinstance(record, j.Written):
            written.setdefault(record.n, record.at)
    for handled in history.handled:
        life = lives.get(handled.life, _Life())
        consumer, event = life.consumers.get(history.consumer_of(handled)), history.made[handled.n]
        if consumer is None or not consumer.sure or handled.n not in written:
            continue
        what = ""
        if event.at >= consumer.since and event.topic not in consumer.topics | life.also:
            if written[handled.n] > consumer.followed + UNDER_WAY:
                what = "whose filters did not cause it, although there was a newer one"
        elif _for_the_older(consumer, life, written[handled.n], event.topic):
            what = "whose filters certainly did not cause it, although the one before it alone had asked for it"
        if what:
            text = (
                f"event {handled.n} of {event.at:.3f} on {event.topic} went to consumer {consumer.number} of life "
                f"{handled.life}, {what}"
            )
            yield Violation("astray", handled.at, text, (handled.n,))


def _for_the_older(consumer: _Consumer, life: _Life, written: float, topic: str) -> bool:
    """Say whether what came while a consumer replaced another one was for that one alone."""
    before = consumer.before
    if before is None or not before.sure or not consumer.asked + UNDER_WAY < written < consumer.since - UNDER_WAY:
        return False
    if consumer.since == float("inf") or not all(certainly_not(one, topic) for one in consumer.filters):
        return False
    return topic in before.topics and topic not in life.also


def _ask(life: _Life, record: j.Changing) -> None:
    if record.consumer:
        before = life.standing if not life.open else None
        made = _Consumer(record.consumer, record.filters, topics_of(record.filters, []), record.at, before)
        made.sure = not life.open
        life.consumers[record.consumer] = made
        for other in life.consumers.values():
            if other is not made:
                other.followed = min(other.followed, record.at)
    elif record.what in {"revoke", "connect"}:
        life.standing = None
    if life.open:
        for one in life.open.values():
            if one.consumer:
                life.consumers[one.consumer].sure = False
    life.open[record.op] = record


def _answer(life: _Life, record: j.Changed) -> None:
    change = life.open.pop(record.op, None)
    if change is None:
        return
    if record.how != "returned" or not change.consumer:
        life.also |= topics_of(change.filters, [])
    if change.consumer and record.how == "returned":
        made = life.consumers[change.consumer]
        made.since = record.at
        life.standing = made if made.sure else None
