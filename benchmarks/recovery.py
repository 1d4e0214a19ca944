"""Recovery: from the loss to `autoRecoverSuccess`, and to the first replayed notification, on the loopback."""

from __future__ import annotations

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, NPM, field
from benchmarks.common.report import Metric, Report
from benchmarks.common.turns import Turn, alternate

CASE = "loss"
CONTENDERS = (*(f"{kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")), NPM)
METRICS = (
    Metric("recovered_ms", "ms to recovered", lambda sample: 1e3 * sample["recovered"], 2),
    Metric("replayed_ms", "ms to first event", lambda sample: 1e3 * sample["replayed"], 2),
)
#: Of the client alone, up to that: unlike times, it does not depend on what else the machine does.
CPU_MS = Metric("cpu_ms", "ms of CPU", lambda sample: 1e3 * sample.get("cpu", 0.0), 2)
#: Seconds; the npm client loses what comes in one segment with ConnectionDetails, so for it the replay comes later.
REPLAY_DELAY = 0.02


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=20)
    turns = [Turn(CASE, name, name, "recover") for name in CONTENDERS]
    with field(*CONTENDERS) as run:
        if NPM in run.contenders:
            run.contenders[NPM].do("replay", delay=REPLAY_DELAY)
        samples = alternate(run, turns, options.rounds)
        report = Report("recovery", options, samples, run.absent)
    report.show(*METRICS, CPU_MS)
    for metric in METRICS:
        for loop in LOOPS:
            ours = (CASE, f"rcex_ws {loop}")
            report.ratio(metric, ours, (CASE, f"ceiling {loop}"), at_most=1.4)
            report.ratio(metric, (CASE, NPM), ours, at_least=10)
    for loop in LOOPS:
        report.ratio(CPU_MS, (CASE, f"rcex_ws {loop}"), (CASE, f"ceiling {loop}"), at_most=1.4)
    report.finish()


if __name__ == "__main__":
    main()
