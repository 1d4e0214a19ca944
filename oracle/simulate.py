"""Simulate thousands of runs, each hours of life in a second or so, and judge them.

    python -m oracle.simulate --seed 7 --trace              one run: digest, verdict, both journals with --journals DIR
    python -m oracle.simulate --seeds 1-1000 --hours 1      many runs, in two processes
    python -m oracle.simulate --seeds 1-300 --faults holding --until-first-failure

A seed decides about everything: faults, application, ids, the order of tasks and the wall clock. The same seed with the
same faults and hours gives the same digest. `--faults` takes names of kinds and groups, comma separated, `-kind` takes
one away; `--rules` the rules to judge by. The exit status is 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from oracle.faults import choose_kinds
from oracle.judge import RULES, judge
from oracle.simulation import Run, simulate
from oracle.violation import Violation

__all__ = ["main"]

PROCESSES = 2
# Of Linux's personality(2).
ADDR_NO_RANDOMIZE = 0x0040000


@dataclass(frozen=True, slots=True)
class Result:
    """One run and its verdict."""

    seed: int
    hours: float
    digest: str
    violations: list[Violation]
    figures: dict[str, int] = field(default_factory=dict)


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
    parser.add_argument("--hours", type=float, default=1.0, help="of life before all is calm")
    parser.add_argument("--faults", default="holding")
    parser.add_argument("--rules", help=f"those of {', '.join(RULES)}; -rule leaves one out")
    parser.add_argument("--until-first-failure", action="store_true")
    parser.add_argument("--trace", action="store_true", help="with --seed: print the digest and what was seen")
    parser.add_argument("--journals", type=Path, help="with --seed: write both journals into this folder")
    parser.add_argument("--repeat", action="store_true", help="run each seed twice and compare the digests")
    parser.add_argument("--processes", type=int, default=PROCESSES)
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


def _one(options: argparse.Namespace) -> int:
    run = simulate(options.seed, options.hours, options.kinds)
    verdict = judge(run.server, run.client, rules=options.rules)
    print(f"seed {run.seed}: digest {run.digest}, {run.seconds / 3600:.2f} h, {run.lives} lives")
    if options.trace:
        print("  " + ", ".join(f"{number} {what}" for what, number in verdict.figures.items()))
    if options.journals:
        options.journals.mkdir(parents=True, exist_ok=True)
        for name, lines in zip(("server", "client"), run.lines, strict=True):
            (options.journals / f"{name}.jsonl").write_bytes(b"".join(lines))
    for violation in verdict.violations:
        print(f"  {violation.rule} at {violation.at:.3f}: {violation.text}")
    return 1 if verdict.violations else 0


def _work(job: tuple[int, float, frozenset[str], tuple[str, ...], bool]) -> Result:
    logging.disable(logging.CRITICAL)
    seed, hours, kinds, rules, repeat = job
    try:
        run: Run = simulate(seed, hours, kinds)
        again = simulate(seed, hours, kinds) if repeat else run
    except Exception as error:  # noqa: BLE001 - the other seeds go on; the oracle itself is at fault
        return Result(seed, 0.0, "", [Violation("oracle", 0.0, repr(error))])
    verdict = judge(run.server, run.client, rules=rules)
    if again.digest != run.digest:
        text = f"the digests of two runs differ: {run.digest}, {again.digest}"
        verdict.violations.append(Violation("oracle", 0.0, text))
    return Result(seed, run.seconds / 3600, run.digest, verdict.violations, verdict.figures)


def _results(options: argparse.Namespace, seeds: range) -> Iterator[Result]:
    jobs = ((seed, options.hours, options.kinds, options.rules, options.repeat) for seed in seeds)
    if options.processes == 1:
        yield from map(_work, jobs)
        return
    with ProcessPoolExecutor(options.processes, max_tasks_per_child=100) as pool:
        try:
            yield from pool.map(_work, jobs)
        except GeneratorExit:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _many(options: argparse.Namespace, seeds: range) -> int:
    began = time.perf_counter()
    runs, hours, figures = 0, 0.0, Counter[str]()
    table: dict[str, tuple[int, int, float]] = {}  # rule -> seeds, the first one, simulated hours before it
    for result in _results(options, seeds):
        runs, hours = runs + 1, hours + result.hours
        figures.update(result.figures)
        for rule in sorted({violation.rule for violation in result.violations}):
            texts = [violation for violation in result.violations if violation.rule == rule]
            number, first, until = table.get(rule, (0, result.seed, hours))
            table[rule] = number + 1, first, until
            print(f"seed {result.seed}: {rule}, {len(texts)} times; at {texts[0].at:.3f}: {texts[0].text}", flush=True)
        if result.violations and options.until_first_failure:
            break
    print()
    for rule, (number, first, until) in sorted(table.items()):
        print(f"{rule:12} {number:6} seeds, the first {first}, after {until:.1f} simulated hours")
    seen = ", ".join(f"{number} {what}" for what, number in figures.items())
    print(f"{runs} runs, {hours:.0f} simulated hours, {time.perf_counter() - began:.0f} s; {seen}")
    return 1 if table else 0


if __name__ == "__main__":
    sys.exit(main())
