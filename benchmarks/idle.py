"""A thousand idle connected extensions in one process, beside a thousand bare connections: memory, CPU, wake-ups."""

from __future__ import annotations

from benchmarks.common.options import Options, parse
from benchmarks.common.process import LOOPS, field
from benchmarks.common.report import Metric, Report
from benchmarks.common.turns import Samples, Turn, once

CONNECTIONS = 1000
MANY, ONE = "many, a heartbeat per second", "one, ten heartbeats per second"
METRICS = (
    KIB := Metric("kib", "KiB each", lambda sample: sample["bytes"] / sample["count"] / 1024, 1),
    CPU_US := Metric("cpu_us_per_heartbeat", "µs of CPU per heartbeat", lambda s: 1e6 * s["cpu"] / s["beats"], 1),
    WAKEUPS := Metric("wakeups_per_heartbeat", "wake-ups per heartbeat", lambda s: s["wakeups"] / s["beats"], 2),
)
#: To send a heartbeat, to take its answer, and to see in time that it came.
WAKEUPS_NEEDED = 3


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=2, seconds=2.0)
    samples: Samples = {}
    for _ in range(options.rounds):
        for turn in _turns(options):
            with field(turn.contender) as run:  # anew each time: memory that was given back may be used again
                for key, found in once(run, [turn]).items():
                    samples.setdefault(key, []).extend(found)
    report = Report("idle", options, samples)
    report.show(*METRICS)
    for loop in LOOPS:
        ours, bare = f"rcex_ws {loop}", f"ceiling {loop}"
        report.ratio(KIB, (MANY, ours), (MANY, bare), at_most=1.0)
        report.ratio(CPU_US, (MANY, ours), (MANY, bare), at_most=1.5)
        report.goal(
            f"{ONE}: {ours}, {WAKEUPS.title}", report.median(WAKEUPS, (ONE, ours)), at_most=WAKEUPS_NEEDED + 0.2
        )
    report.finish()


def _turns(options: Options) -> list[Turn]:
    many = {"connections": 10 if options.quick else CONNECTIONS, "heartbeat": 1.0, "timeout": 10.0}
    one = {"connections": 1, "heartbeat": 0.1, "timeout": 0.03}  # in the proportion of the defaults
    return [
        Turn(case, f"{label} {loop}", f"{contender} {loop}", "idle", {**how, "seconds": options.seconds})
        for case, how in ((MANY, many), (ONE, one))
        for loop in LOOPS
        for label, contender in (("rcex_ws", "many rcex_ws"), ("ceiling", "ceiling"))
    ]


if __name__ == "__main__":
    main()
