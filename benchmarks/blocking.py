"""The blocking client beside the async one: CPU and rate of calls, by WebSocket and by HTTP, and of notifications."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import BLOCKING, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Samples, Turn, alternate, once, sized

ASYNC = "rcex_ws asyncio"
WAYS = {"rest": "WebSocket", "https": "HTTP"}
KINDS = {"sync": "callback", "iterator": "iterator"}
#: Calls at a time: tasks of the async client, threads of the blocking one.
IN_FLIGHT = (1, 10)
#: At most so many times the async client's CPU. Two switches of threads cost what they cost.
GOALS = {"rest": 3.0, "https": 1.5}
#: Likewise for a notification, which is so cheap that the switches are nearly all of it.
GOAL_NOTIFICATION = 20.0


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=9, seconds=0.2)
    calls = [
        Turn(_call(way, number), name, name, way, {"in_flight": number, "seconds": options.seconds})
        for way in WAYS
        for number in IN_FLIGHT
        for name in (ASYNC, BLOCKING)
    ]
    notifications = [
        Turn(_notification(kind), name, name, "notifications", {"kind": kind, "size": 300, "in_flight": 0})
        for kind in KINDS
        for name in (ASYNC, BLOCKING)
    ]
    with field(ASYNC, BLOCKING) as run:
        once(run, calls)  # to warm up
        samples: Samples = alternate(run, calls, options.rounds)
        samples |= alternate(run, sized(run, notifications, options), options.rounds)
        report = Report("blocking", options, samples, run.absent)
    report.show(CPU, RATE, SERVER)
    for way in WAYS:
        for number in IN_FLIGHT:
            _compare(report, _call(way, number), GOALS[way])
    for kind in KINDS:
        _compare(report, _notification(kind), GOAL_NOTIFICATION)
    report.server_kept_up()
    report.finish()


def _compare(report: Report, case: str, goal: float) -> None:
    report.ratio(CPU, (case, BLOCKING), (case, ASYNC), at_most=goal)
    report.ratio(RATE, (case, BLOCKING), (case, ASYNC))


def _call(way: str, in_flight: int) -> str:
    return f"a call by {WAYS[way]}, {in_flight} in flight"


def _notification(kind: str) -> str:
    return f"a notification, by {KINDS[kind]}"


if __name__ == "__main__":
    main()
