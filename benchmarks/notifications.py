"""Notifications: how many per second, and at which CPU each; by callback and by iterator, with requests in flight."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, NPM, SDK, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Turn, alternate, sized

KINDS = {"sync": "sync callback", "async": "async callback", "iterator": "iterator"}
CONTENDERS = (*(f"{kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")), NPM, SDK)
SIZES = (300, 3000)
IN_FLIGHT = (0, 100)
#: At least so many times the npm client's rate, by the number of requests in flight.
GOALS_NPM = {0: 1.3, 100: 10.0}
#: The ceiling's CPU in ours: for a sync callback that takes 300 bytes, and for all else.
GOALS = {"asyncio": 1.3, "uvloop": 1.25, "trio": 2.0}
GOAL_ELSEWHERE = 0.8


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=15, seconds=0.1)
    turns = [turn for size in SIZES for in_flight in IN_FLIGHT for turn in _turns(size, in_flight)]
    with field(*CONTENDERS) as run:
        samples = alternate(run, sized(run, turns, options), options.rounds)
        report = Report("notifications", options, samples, run.absent)
    report.show(RATE, CPU, SERVER)
    for size in SIZES:
        for in_flight in IN_FLIGHT:
            goals = GOALS if (size, in_flight) == (SIZES[0], 0) else {}
            _compare(report, _case(size, in_flight), goals, GOALS_NPM[in_flight])
    report.server_kept_up()
    report.finish()


def _turns(size: int, in_flight: int) -> list[Turn]:
    case, options = _case(size, in_flight), {"size": size, "in_flight": in_flight}
    turns: list[Turn] = []
    for loop in LOOPS:
        turns += [
            Turn(case, _ours(loop, kind), f"rcex_ws {loop}", "notifications", {**options, "kind": kind})
            for kind in KINDS
        ]
        name = f"ceiling {loop}"  # a sync function called by the reader is the ceiling for every kind
        turns.append(Turn(case, name, name, "notifications", {**options, "kind": "sync"}))
    turns.append(Turn(case, NPM, NPM, "notifications", options))
    if not in_flight:  # that SDK sends no requests over its WebSocket
        turns.append(Turn(case, SDK, SDK, "notifications", options))
    return turns


def _compare(report: Report, case: str, goals: dict[str, float], goal_npm: float) -> None:
    for loop in LOOPS:
        for kind in KINDS:
            goal = goals.get(loop, GOAL_ELSEWHERE) if kind == "sync" else GOAL_ELSEWHERE
            report.ratio(CPU, (case, f"ceiling {loop}"), (case, _ours(loop, kind)), at_least=goal)
    for loop in ("asyncio", "uvloop"):
        for other in (NPM, SDK):
            goal = goal_npm if other == NPM else None
            report.ratio(RATE, (case, _ours(loop, "sync")), (case, other), at_least=goal)


def _case(size: int, in_flight: int) -> str:
    return f"{size} B, {in_flight} in flight"


def _ours(loop: str, kind: str) -> str:
    return f"rcex_ws {loop}, {KINDS[kind]}"


if __name__ == "__main__":
    main()
