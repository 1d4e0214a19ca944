"""On the wire: what a notification costs plain, compressed and over TLS, beside the ceiling and a client in C."""

from __future__ import annotations

from benchmarks.common.options import Options, parse
from benchmarks.common.process import LOOPS, PICOWS, field
from benchmarks.common.report import CPU, RATE, SERVER, Report
from benchmarks.common.turns import Samples, Turn, alternate, sized
from benchmarks.common.ways import DEFLATE, PLAIN, Way, over_tls

SIZE = 300


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=15, seconds=0.1)
    samples: Samples = {}
    absent: list[str] = []
    with over_tls() as tls:
        ways = (PLAIN, DEFLATE, tls)
        for way in ways:
            samples |= _measure(way, options, absent)
    report = Report("wire", options, samples, list(dict.fromkeys(absent)))
    report.show(RATE, CPU, SERVER)
    for case in map(_case, ways):
        for loop in LOOPS:
            report.ratio(CPU, (case, f"ceiling {loop}"), (case, f"rcex_ws {loop}"))
        for name in PICOWS:
            report.ratio(CPU, (case, name.replace("picows", "rcex_ws")), (case, name))
    report.server_kept_up()
    report.finish()


def _measure(way: Way, options: Options, absent: list[str]) -> Samples:
    """Let all that can go this way take their turns; each way has a server and contenders of its own."""
    names = [f"{name} {loop}" for loop in LOOPS for name in ("rcex_ws", "ceiling")]
    if way is not DEFLATE:  # picows does not compress
        names += PICOWS
    order = {"kind": "sync", "size": SIZE, "in_flight": 0}
    turns = [Turn(_case(way), name, name, "notifications", order) for name in names]
    with field(*names, server=way.server, environment=way.environment) as run:
        absent += run.absent
        return alternate(run, sized(run, turns, options), options.rounds)


def _case(way: Way) -> str:
    return f"{SIZE} B, {way.name}"


if __name__ == "__main__":
    main()
