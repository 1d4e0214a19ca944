"""Simulate thousands of runs, each hours of life in a second or so, and judge them.

    python -m oracle.simulate --seed 7 --trace              one run: digest, verdict, both journals with --journals DIR
    python -m oracle.simulate --seeds 1-1000 --hours 1      many runs, as many at once as there are cores
    python -m oracle.simulate --seeds 1-40 --hours 6,12,26 --density 0.02,0.05
    python -m oracle.simulate --seeds 1-300 --until-first-failure

A seed decides about everything: faults, application, ids, the order of tasks and the wall clock; where several hours
or densities are given, also about these. The same seed with the same options gives the same digest, and each run has a
process of its own, so that what is printed is the same however many run at once. `--density` says how much happens in
an hour: with 1 something fails every minute, with 0.05 once an hour or so. `--faults` takes names of kinds and groups,
comma separated, `-kind` takes one away; `--rules` the rules to judge by. The exit status is 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from oracle.faults import choose_kinds
from oracle.history import History
from oracle.jobs import run_jobs
from oracle.judge import RULES, judge
from oracle.simulation import Run, simulate
from oracle.tables import Tally, take
from oracle.violation import Violation

__all__ = ["main"]

# Of Linux's personality(2).
ADDR_NO_RANDOMIZE = 0x0040000


@dataclass(frozen=True, slots=True)
class Job:
    """One run to do."""

    seed: int
    hours: float
    density: float
    kinds: frozenset[str]
    rules: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One run and its verdict."""

    seed: int
    hours: float
    digest: str
    violations: list[Violation]
    tally: Tally = field(default_factory=Tally)


def main() -> int:
    """Run, print, and say by the exit status whether all is well."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of strings are iterated in an order of their hashes, which is chosen anew for each process.
        # Sets of tasks go by their addresses: no random ones, where the system can do that.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
        command = [sys.executable, "-m", "oracle.simulate", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})
    options = _parse()
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        return _one(options)
    first, _, last = options.seeds.partition("-")
    return _many(options, range(int(first), int(last or first) + 1))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="run this one")
    which.add_argument("--seeds", help="A-B: run these")
    parser.add_argument("--hours", type=_numbers, default=[1.0], help="of life before all is calm; A,B: one of these")
    parser.add_argument(
        "--density", type=_numbers, default=[1.0], help="how much happens in an hour; A,B: one of these"
    )
    parser.add_argument("--faults", default="all")
    parser.add_argument("--rules", help=f"those of {', '.join(RULES)}; -rule leaves one out")
    parser.add_argument("--until-first-failure", action="store_true")
    parser.add_argument("--trace", action="store_true", help="with --seed: print the digest and what was seen")
    parser.add_argument("--journals", type=Path, help="with --seed: write both journals into this folder")
    parser.add_argument("--repeat", action="store_true", help="run each seed twice and compare the digests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="so many runs at once")
    options = parser.parse_args()
    options.kinds = choose_kinds(options.faults)
    options.rules = _choose_rules(options.rules)
    return options


def _choose_rules(text: str | None) -> tuple[str, ...]:
    words = [] if text is None else text.split(",")
    without = {word.removeprefix("-") for word in words if word.startswith("-")}
    chosen = {word for word in words if not word.startswith("-")} or set(RULES)
    if unknown := (without | chosen) - set(RULES):
        raise SystemExit(f"there is no rule {', '.join(sorted(unknown))}")
    return tuple(rule for rule in RULES if rule in chosen - without)


def _numbers(text: str) -> list[float]:
    numbers = [float(word) for word in text.split(",")]
    if min(numbers) <= 0:
        raise ValueError("hours and densities are larger than 0")
    return numbers


def _job(options: argparse.Namespace, seed: int, *, again: bool = False) -> Job:
    dice = random.Random(f"mix {seed}")
    hours, density = dice.choice(options.hours), dice.choice(options.density)
    return Job(seed, hours, density, options.kinds, options.rules, again)


def _one(options: argparse.Namespace) -> int:
    job = _job(options, options.seed)
    run = simulate(job.seed, job.hours, job.kinds, job.density)
    verdict = judge(run.server, run.client, rules=options.rules)
    print(f"seed {run.seed}: digest {run.digest}, {run.seconds / 3600:.2f} h, {run.lives} lives")
    if options.trace:
        for line in _take(run, job, verdict.violations, Counter(verdict.figures)).lines():
            print(f"  {line}")
    if options.journals:
        options.journals.mkdir(parents=True, exist_ok=True)
        for name, lines in zip(("server", "client"), run.lines, strict=True):
            (options.journals / f"{name}.jsonl").write_bytes(b"".join(lines))
    for violation in verdict.violations:
        print(f"  {violation.rule} at {violation.at:.3f}: {violation.text}")
    return 1 if verdict.violations else 0


def _take(run: Run, job: Job, violations: list[Violation], figures: Counter[str]) -> Tally:
    name = f"seed {job.seed} ({job.hours:g} h, density {job.density:g})"
    return take(History(run.server, run.client), job.seed, name, job.hours, violations, figures)


def _work(job: Job) -> Result:
    try:
        run: Run = simulate(job.seed, job.hours, job.kinds, job.density)
    except Exception as error:  # noqa: BLE001 - the other seeds go on; the oracle itself is at fault
        return Result(job.seed, 0.0, "", [Violation("oracle", 0.0, repr(error))])
    if job.again:
        return Result(job.seed, job.hours, run.digest, [])
    verdict = judge(run.server, run.client, rules=job.rules)
    tally = _take(run, job, verdict.violations, Counter(verdict.figures))
    return Result(job.seed, job.hours, run.digest, verdict.violations, tally)


def _many(options: argparse.Namespace, seeds: range) -> int:
    began = time.perf_counter()
    gc.freeze()  # what is there now is there for ever, in each of the processes that are forked
    times = (False, True) if options.repeat else (False,)
    jobs = (_job(options, seed, again=again) for seed in seeds for again in times)
    total, digest = Tally(), ""
    table: dict[str, tuple[int, int, float]] = {}  # rule -> seeds, the first one, simulated hours before it
    results = run_jobs(_work, jobs, options.jobs)
    for number, result in enumerate(results):
        violations = result.violations
        if options.repeat and number % 2:
            if result.digest == digest:
                continue
            text = f"the digests of two runs differ: {digest}, {result.digest}"
            violations = [Violation("oracle", 0.0, text)]
        digest = result.digest
        total.add(result.tally)
        for rule in sorted({violation.rule for violation in violations}):
            texts = [violation for violation in violations if violation.rule == rule]
            broken, first, until = table.get(rule, (0, result.seed, total.hours))
            table[rule] = broken + 1, first, until
            print(f"seed {result.seed}: {rule}, {len(texts)} times; at {texts[0].at:.3f}: {texts[0].text}", flush=True)
        if violations and options.until_first_failure:
            results.close()
            break
    print()
    for line in total.lines():
        print(line)
    for rule, (broken, first, until) in sorted(table.items()):
        print(f"BROKEN {rule:12} {broken:6} seeds, the first {first}, after {until:.1f} simulated hours")
    print(f"{total.runs} runs, {total.hours:.0f} simulated hours, {time.perf_counter() - began:.0f} s")
    return 1 if table else 0


if __name__ == "__main__":
    sys.exit(main())
