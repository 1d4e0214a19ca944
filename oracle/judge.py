"""The judge: reads the two journals and gives a verdict. Pure; it knows what was promised, not how it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from oracle import journal as j
from oracle import rules_calls, rules_changes, rules_close, rules_delivery, rules_gaps, rules_hooks, rules_routing
from oracle.history import History
from oracle.violation import Violation

__all__ = ["RULES", "Verdict", "judge"]

Rule = Callable[[History], Iterator[Violation]]
RULES: dict[str, Rule] = {
    "lost": rules_delivery.lost,
    "twice": rules_delivery.twice,
    "order": rules_delivery.order,
    "in-force": rules_changes.in_force,
    "successor": rules_changes.successor,
    "consumer": rules_changes.consumer,
    "astray": rules_routing.astray,
    "recovers": rules_delivery.recovers,
    "failed": rules_delivery.failed,
    "call": rules_calls.calls,
    "no-cause": rules_gaps.no_cause,
    "bounds": rules_gaps.bounds,
    "endless": rules_gaps.endless,
    "uncertain": rules_gaps.uncertain,
    "overflow": rules_gaps.overflow,
    "damaged": rules_gaps.damaged,
    "again": rules_hooks.again,
    "close-late": rules_close.late,
    "orphan": rules_close.orphan,
    "after-close": rules_close.after,
    "escaped": rules_close.escaped,
}


@dataclass
class Verdict:
    """What was broken, and how much was seen."""

    violations: list[Violation] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def rules(self) -> list[str]:
        """The rules that were broken, each once."""
        return sorted({violation.rule for violation in self.violations})


def judge(
    server: Sequence[j.AnyRecord], client: Sequence[j.AnyRecord], *, rules: Sequence[str] = tuple(RULES)
) -> Verdict:
    """Judge one run.

    Args:
        server: the server's journal.
        client: that of all lives of the client.
        rules: those of `RULES` to judge by.
    """
    history = History(server, client)
    violations = [violation for rule in rules for violation in RULES[rule](history)]
    figures = {
        "made": len(history.made),
        "handled": len(history.handled),
        "gaps": len(history.gaps),
        "lives": len(history.lives),
        "faults": len(history.struck),
        "calls": sum(isinstance(record, j.CallEnded) for record in client),
        "changes": sum(isinstance(record, j.Changing) for record in client),
    }
    return Verdict(violations, figures)
