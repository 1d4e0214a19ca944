"""Draw the plots of docs/performance.md, and write its tables, from the JSON that the programs wrote.

`python -m benchmarks.plots RESULTS DOCS`: the folder with the JSON files, the folder for the SVGs and the tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

#: The same input gives the same file.
mpl.rcParams["svg.hashsalt"] = "rcex_ws"
#: One colour per client, lighter per loop; what is not listed is left out.
COLOURS = {
    "rcex_ws asyncio": "#1f5fa8",
    "rcex_ws uvloop": "#4f9be8",
    "rcex_ws trio": "#9cc9f5",
    "ceiling asyncio": "#6b6b6b",
    "ceiling uvloop": "#9a9a9a",
    "ceiling trio": "#c8c8c8",
    "npm @rc-ex/ws": "#d9822b",
    "npm @slack/rtm-api": "#d9822b",
    "npm feedme-server-core": "#d9822b",
    "npm feedme-client": "#d9822b",
    "npm feedme-server-core, live objects": "#eab676",
    "npm feedme-client, live objects": "#eab676",
    "ringcentral SDK": "#b8b03a",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One chart of bars.

    Attributes:
        name: of the SVG.
        benchmark: whose report.
        metric: its key in the results.
        title: above it.
        suffix: of the contenders to show: `rcex_ws asyncio, sync callback` with ", sync callback".
        log: whether the axis is logarithmic.
    """

    name: str
    benchmark: str
    metric: str
    title: str
    suffix: str = ""
    log: bool = False


PLOTS = (
    Plot("rest", "rest_over_websocket", "per_second", "REST over WebSocket, calls per second", log=True),
    Plot("notifications", "notifications", "per_second", "Notifications per second", ", sync callback", log=True),
    Plot("notifications-cpu", "notifications", "cpu_us", "CPU per notification, µs", ", sync callback", log=True),
    Plot("recovery", "recovery", "recovered_ms", "From the loss to recovered, ms", log=True),
    Plot("slack", "slack", "per_second", "Slack without a store, per second", ", no store", log=True),
    Plot("slack-cpu", "slack", "cpu_us", "Slack without a store, CPU of each, µs", ", no store", log=True),
    Plot("feedme-cpu", "feedme", "cpu_us", "CPU per revelation and client, µs", log=True),
    Plot("feedme-memory", "feedme", "kib", "Memory per open feed, KiB", log=True),
    Plot("idle", "idle", "kib", "Memory per idle connection, KiB"),
)
#: Programs whose ratios are shown, too: they have no goals.
RATIOS = ("wire",)


def main() -> None:
    """Draw all whose report is there."""
    results, docs = map(Path, sys.argv[1:])
    docs.mkdir(parents=True, exist_ok=True)
    reports: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(results.glob("*.json"))}
    for plot in PLOTS:
        if plot.benchmark in reports:
            _bars(plot, reports[plot.benchmark]["results"], docs / f"{plot.name}.svg")
    if "growth" in reports:
        _growth(reports["growth"]["results"], docs / "growth.svg")
    for name, report in reports.items():
        ratios = _ratios(report["ratios"]) + "\n" if name in RATIOS else ""
        (docs / f"{name}.inc").write_text(ratios + _table(report["goals"]))
    for report in list(reports.values())[:1]:
        (docs / "machine.inc").write_text(_machine(report["machine"]))


def _bars(plot: Plot, results: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw a group of bars per case, a bar per contender; a line spans all rounds."""
    of = {
        (result["case"], result["contender"].removesuffix(plot.suffix)): result[plot.metric]
        for result in results
        if plot.metric in result
    }
    cases = list(dict.fromkeys(case for case, _ in of))
    shown = [name for name in COLOURS if any((case, name) in of for case in cases)]
    width = 0.85 / len(shown)
    figure, axes = plt.subplots(figsize=(9, 4))
    for number, name in enumerate(shown):
        there = [index for index, case in enumerate(cases) if (case, name) in of]
        values = [of[cases[index], name] for index in there]
        medians = [value["median"] for value in values]
        spans = [
            [value["median"] - value["min"] for value in values],
            [value["max"] - value["median"] for value in values],
        ]
        places = [index + (number - (len(shown) - 1) / 2) * width for index in there]
        axes.bar(places, medians, width, yerr=spans, color=COLOURS[name], label=name, error_kw={"linewidth": 0.8})
    names = [case.replace(": ", ":\n").replace(", ", ",\n") for case in cases]
    axes.set_xticks(range(len(cases)), names, fontsize="small")
    if plot.log:
        axes.set_yscale("log")
    _finish(figure, axes, plot.title, file)


def _growth(results: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw the cost of one over how many there are, as a multiple of the cheapest."""
    figure, axes = plt.subplots(figsize=(9, 4))
    for case in dict.fromkeys(result["case"] for result in results):
        points = [
            (int(result["contender"].replace(",", "")), result["cpu_us"]["median"])
            for result in results
            if result["case"] == case
        ]
        cheapest = min(cost for _, cost in points)
        sizes, costs = zip(*sorted(points), strict=True)
        axes.plot(sizes, [cost / cheapest for cost in costs], marker="o", label=case)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _finish(figure, axes, "CPU for one, by how many there are, as a multiple of the cheapest", file)


def _finish(figure: Any, axes: Any, title: str, file: Path) -> None:
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _table(goals: Sequence[dict[str, Any]]) -> str:
    """Write the goals as a table of Markdown."""
    lines = ["| what | goal | measured | |", "| --- | --- | ---: | --- |"]
    for goal in goals:
        verdict = "met" if goal["met"] else "**missed**"
        lines.append(f"| {goal['name']} | {goal['goal']} | {goal['measured']:.2f} | {verdict} |")
    return "\n".join(lines) + "\n"


def _ratios(ratios: dict[str, dict[str, float]]) -> str:
    """Write the ratios as a table of Markdown."""
    lines = ["| ratio | median | smallest | largest |", "| --- | ---: | ---: | ---: |"]
    for name, of in ratios.items():
        lines.append(f"| {name} | {of['median']:.2f} | {of['min']:.2f} | {of['max']:.2f} |")
    return "\n".join(lines) + "\n"


def _machine(of: dict[str, Any]) -> str:
    """Say what it was measured on."""
    packages = ", ".join(f"{name} {number}" for name, number in of["packages"].items())
    hardware = f"{of['cpu']}, {of['cpus']} CPUs, {of['system']}"
    return f"Measured on: {hardware}; Python {of['python']}, Node {of['node']}; {packages}.\n"


if __name__ == "__main__":
    main()
