"""The verdict on one soak, in some ten lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from oracle import journal as j

__all__ = ["count", "join", "tell"]

#: Of one kind of violation so many are told; the rest are only counted.
_TOLD = 3


def join(counts: Counter[str]) -> str:
    """Write counts, the largest first."""
    return ", ".join(f"{number} {what}" for what, number in counts.most_common()) or "none"


def count(server: Iterable[j.AnyRecord], client: Iterable[j.AnyRecord]) -> list[str]:
    """Count what happened: a run that met nothing proves nothing."""
    server, client = list(server), list(client)
    made = [record for record in server if isinstance(record, j.Made)]
    due = {record.n for record in server if isinstance(record, j.Written | j.Buffered)}
    handled = Counter(record.n for record in client if isinstance(record, j.Handled))
    gaps = [record for record in client if isinstance(record, j.GapTold) and record.how == "event"]
    calls = Counter(record.how for record in client if isinstance(record, j.CallEnded))
    posts = sum(isinstance(record, j.CallBegan) and record.method == "POST" for record in client)
    changes = Counter(record.what for record in client if isinstance(record, j.Changing))
    recoveries = Counter(
        record.recovery + (f" {record.code}" if record.code else "")
        for record in server
        if isinstance(record, j.ConnOpened) and record.recovery
    )
    faults = Counter(record.kind for record in server if isinstance(record, j.Struck))
    return [
        f"events   {len(made)} made, {len(due)} due, {len(handled)} handled, "
        f"{handled.total() - len(handled)} more than once",
        f"gaps     {sum(gap.certain for gap in gaps)} certain, {sum(not gap.certain for gap in gaps)} possible",
        f"calls    {join(calls)}; {posts} of them POSTs; changes: {join(changes)}",
        f"recovery {join(recoveries)}",
        f"faults   {join(faults)}",
    ]


def tell(name: str, seconds: float, counts: Sequence[str], violations: Sequence[tuple[str, str]], folder: Path) -> str:
    """Write the verdict.

    Args:
        name: of the soak: its seed, loop and faults.
        seconds: it took.
        counts: lines of `count` and of who else counts.
        violations: kind and explanation of each.
        folder: where the journals are.
    """
    lines = [f"{'FAIL' if violations else 'PASS'}  {name}, {seconds:.0f} s", *(f"  {line}" for line in counts)]
    for kind, number in Counter(kind for kind, _ in violations).items():
        lines.append(f"  BROKEN: {kind}, {number} times")
        lines += [f"    {text}" for text in [text for its_kind, text in violations if its_kind == kind][:_TOLD]]
        if number > _TOLD:
            lines.append("    ...")
    lines.append(f"  journals in {folder}")
    return "\n".join(lines)
