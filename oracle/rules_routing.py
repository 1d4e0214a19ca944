"""The rule of routing: no consumer gets what its filters cannot have caused, whatever an event calls itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from oracle import journal as j
from oracle.history import History, topics_of
from oracle.violation import Violation

__all__ = ["astray"]


@dataclass
class _Consumer:
    """What a consumer asked for, and since when; `sure`: nothing else was asked for at the same time."""

    topics: frozenset[str]
    since: float = float("inf")
    sure: bool = True


@dataclass
class _Life:
    consumers: dict[int, _Consumer] = field(default_factory=dict)
    # What the server may also have been told: by changes that did not return, and by updates.
    also: set[str] = field(default_factory=set)
    open: dict[int, j.Changing] = field(default_factory=dict)


def astray(history: History) -> Iterator[Violation]:
    """What only the new filters caused never goes to the old consumer; what only the old caused, not for ever on."""
    lives: dict[int, _Life] = {}
    for record in history.client:
        if isinstance(record, j.Changing):
            _ask(lives.setdefault(record.life, _Life()), record)
        elif isinstance(record, j.Changed) and record.op:
            _answer(lives.setdefault(record.life, _Life()), record)
    for handled in history.handled:
        life = lives.get(handled.life, _Life())
        consumer, event = life.consumers.get(handled.consumer), history.made[handled.n]
        if consumer is None or not consumer.sure or event.at < consumer.since:
            continue
        if event.topic not in consumer.topics | life.also:
            text = (
                f"event {handled.n} of {event.at:.3f} on {event.topic} went to consumer {handled.consumer} of life "
                f"{handled.life}, whose filters did not cause it"
            )
            yield Violation("astray", handled.at, text, (handled.n,))


def _ask(life: _Life, record: j.Changing) -> None:
    if record.consumer:
        life.consumers[record.consumer] = _Consumer(topics_of(record.filters, []), sure=not life.open)
    if life.open:
        for other in life.open.values():
            if other.consumer:
                life.consumers[other.consumer].sure = False
    life.open[record.op] = record


def _answer(life: _Life, record: j.Changed) -> None:
    change = life.open.pop(record.op, None)
    if change is None:
        return
    if record.how != "returned" or not change.consumer:
        life.also |= topics_of(change.filters, [])
    if change.consumer and record.how == "returned":
        life.consumers[change.consumer].since = record.at
