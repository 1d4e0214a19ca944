"""Rules of calls: how often each was done, against what its caller was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from oracle import journal as j
from oracle.history import History
from oracle.violation import Violation

__all__ = ["calls"]


def calls(history: History) -> Iterator[Violation]:
    """A POST is never done twice; once if it returned; not at all if it was told as never sent."""
    done = Counter(record.call for record in history.server if isinstance(record, j.Done))
    ended = {record.call: record for record in history.client if isinstance(record, j.CallEnded)}
    killed = {life.number for life in history.lives.values() if life.how == "kill"}
    for began in history.client:
        if not isinstance(began, j.CallBegan):
            continue
        times, end = done[began.call], ended.get(began.call)
        name = f"{began.method} {began.call} by {began.way}"
        if end is None:
            if began.life not in killed:
                yield Violation("call", began.at, f"{name} never came back", call=began.call)
        elif began.method == "POST" and times > 1:
            yield Violation("call", end.at, f"{name} was done {times} times; it {_ending(end)}", call=began.call)
        elif end.how == "returned" and times == 0:
            yield Violation("call", end.at, f"{name} returned and was never done", call=began.call)
        elif end.sent is False and times:
            yield Violation("call", end.at, f"{name} was told as never sent and was done", call=began.call)


def _ending(end: j.CallEnded) -> str:
    via = f" by {end.via}" if end.via else ""
    return f"{end.how}{via}{' ' + end.error if end.error else ''}"
