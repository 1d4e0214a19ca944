"""Judge the events of the team: once, in order, and without holes, connection by connection."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from oracle.lines import Line
from oracle.slack.records import Closing, Gone, Greeted, Happened, Heard, Pushed, Struck
from oracle.verdict import Violation


@dataclass
class _Life:
    """What one life was sent and what it heard."""

    number: int
    heard: list[Heard] = field(default_factory=list)
    closes: list[Happened] = field(default_factory=list)
    carriers: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))


def judge_events(server: Sequence[Line], bot: Sequence[Line]) -> list[Violation]:
    """Give what was broken."""
    lives: dict[int, _Life] = {}
    pushed: dict[int, list[Pushed]] = defaultdict(list)
    for line in server:
        if isinstance(line, Pushed):
            lives.setdefault(line.life, _Life(line.life)).carriers[line.n].add(line.conn)
            pushed[line.conn].append(line)
    for line in bot:
        if isinstance(line, Heard):
            lives.setdefault(line.life, _Life(line.life)).heard.append(line)
        elif isinstance(line, Happened) and line.event == "ws_close" and line.life in lives:
            lives[line.life].closes.append(line)
    found: list[Violation] = []
    for life in lives.values():
        found += _judge_once(life)
        found += _judge_holes(life)
        found += _judge_closes(life, server, pushed)
        found += _judge_takeovers(life, server, pushed)
    return found


def _judge_once(life: _Life) -> Iterable[Violation]:
    """Judge that each event comes once, none is invented, and none overtakes another of its connection."""
    before: dict[int, Heard] = {}
    highest = 0
    for line in life.heard:
        name = f"life {life.number}: event {line.n}"
        carriers = life.carriers.get(line.n)
        if line.n in before:
            yield Violation("delivered twice", name, line.at)
        elif not carriers:
            yield Violation("delivered to another life", name, line.at)
        elif line.n < highest:
            for n in before:
                # Whichever connection brought the later event had brought this one before it.
                if n > line.n and life.carriers[n] <= carriers:
                    yield Violation("delivered out of order", f"{name} after {n}", line.at)
                    break
        before[line.n] = line
        highest = max(highest, line.n)


def _judge_holes(life: _Life) -> Iterable[Violation]:
    """Judge that nothing is left out: before what a connection brought, it brought all that was written to it."""
    heard = {line.n for line in life.heard}
    last: dict[frozenset[int], int] = {}
    for n in heard & life.carriers.keys():
        ways = frozenset(life.carriers[n])
        last[ways] = max(last.get(ways, 0), n)
    for n in sorted(life.carriers.keys() - heard):
        for ways, m in last.items():
            if m > n and ways <= life.carriers[n]:
                at = next(line.at for line in life.heard if line.n == m)
                yield Violation("an event is missing", f"life {life.number}: event {n} of c{min(ways)}, {m} came", at)
                break


def _judge_closes(life: _Life, server: Sequence[Line], pushed: dict[int, list[Pushed]]) -> Iterable[Violation]:
    """Judge that what was written before a close frame that the client has read was delivered before it."""
    closing = {f"{line.code} c{line.conn}": line for line in server if isinstance(line, Closing)}
    for close in life.closes:
        frame = closing.get(close.what)
        if frame is None:
            continue
        heard = {line.n for line in life.heard if line.at <= close.at}
        missing = [line.n for line in pushed[frame.conn] if line.at <= frame.at and line.n not in heard]
        if missing:
            what = f"life {life.number}: events {missing[:5]} of c{frame.conn} before its close frame"
            yield Violation("an event is missing", what, close.at)


def _judge_takeovers(life: _Life, server: Sequence[Line], pushed: dict[int, list[Pushed]]) -> Iterable[Violation]:
    """Judge that a healthy connection hands over to a healthy one without a gap."""
    greeted = [line for line in server if isinstance(line, Greeted) and line.life == life.number]
    gone = {line.conn: line for line in server if isinstance(line, Gone)}
    harmed = {line.conn for line in server if isinstance(line, Struck) and line.fault not in {"goodbye", "garbage"}}
    heard = {line.n: line for line in life.heard}
    for old, new in itertools.pairwise(greeted):
        end = gone.get(old.conn)
        if end is None or end.how != "closed" or end.at < new.at or {old.conn, new.conn} & harmed:
            continue
        later = [line.n for line in pushed[new.conn] if line.n in heard]
        missing = [line.n for line in pushed[old.conn] if line.at < new.at and line.n not in heard]
        if missing and later and max(later) > min(missing):
            what = f"life {life.number}: events {missing[:5]} of c{old.conn}, which c{new.conn} took over from"
            yield Violation("a gap at a takeover", what, new.at)
