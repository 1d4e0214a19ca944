"""One fixed life of a day and a half, in virtual time: what lasts for hours is met, and what comes every hour.

    python -m oracle.day

For a day and an hour nothing fails: the application is idle for hours, notifications come now and then, the login is
refreshed each hour, and after 24 hours the server ends the connection, as it does with each (`absoluteTimeout`). Then
comes half a day in which the connection is lost every hour, each time in another way. The exit status is 1 when a rule
was broken, or when it was not such a day.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from oracle.simulation import simulate  # isort: skip - before anything reads a clock
from oracle import journal as j
from oracle.faults import Plan
from oracle.history import History
from oracle.judge import judge
from oracle.tables import take
from oracle.violation import Violation

__all__ = ["SEED", "Day", "missing"]

SEED = 4
HOUR = 3600.0
QUIET_HOURS = 25
ROUGH_HOURS = 12
# In this order, one each hour.
LOSSES = ("rst", "close", "freeze", "fin", "error", "freeze-out")


@dataclass
class Day(Plan):
    """The faults of that day: nothing for `QUIET_HOURS`, then a loss each hour."""

    seed: int = SEED
    kinds: frozenset[str] = frozenset(LOSSES)
    density: float = 0.02
    _struck: Counter[str] = field(init=False, default_factory=Counter[str])

    def until_next(self, kind: str) -> float | None:
        """Give the seconds until a kind strikes next, from when it struck last."""
        if kind not in LOSSES:
            return None
        times, self._struck[kind] = self._struck[kind], self._struck[kind] + 1
        return HOUR * (len(LOSSES) if times else QUIET_HOURS + LOSSES.index(kind))


def missing(server: Sequence[j.AnyRecord], client: Sequence[j.AnyRecord]) -> Iterator[str]:
    """Say what a day should have had and did not."""
    refreshed = sum(isinstance(record, j.Heard) and record.what == "POST /restapi/oauth/token" for record in server)
    if refreshed < QUIET_HOURS + ROUGH_HOURS - 2:
        yield f"only {refreshed} logins and refreshes"
    old = [record.at for record in server if isinstance(record, j.ConnEnded) and record.how == "WSG-903"]
    if not old or old[0] > QUIET_HOURS * HOUR:
        yield "no connection that became too old"
    losses = sum(isinstance(record, j.Struck) and record.kind in LOSSES for record in server)
    if losses < ROUGH_HOURS - 1:
        yield f"only {losses} losses"
    handled = [record.at for record in client if isinstance(record, j.Handled)]
    idle = max(after - before for before, after in pairwise([0.0, *handled, server[-1].at]))
    if len(handled) < 50 or idle < 2 * HOUR:
        yield f"{len(handled)} notifications, {idle / HOUR:.1f} idle hours at most"
    if sum(isinstance(record, j.LifeBegan) for record in client) != 1:
        yield "more than one life"


def main() -> int:
    """Live through it, and print what was met."""
    logging.disable(logging.CRITICAL)
    plan = Day()
    hours = float(QUIET_HOURS + ROUGH_HOURS)
    run = simulate(plan.seed, hours, plan.kinds, plan=plan)
    verdict = judge(run.server, run.client)
    violations = [*verdict.violations, *(Violation("day", 0.0, text) for text in missing(run.server, run.client))]
    history = History(run.server, run.client)
    for line in take(history, plan.seed, "the day", hours, violations, Counter(verdict.figures)).lines():
        print(line)
    for violation in violations:
        print(f"BROKEN {violation.rule} at {violation.at:.3f}: {violation.text}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
