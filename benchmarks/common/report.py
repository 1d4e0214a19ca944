"""What a program has found: printed as tables, written as JSON. Ratios are taken within a round, then their median.

The JSON has the keys `benchmark`, `results`, `ratios`, `goals`, `absent`, `quick` and `machine`; a value that was
measured in several rounds is an object with `median`, `min` and `max`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.common.machine import describe
from benchmarks.common.options import Options
from benchmarks.common.process import Sample
from benchmarks.common.turns import Samples

__all__ = ["CPU", "RATE", "SERVER", "Metric", "Report"]

Values = dict[str, float]

#: A share of the CPUs that others may use: beyond it their caches and turns show in what is measured.
_LOADED = 0.1


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the table.

    Attributes:
        key: its name in the JSON.
        title: its name in the table.
        of: computes it from a sample.
        digits: decimals shown.
    """

    key: str
    title: str
    of: Callable[[Sample], float]
    digits: int = 0


RATE = Metric("per_second", "per second", lambda sample: sample["count"] / sample["seconds"])
CPU = Metric("cpu_us", "µs of CPU each", lambda sample: 1e6 * sample["cpu"] / sample["count"], 1)
SERVER = Metric("server_cpu_percent", "server's CPU %", lambda sample: 100 * sample["server_cpu"])


class Report:
    """Collect what was found.

    Args:
        benchmark: the program's name.
        options: of the run.
        samples: of all contenders.
        absent: contenders that are not installed.
    """

    def __init__(self, benchmark: str, options: Options, samples: Samples, absent: Sequence[str] = ()) -> None:
        self._options = options
        self._samples = samples
        self._tables: list[tuple[tuple[Metric, ...], list[dict[str, Any]]]] = []
        self._ratios: dict[str, Values] = {}
        self._goals: list[dict[str, Any]] = []
        self._absent = list(absent)
        self._head = {"benchmark": benchmark, "quick": options.quick, "absent": self._absent}

    def show(self, *metrics: Metric, cases: Collection[str] | None = None) -> None:
        """Put these into a table, for every contender that has a sample, of these cases or of all."""
        results: list[dict[str, Any]] = []
        for (case, label), samples in self._samples.items():
            if cases is None or case in cases:
                values = {metric.key: _spread([metric.of(sample) for sample in samples]) for metric in metrics}
                results.append({"case": case, "contender": label, **values})
        self._tables.append((metrics, results))

    def ratio(
        self,
        metric: Metric,
        this: tuple[str, str],
        other: tuple[str, str],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Compare two, each given by case and label; nothing is said when one is absent.

        Args:
            metric: what of them.
            this: is divided
            other: by this.
            at_least: the goal, if it is one.
            at_most: likewise.
        """
        pairs = zip(self._samples.get(this, ()), self._samples.get(other, ()), strict=False)
        values = [metric.of(mine) / metric.of(theirs) for mine, theirs in pairs if metric.of(theirs)]
        if not values:
            return
        name = f"{this[0]}: {this[1]} / {other[1]}, {metric.title}"
        if this[0] != other[0]:
            name = f"{this[0]}, {this[1]} / {other[0]}, {other[1]}, {metric.title}"
        self._ratios[name] = spread = _spread(values)
        if at_least is not None or at_most is not None:
            self.goal(name, spread["median"], at_least=at_least, at_most=at_most)

    def median(self, metric: Metric, key: tuple[str, str]) -> float:
        """Give the median of one contender, by case and label."""
        return statistics.median(metric.of(sample) for sample in self._samples[key])

    def goal(self, name: str, measured: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Tell whether a goal is met."""
        text = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
        met = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
        self._goals.append({"name": name, "goal": text, "measured": measured, "met": met})

    def server_kept_up(self) -> None:
        """Make it a goal that the server had time left in every measurement."""
        busiest = max((SERVER.of(sample) for samples in self._samples.values() for sample in samples), default=0.0)
        self.goal("the server was not the bottleneck: its CPU % at most", busiest, at_most=80)

    def finish(self) -> None:
        """Print all, and write it where the command line says; to be called once all contenders have ended."""
        others = self._options.others.share()
        print(f"\n== {self._head['benchmark']} ==")
        for metrics, results in self._tables:
            _print_results(metrics, results)
        if self._ratios:
            spreads = [
                (name, *(f"{of[key]:.2f}" for key in ("median", "min", "max"))) for name, of in self._ratios.items()
            ]
            _print_table(("ratio", "median", "min", "max"), spreads)
        goals = [(of["name"], of["goal"], f"{of['measured']:.2f}", _verdict(of["met"])) for of in self._goals]
        _print_table(("goal", "", "measured", ""), goals)
        for name in self._absent:
            print(f"absent: {name}; `make bench` installs what it can")
        if others > _LOADED:
            print(f"the machine was loaded: others used {others:.0%} of its CPUs; measure again when it is quiet")
        if self._options.json is not None:
            results = [result for _, found in self._tables for result in found]
            machine = {**describe(), "others_percent": 100 * others}
            found = {**self._head, "machine": machine, "results": results, "ratios": self._ratios, "goals": self._goals}
            self._options.json.write_text(json.dumps(found, indent=1) + "\n")


def _print_results(metrics: Sequence[Metric], results: Sequence[dict[str, Any]]) -> None:
    rows: list[tuple[str, ...]] = []
    for result in results:
        shown = (_shown(result[metric.key], metric.digits) for metric in metrics)
        rows.append((result["case"], result["contender"], *shown))
    _print_table(("case", "contender", *(metric.title for metric in metrics)), rows)


def _spread(values: Sequence[float]) -> Values:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _shown(of: Values, digits: int) -> str:
    return f"{of['median']:,.{digits}f} ({of['min']:,.{digits}f}-{of['max']:,.{digits}f})"


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print()
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [
            cell.rjust(width) if index > 1 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
