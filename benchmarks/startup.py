"""Starting: how long `import rcex_ws` takes, and `install_extension` beside a bare handshake."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, ROOT, Sample, field
from benchmarks.common.report import Metric, Report
from benchmarks.common.turns import Turn, alternate

MS = Metric("ms", "ms", lambda sample: 1e3 * sample["seconds"] / sample["count"], 2)
CPU_MS = Metric("cpu_ms", "ms of CPU", lambda sample: 1e3 * sample["cpu"] / sample["count"], 2)
IMPORT = ("import", "rcex_ws")
#: Runs in a new interpreter, whose own start does not count.
PROGRAM = """
import json, sys, time
cpu, start = time.process_time(), time.perf_counter()
import rcex_ws
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print(json.dumps({"count": 1, "seconds": seconds, "cpu": cpu, "httpx": "httpx" in sys.modules}))
"""


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=20)
    names = [f"{kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")]
    turns = [Turn("install", name, name, "install") for name in names]
    imports = [_import() for _ in range(options.rounds + 1)][1:]  # the first one may write byte code
    with field(*names) as run:
        samples = {IMPORT: imports, **alternate(run, turns, options.rounds)}
        report = Report("startup", options, samples, run.absent)
    report.show(MS, CPU_MS)
    report.goal("import rcex_ws, ms", report.median(MS, IMPORT), at_most=150)
    report.goal("httpx is loaded by the import", float(any(sample["httpx"] for sample in imports)), at_most=0)
    for loop in LOOPS:
        ours, bare = ("install", f"rcex_ws {loop}"), ("install", f"ceiling {loop}")
        report.ratio(MS, ours, bare, at_most=1.3)
        report.ratio(CPU_MS, ours, bare)
    report.finish()


def _import() -> Sample:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    sample: Sample = json.loads(ended.stdout)
    return sample


if __name__ == "__main__":
    main()
