"""Slack: events and messages per second, and the CPU of each; of RTMClient and of the callback client below Bot."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, RTM_API, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Turn, alternate, once, sized

CONTENDERS = (*(f"Slack {kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")), RTM_API)
SIZE = 300
EVENTS, FRAMES = f"events, {SIZE} B", f"frames, {SIZE} B"
IN_FLIGHT = (1, 100)
#: The ceiling's CPU is at least so many times ours, for events by store.
GOALS = {"no store": 1.0, "MemoryDataStore": 0.5}
#: The same for messages sent.
GOAL_SENT = 0.5


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=15, seconds=0.1)  # many short turns: other work on the machine hits few of them
    sends = [turn for number in IN_FLIGHT for turn in _sends(number, options.seconds)]
    with field(*CONTENDERS) as run:
        bursts = sized(run, [*_events(), *_frames()], options)
        once(run, sends)  # to warm up
        samples = alternate(run, [*bursts, *sends], options.rounds)
        report = Report("slack", options, samples, run.absent)
    report.show(RATE, CPU, SERVER)
    _compare(report)
    report.server_kept_up()
    report.finish()


def _events() -> list[Turn]:
    """Decode each event and give it to a sync handler."""
    options = {"size": SIZE}
    turns = [
        Turn(EVENTS, f"rcex_ws {loop}, {store}", f"Slack rcex_ws {loop}", "events", {**options, "store": store})
        for loop in LOOPS
        for store in GOALS
    ]
    turns += [Turn(EVENTS, f"ceiling {loop}", f"Slack ceiling {loop}", "events", options) for loop in LOOPS]
    return [*turns, Turn(EVENTS, RTM_API, RTM_API, "events", options)]


def _frames() -> list[Turn]:
    """Give each frame to a callback as a text."""
    return [
        Turn(FRAMES, f"{kind} {loop}", f"Slack {kind} {loop}", "frames", {"size": SIZE})
        for loop in LOOPS
        for kind in ("rcex_ws", "ceiling")
    ]


def _sends(in_flight: int, seconds: float) -> list[Turn]:
    """Send messages, each until it is acknowledged."""
    case, options = _case(in_flight), {"in_flight": in_flight, "seconds": seconds}
    turns = [
        Turn(case, f"{kind} {loop}", f"Slack {kind} {loop}", "send", options)
        for loop in LOOPS
        for kind in ("rcex_ws", "ceiling")
    ]
    return [*turns, Turn(case, RTM_API, RTM_API, "send", options)]


def _compare(report: Report) -> None:
    for loop in LOOPS:
        ours, ceiling = f"rcex_ws {loop}", f"ceiling {loop}"
        for store, goal in GOALS.items():
            report.ratio(CPU, (EVENTS, ceiling), (EVENTS, f"{ours}, {store}"), at_least=goal)
        report.ratio(CPU, (FRAMES, ceiling), (FRAMES, ours))
        for number in IN_FLIGHT:
            report.ratio(CPU, (_case(number), ceiling), (_case(number), ours), at_least=GOAL_SENT)
    for loop in ("asyncio", "uvloop"):
        for store in GOALS:
            report.ratio(RATE, (EVENTS, f"rcex_ws {loop}, {store}"), (EVENTS, RTM_API))
        for number in IN_FLIGHT:
            report.ratio(RATE, (_case(number), f"rcex_ws {loop}"), (_case(number), RTM_API))


def _case(in_flight: int) -> str:
    return f"sent, {in_flight} in flight"


if __name__ == "__main__":
    main()
