"""The judge: pure, over the journals of all processes."""

from __future__ import annotations

from collections.abc import Sequence

from oracle.lines import Line
from oracle.rtm.history import History
from oracle.rtm.judge_events import judge_events
from oracle.rtm.judge_gaps import judge_gaps
from oracle.rtm.judge_processes import judge_processes
from oracle.verdict import Violation

__all__ = ["judge"]


def judge(lines: Sequence[Line]) -> list[Violation]:
    """Give what was broken, in the order of time."""
    history = History(lines)
    found = [*judge_events(history), *judge_gaps(history), *judge_processes(history)]
    return sorted(found, key=lambda violation: violation.at)
