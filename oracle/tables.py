"""What many runs met, in tables: faults by kind, events by fate, gaps by reason and by length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from oracle.bounds import measure
from oracle.fates import fates
from oracle.history import History
from oracle.violation import Violation

__all__ = ["Tally", "take"]

#: So many of the worst seeds are named.
_WORST = 5
_PATH = re.compile(r"(?<!\w)/\w[^\s,;)]*")
# Codes such as WSG-1005 say something, all other numbers differ from run to run.
_NUMBER = re.compile(r"(?<![A-Z]-)(?<!\d)\d[\d.]*")


@dataclass
class GapTally:
    """The gaps of one reason.

    Attributes:
        lengths: in seconds, of those whose begin was told.
        endless: how many had none.
        over: the most seconds by which one begins before the last proof less the margin; None where none was measured.
        seed: of that one.
    """

    lengths: list[float] = field(default_factory=list[float])
    endless: int = 0
    over: float | None = None
    seed: int = 0


@dataclass
class Tally:
    """What some runs met; two can be added.

    Attributes:
        runs: how many.
        hours: they lasted, in virtual or real time, the calm at the end left out.
        faults: by kind.
        fates: of events.
        gaps: by reason, and whether they were certain.
        broken: violations by seed.
        counts: whatever else was counted.
    """

    runs: int = 0
    hours: float = 0.0
    faults: Counter[str] = field(default_factory=Counter[str])
    fates: Counter[str] = field(default_factory=Counter[str])
    gaps: dict[tuple[str, bool], GapTally] = field(default_factory=dict[tuple[str, bool], GapTally])
    broken: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    counts: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: Tally) -> None:
        """Add another one."""
        self.runs += other.runs
        self.hours += other.hours
        self.faults += other.faults
        self.fates += other.fates
        self.counts += other.counts
        self.broken |= other.broken
        for key, theirs in other.gaps.items():
            ours = self.gaps.setdefault(key, GapTally())
            ours.lengths += theirs.lengths
            ours.endless += theirs.endless
            if theirs.over is not None and (ours.over is None or theirs.over > ours.over):
                ours.over, ours.seed = theirs.over, theirs.seed

    def lines(self) -> Iterator[str]:
        """Write the tables."""
        seen = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        yield f"{self.runs} runs, {self.hours:.2f} hours; {seen}"
        yield from _columns("faults by kind", self.faults)
        yield from _columns("events by fate", self.fates)
        yield f"gaps by reason, in seconds; {sum(map(_number, self.gaps.values()))} in all"
        yield "   number            median   longest  over the bound  seed"
        for (reason, certain), gaps in sorted(self.gaps.items(), key=lambda item: -_number(item[1])):
            kind = "certain" if certain else "possible"
            yield f"  {_number(gaps):7} {kind:8} {_of(gaps)} {reason}"
        yield "seeds by violations"
        worst = sorted(self.broken.items(), key=lambda item: -item[1].total())
        for name, rules in worst[:_WORST]:
            yield f"  {name}: {', '.join(f'{number} {rule}' for rule, number in rules.most_common())}"
        if len(worst) > _WORST:
            yield f"  and {len(worst) - _WORST} more"
        if not worst:
            yield "  none was broken"


def take(
    history: History, seed: int, name: str, hours: float, violations: Iterable[Violation], counts: Counter[str]
) -> Tally:
    """Tally one run.

    Args:
        history: of it.
        seed: of it.
        name: for people.
        hours: it lasted, the calm left out.
        violations: that were found.
        counts: whatever else was counted.
    """
    tally = Tally(1, hours, Counter(record.kind for record in history.struck), counts=counts)
    tally.fates = Counter(fate for _, fate in fates(history))
    for measured in measure(history):
        gap = measured.gap
        gaps = tally.gaps.setdefault((generalise(gap.reason), gap.certain), GapTally(seed=seed))
        if gap.since is None:
            gaps.endless += 1
        else:
            gaps.lengths.append(gap.until - gap.since)
        if measured.over is not None and (gaps.over is None or measured.over > gaps.over):
            gaps.over = measured.over
    if rules := Counter(violation.rule for violation in violations):
        tally.broken[name] = rules
    return tally


def generalise(reason: str) -> str:
    """Leave out of a reason what differs from run to run: numbers, and the filters that it names."""
    reason = _PATH.sub("PATH", reason)
    reason = re.sub(r"PATH(, PATH)+", "PATHS", reason)
    return _NUMBER.sub("N", reason)


def _number(gaps: GapTally) -> int:
    return len(gaps.lengths) + gaps.endless


def _of(gaps: GapTally) -> str:
    lengths: Sequence[float] = gaps.lengths
    middle, longest = (f"{median(lengths):9.1f}", f"{max(lengths):9.1f}") if lengths else ("        -", "        -")
    if gaps.endless:
        longest = "     None"
    over = "              -      " if gaps.over is None else f"{gaps.over:+15.1f} {gaps.seed:5}"
    return f"{middle} {longest} {over}"


def _columns(title: str, counts: Counter[str]) -> Iterator[str]:
    yield title
    cells = [f"{number:8} {what}" for what, number in counts.most_common()]
    for index in range(0, len(cells), 4):
        yield "".join(f"{cell:28}" for cell in cells[index : index + 4]).rstrip()
    if not cells:
        yield "       0"
