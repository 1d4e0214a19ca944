"""REST over the WebSocket against our own HTTPS path: httpx with keep-alive; both without TLS."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Turn, alternate, once

WAYS = {"rest": "WebSocket", "https": "HTTP"}
#: At least so many times the rate by HTTP.
GOALS = {1: None, 10: 3.0, 100: None}


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=3)
    turns = [
        Turn(
            _case(number), _label(loop, way), f"rcex_ws {loop}", way, {"in_flight": number, "seconds": options.seconds}
        )
        for number in GOALS
        for loop in LOOPS
        for way in WAYS
    ]
    with field(*(f"rcex_ws {loop}" for loop in LOOPS)) as run:
        once(run, turns)  # to warm up
        samples = alternate(run, turns, options.rounds)
        report = Report("rest_https", options, samples, run.absent)
    report.show(RATE, CPU, SERVER)
    for number, goal in GOALS.items():
        for loop in LOOPS:
            this, other = ((_case(number), _label(loop, way)) for way in WAYS)
            report.ratio(RATE, this, other, at_least=goal)
    report.server_kept_up()
    report.finish()


def _case(in_flight: int) -> str:
    return f"{in_flight} in flight"


def _label(loop: str, way: str) -> str:
    return f"rcex_ws {loop}, {WAYS[way]}"


if __name__ == "__main__":
    main()
