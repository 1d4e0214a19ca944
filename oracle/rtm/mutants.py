"""Spoil the journals of a good run, one promise at a time: a judge that is silent about that is no judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from oracle.lines import Finished, Line
from oracle.rtm import records as r
from oracle.rtm.history import History
from oracle.rtm.judge import judge
from oracle.rtm.judge_events import failed_unheard, missing
from oracle.verdict import Violation

__all__ = ["MUTANTS", "survivors"]


@dataclass(frozen=True)
class Mutant:
    """One way to spoil.

    Attributes:
        name: for people.
        rule: what the judge has to find.
        spoil: gives the spoilt journals; None if this run has nothing to spoil in this way.
    """

    name: str
    rule: str
    spoil: Callable[[list[Line], History], list[Line] | None]


def survivors(lines: Sequence[Line]) -> list[Violation]:
    """Spoil the journals in all ways, and give those that the judge has not found."""
    found: list[Violation] = []
    history = History(lines)
    for mutant in MUTANTS:
        spoilt = mutant.spoil(list(lines), history)
        if spoilt is not None and mutant.rule not in {violation.kind for violation in judge(spoilt)}:
            found.append(Violation("mutant", mutant.name, history.end))
    return found


def _heard(history: History, *, how: str = "wait", calm: bool = False) -> Iterator[r.Heard]:
    """Give what was heard of one kind of events, outside the time of the last round, or within it."""
    for line in history.lines:
        if isinstance(line, r.Heard) and (event := history.events.get((line.stream, line.n))):
            late = history.last_round is not None and event.called > history.last_round
            if event.how == how and late == calm and event.acknowledged:
                yield line


def _middle(lines: Iterator[r.Heard]) -> r.Heard | None:
    found = list(lines)
    return found[len(found) // 2] if found else None


def _was_due(history: History, line: r.Heard) -> bool:
    """Tell whether an event was given away when the connection had been made, so that it must come."""
    opened = history.connections[line.conn].opened
    return bool(opened) and opened[0] < history.events[line.stream, line.n].called


def _outside_gaps(history: History, lines: Iterator[r.Heard]) -> Iterator[r.Heard]:
    for line in lines:
        event = history.events[line.stream, line.n]
        end = event.called + 4.0
        if not any(gap.since < end and event.called < gap.until + 1.0 for gap in history.connections[line.conn].gaps):
            yield line


def _drop(how: str, *, calm: bool = False) -> Callable[[list[Line], History], list[Line] | None]:
    def spoil(lines: list[Line], history: History) -> list[Line] | None:
        staying = {
            one.name for one in history.connections.values() if (one.ending or 0.0) > (history.last_round or 0.0)
        }
        heard = (line for line in _heard(history, how=how, calm=calm) if _was_due(history, line))
        candidates = _outside_gaps(history, heard)
        lost = _middle(
            line
            for line in candidates
            # What nobody has heard may have failed without a word for anybody.
            if line.conn in staying and (how != "no-wait" or len(history.events[line.stream, line.n].heard) > 1)
        )
        return None if lost is None else [line for line in lines if line is not lost]

    return spoil


def _twice(lines: list[Line], history: History) -> list[Line] | None:
    line = _middle(_heard(history))
    return None if line is None else [*lines, msgspec.structs.replace(line, at=line.at + 0.2)]


def _swap(lines: list[Line], history: History) -> list[Line] | None:
    """Have an event come before the one that its stream has for this connection before it."""
    before: dict[tuple[str, str], r.Heard] = {}
    for line in _heard(history):
        earlier = before.get((line.conn, line.stream))
        if earlier is not None and history.events[line.stream, line.n].in_order:
            return [
                msgspec.structs.replace(one, at=line.at)
                if one is earlier
                else msgspec.structs.replace(one, at=earlier.at)
                if one is line
                else one
                for one in lines
            ]
        before[line.conn, line.stream] = line
    return None


def _misroute(lines: list[Line], history: History) -> list[Line] | None:
    line = _middle(_heard(history))
    if line is None:
        return None
    user = history.connections[line.conn].user
    other = next((one.name for one in history.connections.values() if one.user != user), None)
    return None if other is None else [*lines, msgspec.structs.replace(line, conn=other)]


def _invent(lines: list[Line], history: History) -> list[Line] | None:
    line = _middle(_heard(history))
    return None if line is None else [*lines, msgspec.structs.replace(line, n=10**9)]


def _hush(lines: list[Line], history: History) -> list[Line] | None:
    """Take away the gaps of a connection that has missed something."""
    failed = failed_unheard(history)
    for connection in history.connections.values():
        if any(event.how != "no-wait" or event.heard for event, _ in missing(history, connection, failed)):
            return [line for line in lines if not (isinstance(line, r.Gapped) and line.conn == connection.name)]
    return None


def _gap_from_nothing(lines: list[Line], history: History) -> list[Line] | None:
    at = history.last_round
    name = next((one.name for one in history.connections.values() if one.ending and at and one.ending > at), None)
    if at is None or name is None:
        return None
    faults = history.struck(at - 20.0, at)
    if faults or history.lag(at - 1.0, at + 1.0) >= 1.0:
        return None
    gap = r.Gapped(at=at + 1.0, conn=name, since=at, until=at + 1.0, certain=False, published=True, reason="mutant")
    return [*lines, gap]


def _certain_from_nothing(lines: list[Line], history: History) -> list[Line] | None:
    at = history.last_round
    name = next((one.name for one in history.connections.values() if one.ending and at and one.ending > at), None)
    if at is None or name is None:
        return None
    if any(event.error or event.settled is None for event in history.events.values() if event.called > at - 12.0):
        return None  # whether these were published nobody knows
    gap = r.Gapped(at=at - 0.1, conn=name, since=at - 0.2, until=at - 0.1, certain=True, published=True, reason="")
    return [*lines, gap]


def _forget_an_answer(lines: list[Line], history: History) -> list[Line] | None:
    line = next((one for one in lines if isinstance(one, r.Published) and one.at > (history.last_round or 0)), None)
    return None if line is None else [one for one in lines if one is not line]


def _absent(lines: list[Line], history: History) -> list[Line] | None:
    last = history.last_round or history.end
    return [
        msgspec.structs.replace(line, counts={}) if isinstance(line, r.Present) and line.at > last else line
        for line in lines
    ]


def _log(lines: list[Line], history: History) -> list[Line] | None:
    return [*lines, r.Logged(who="clients", level="ERROR", text="mutant", at=history.end)]


def _die(lines: list[Line], history: History) -> list[Line] | None:
    return [*lines, r.Died(who="A99", code=-11, at=history.end)]


def _never_finish(lines: list[Line], _history: History) -> list[Line] | None:
    last = next(line for line in reversed(lines) if isinstance(line, Finished))
    return [line for line in lines if line is not last]


MUTANTS = (
    Mutant("drop an event that was waited for", "lost", _drop("wait")),
    Mutant("drop an event that was not waited for", "lost", _drop("no-wait")),
    Mutant("drop an event of a client", "lost", _drop("client")),
    Mutant("drop an emitted event", "lost", _drop("emit")),
    Mutant("drop an event of the last round", "last round", _drop("wait", calm=True)),
    Mutant("deliver an event twice", "twice", _twice),
    Mutant("deliver two events in the other order", "order", _swap),
    Mutant("deliver an event to another user", "astray", _misroute),
    Mutant("deliver an event that nobody has published", "invented", _invent),
    Mutant("do not tell the gaps", "lost", _hush),
    Mutant("tell a gap without a cause", "no cause", _gap_from_nothing),
    Mutant("tell a certain gap in which nothing is missing", "untrue", _certain_from_nothing),
    Mutant("let a publish never come back", "never settled", _forget_an_answer),
    Mutant("have presence say that nobody is there", "presence", _absent),
    Mutant("log an error", "logged", _log),
    Mutant("let a process die", "process", _die),
    Mutant("let a process not come to its end", "process", _never_finish),
)
