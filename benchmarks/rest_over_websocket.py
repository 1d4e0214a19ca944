"""REST over the WebSocket: calls per second with 1, 10, 100 and 1000 in flight; the server's limit is lifted."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, NPM, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Turn, alternate, once

CONTENDERS = (*(f"{kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")), NPM)
IN_FLIGHT = (1, 10, 100, 1000)
#: At least so many times the npm client's rate.
GOALS_NPM = {1: 1.1, 10: 1.0, 100: 3.0}
#: The ceiling's CPU in ours, by loop and number in flight. Rates say little on a machine that does other things, too.
GOALS = {
    (loop, number): goal for loop in ("asyncio", "uvloop") for number, goal in {1: 0.85, 10: 0.85, 100: 0.95}.items()
}


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=15, seconds=0.1)
    turns = [
        Turn(_case(number), name, name, "rest", {"in_flight": number, "seconds": options.seconds})
        for number in IN_FLIGHT
        for name in CONTENDERS
    ]
    with field(*CONTENDERS) as run:
        once(run, turns)  # to warm up
        samples = alternate(run, turns, options.rounds)
        report = Report("rest_over_websocket", options, samples, run.absent)
    report.show(RATE, CPU, SERVER)
    for number in IN_FLIGHT:
        case = _case(number)
        for loop in LOOPS:
            ours, ceiling = (case, f"rcex_ws {loop}"), (case, f"ceiling {loop}")
            report.ratio(CPU, ceiling, ours, at_least=GOALS.get((loop, number)))
            report.ratio(RATE, ours, ceiling)
        report.ratio(RATE, (case, "rcex_ws uvloop"), (case, NPM), at_least=GOALS_NPM.get(number))
        report.ratio(RATE, (case, "rcex_ws asyncio"), (case, NPM))
    report.server_kept_up()
    report.finish()


def _case(in_flight: int) -> str:
    return f"{in_flight} in flight"


if __name__ == "__main__":
    main()
