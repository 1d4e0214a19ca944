"""The verdict on one soak, in some ten lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from oracle import journal as j
from oracle.fates import fates
from oracle.history import History
from oracle.violation import Violation

__all__ = ["count", "join", "tell"]

#: Of one rule so many are told; the rest are only counted.
_TOLD = 3


def join(counts: Counter[str]) -> str:
    """Write counts, the largest first."""
    return ", ".join(f"{number} {what}" for what, number in counts.most_common()) or "none"


def count(history: History) -> list[str]:
    """Count what happened: a run that met nothing proves nothing."""
    client, server = history.client, history.server
    calls = Counter(record.how for record in client if isinstance(record, j.CallEnded))
    posts = sum(isinstance(record, j.CallBegan) and record.method == "POST" for record in client)
    changes = Counter(record.what for record in client if isinstance(record, j.Changing))
    recoveries = Counter(
        record.recovery + (f" {record.code}" if record.code else "")
        for record in server
        if isinstance(record, j.ConnOpened) and record.recovery
    )
    certain = sum(gap.certain for gap in history.gaps)
    return [
        _count_events(history),
        f"gaps     {certain} certain, {len(history.gaps) - certain} possible",
        f"calls    {join(calls)}; {posts} of them POSTs; changes: {join(changes)}",
        f"recovery {join(recoveries)}",
        f"faults   {join(Counter(record.kind for record in history.struck))}",
    ]


def _count_events(history: History) -> str:
    handled = Counter(record.n for record in history.handled)
    kinds = Counter(fate for _, fate in fates(history))
    return f"events   {len(history.made)} made: {join(kinds)}; {handled.total() - len(handled)} again after a kill"


def tell(name: str, seconds: float, counts: Sequence[str], violations: Sequence[Violation], folder: Path) -> str:
    """Write the verdict.

    Args:
        name: of the soak: its seed, loop and faults.
        seconds: it took.
        counts: lines of `count` and of who else counts.
        violations: that were found.
        folder: where the journals are.
    """
    lines = [f"{'FAIL' if violations else 'PASS'}  {name}, {seconds:.0f} s", *(f"  {line}" for line in counts)]
    for rule, number in Counter(violation.rule for violation in violations).items():
        lines.append(f"  BROKEN: {rule}, {number} times")
        lines += [f"    {text}" for text in [one.text for one in violations if one.rule == rule][:_TOLD]]
        if number > _TOLD:
            lines.append("    ...")
    lines.append(f"  journals in {folder}")
    return "\n".join(lines)
