"""Starting: how long `import rcex_ws` takes, also beyond its dependencies, and an installation beside a handshake."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from benchmarks.common.options import parse
from benchmarks.common.process import LOOPS, ROOT, Sample, field
from benchmarks.common.report import Metric, Report
from benchmarks.common.turns import Turn, alternate

MS = Metric("ms", "ms", lambda sample: 1e3 * sample["seconds"] / sample["count"], 2)
CPU_MS = Metric("cpu_ms", "ms of CPU", lambda sample: 1e3 * sample["cpu"] / sample["count"], 2)
IMPORT, BEYOND = ("import", "rcex_ws"), ("import", "rcex_ws beyond its dependencies")
#: What comes first in the interpreter: nothing, or the dependencies as far as the import brings them in.
FIRST = {IMPORT: "", BEYOND: "import asyncio, anyio, anyio.abc, anyio.lowlevel, msgspec, pyee"}
#: Runs in a new interpreter, whose own start does not count.
PROGRAM = """
import json, sys, time
{first}
cpu, start = time.process_time(), time.perf_counter()
import rcex_ws
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print(json.dumps({{"count": 1, "seconds": seconds, "cpu": cpu, "httpx": "httpx" in sys.modules}}))
"""


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=20)
    names = [f"{kind} {loop}" for loop in LOOPS for kind in ("rcex_ws", "ceiling")]
    turns = [Turn("install", name, name, "install") for name in names]
    _import(IMPORT)  # writes byte code
    imports = [(key, _import(key)) for _ in range(options.rounds) for key in FIRST]
    with field(*names) as run:
        samples = {key: [sample for of, sample in imports if of == key] for key in FIRST}
        samples |= alternate(run, turns, options.rounds)
        report = Report("startup", options, samples, run.absent)
    report.show(MS, CPU_MS)
    report.goal("import rcex_ws, ms", report.median(MS, IMPORT), at_most=150)
    report.goal("import rcex_ws beyond its dependencies, ms of CPU", report.median(CPU_MS, BEYOND), at_most=25)
    report.goal("httpx is loaded by the import", float(any(sample["httpx"] for _, sample in imports)), at_most=0)
    for loop in LOOPS:
        ours, bare = ("install", f"rcex_ws {loop}"), ("install", f"ceiling {loop}")
        report.ratio(MS, ours, bare, at_most=1.25)
        report.ratio(CPU_MS, ours, bare, at_most=1.25)
    report.finish()


def _import(key: tuple[str, str]) -> Sample:
    # With byte code, as on any machine but one where it is switched off.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM.format(first=FIRST[key])]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    sample: Sample = json.loads(ended.stdout)
    return sample


if __name__ == "__main__":
    main()
