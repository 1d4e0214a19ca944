"""One message to 1,000 clients of a server: its CPU for each of them, beside `websockets.broadcast`."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import BROADCASTERS, field
from benchmarks.common.report import CPU, Report
from benchmarks.common.turns import Turn, alternate, once

SIZE = 300


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=15, seconds=0.2)
    clients, times = (10, 2) if options.quick else (1000, 10)
    case, gathering = f"{SIZE} B to {clients:,} clients", f"{clients:,} clients connect"
    with field(*BROADCASTERS) as run:
        samples = once(run, [Turn(gathering, name, name, "gather", {"clients": clients}) for name in BROADCASTERS])
        turns = [Turn(case, name, name, "broadcast", {"times": times, "size": SIZE}) for name in BROADCASTERS]
        samples |= alternate(run, turns, options.rounds)
        report = Report("broadcast", options, samples, run.absent)
    report.show(CPU)
    for loop in ("asyncio", "uvloop"):
        ours, theirs = f"rcex_ws server {loop}", f"websockets.broadcast {loop}"
        report.ratio(CPU, (case, theirs), (case, ours), at_least=1.5)
        report.ratio(CPU, (gathering, theirs), (gathering, ours))
    report.finish()


if __name__ == "__main__":
    main()
