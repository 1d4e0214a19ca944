"""What the judges of the smaller oracles give, and what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oracle.lines import Escaped, Finished, Lagged, LeftOver, Line

# A bound is exceeded only by more than this, in seconds: the two processes share a machine.
MARGIN = 0.6


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: its kind, what happened, and when on the clock of the journals."""

    kind: str
    what: str
    at: float


class Lag:
    """How late the client's loop was, to stretch bounds by."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lags = [line for line in lines if isinstance(line, Lagged)]

    def within(self, start: float, end: float) -> float:
        """Sum up what the loop was late by between two moments."""
        return sum(lag.seconds for lag in self._lags if start <= lag.at and lag.at - lag.seconds <= end + MARGIN)

    def allows(self, start: float, end: float, bound: float) -> bool:
        """Tell whether something that lasted from start to end kept its bound."""
        return end - start <= bound + MARGIN + 2 * self.within(start, end)


def judge_program(lines: Sequence[Line]) -> list[Violation]:
    """Judge what the client's process left behind and let escape."""
    found: list[Violation] = []
    for line in lines:
        if isinstance(line, Escaped):
            found.append(Violation(f"escaped: {line.where}", line.error, line.at))
        elif isinstance(line, LeftOver):
            found.append(Violation("left over", f"life {line.life}: {'; '.join(line.what)}", line.at))
    if not any(isinstance(line, Finished) for line in lines):
        found.append(Violation("did not finish", "the client's process did not come to its end", lines[-1].at))
    return found


def report(found: Sequence[Violation], began: float, each: int = 3) -> list[str]:
    """Put violations into lines, a few of each kind."""
    counts = Counter(violation.kind for violation in found)
    lines: list[str] = []
    for kind, count in sorted(counts.items()):
        lines.append(f"  {kind}: {count}")
        some = [violation for violation in found if violation.kind == kind][:each]
        lines += [f"    at {violation.at - began:.3f}: {violation.what}" for violation in some]
    return lines
