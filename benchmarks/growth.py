"""Growth: what one costs when there are many: extensions, subscription filters, queued events."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.common.options import Options, parse
from benchmarks.common.process import field
from benchmarks.common.report import CPU, Report
from benchmarks.common.turns import Samples, Turn, once

OURS = "many rcex_ws asyncio"
#: Flat within so much, from the smallest number to the largest.
FLAT = 1.15


@dataclass(frozen=True, slots=True)
class Growth:
    """What is counted.

    Attributes:
        case: what is measured.
        sizes: how many there are.
        base: the size whose cost is compared with; below it the cost of one call hides that of an item.
    """

    case: str
    sizes: Sequence[int]
    base: int

    def up_to(self, largest: int) -> list[int]:
        """Give the sizes that are not larger."""
        return [size for size in self.sizes if size <= largest]

    def key(self, size: int) -> tuple[str, str]:
        """Give case and label."""
        return self.case, f"{size:,}"


REST = Growth("REST call, by extensions installed", (1, 10, 100, 1000), 1)
INSTALL = Growth("install_extension, by extensions installed", (10, 100, 1000), 10)
NOTIFICATION = Growth("notification, by filters", (1, 10, 100, 1000, 10_000), 1)
QUESTION = Growth("cause of an event, by filters", (10, 100, 1000, 10_000), 10)
SUBSCRIBE = Growth("subscribe, per filter", (10, 100, 1000, 10_000), 1000)
QUEUE = Growth("delivery queue, by events in it", (1, 10, 100, 1000, 10_000, 100_000), 1)


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=3, seconds=0.3)
    largest = 100 if options.quick else sys.maxsize
    samples: Samples = {}
    for _ in range(options.rounds):
        with field(OURS) as run:  # anew each time: extensions are only added
            for key, found in once(run, _turns(largest, options)).items():
                samples.setdefault(key, []).extend(found)
    report = Report("growth", options, samples)
    report.show(CPU)
    for growth in (REST, INSTALL, NOTIFICATION, QUESTION, SUBSCRIBE, QUEUE):
        sizes = growth.up_to(largest)
        for size in sizes:
            if size > growth.base:
                at_most = FLAT if size == sizes[-1] else None
                report.ratio(CPU, growth.key(size), growth.key(growth.base), at_most=at_most)
    report.finish()


def _turns(largest: int, options: Options) -> Iterator[Turn]:
    burst = {"kind": "sync", "count": round(options.seconds * 30_000), "size": 300, "in_flight": 0}
    calls = {"in_flight": 10, "seconds": options.seconds}
    for size in QUEUE.up_to(largest):
        yield _turn(QUEUE, size, "queue", depth=size)
    for size in QUESTION.up_to(largest):
        yield _turn(QUESTION, size, "questions", number=size)
    for size in NOTIFICATION.up_to(largest):
        yield _turn(SUBSCRIBE, size, "subscribe", number=size)
        yield _turn(NOTIFICATION, size, "notifications", **burst)
    there = 1
    for size in REST.up_to(largest):
        if size > there:
            yield _turn(INSTALL, size, "extensions", add=size - there)
        yield _turn(REST, size, "rest", **calls)
        there = size


def _turn(growth: Growth, size: int, do: str, /, **options: object) -> Turn:
    return Turn(*growth.key(size), OURS, do, options)


if __name__ == "__main__":
    main()
