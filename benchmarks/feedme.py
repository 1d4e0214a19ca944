"""Feedme: CPU and rate of revelations with their hash, of servers and of clients; memory of a feed that is open."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.common.feeds import ACTION, DOCUMENTS, changes, document, feed_name, frame_size
from benchmarks.common.files import allow_many_files
from benchmarks.common.options import Options, parse
from benchmarks.common.process import FEEDME_CLIENT, FEEDME_SERVER, LOOPS, Field, field
from benchmarks.common.report import CPU, RATE, Metric, Report
from benchmarks.common.turns import Samples, Turn, alternate, once, sized

#: Who is measured from npm, by side.
SIDES = {"server": FEEDME_SERVER, "client": FEEDME_CLIENT}
#: Ours with changes that are made to a draft, instead of deltas that are given.
DRAFT = ", by draft"
#: What Node itself counts of its memory, without what it keeps for later.
LIVE = ", live objects"
#: So many clients, or feeds.
MANY = 1000
#: So many revelations, and Node has compiled what is measured.
WARM = 20_000
#: How many feeds tell the memory of one.
MANY_OPEN = {"small": 1000, "large": 100}
#: Our client's rate is at least so many times that of the npm client.
GOAL_CLIENT = 0.8
#: The other side is the audience of a server, which says what it took, or the drain, which feeds a client.
OTHER = Metric("other_cpu_percent", "other side's CPU %", lambda s: 100 * s.get("audience_cpu", s["server_cpu"]))
KIB = Metric("kib", "KiB each", lambda sample: sample["bytes"] / sample["count"] / 1024, 1)


@dataclass(frozen=True, slots=True)
class Shape:
    """Who has what open.

    Attributes:
        document: what each feed holds.
        clients: their number.
        feeds: their number; each client has all of them open.
    """

    document: str
    clients: int = 1
    feeds: int = 1

    @property
    def case(self) -> str:
        """Name it in the report."""
        if self.clients > 1:
            return f"server: {self.document}, {self.clients:,} clients"
        return f"server: {self.document}, {f'{self.feeds:,} feeds' if self.feeds > 1 else 'a client'}"

    @property
    def names(self) -> list[str]:
        """Name its feeds."""
        return [feed_name(self.document, number) for number in range(self.feeds)]


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=7, seconds=0.1)
    allow_many_files()
    shapes = _shapes(10 if options.quick else MANY)
    with field(*(contender for side in SIDES for _, contender in _all(side))) as run:
        speed = {key: found for shape in shapes for key, found in _serve(run, shape, options).items()}
        speed |= _receive(run, options)
        absent = run.absent
    memory = _grow(options)
    report = Report("feedme", options, speed | memory, absent)
    report.show(CPU, RATE, OTHER, cases=[case for case, _ in speed])
    report.show(KIB, cases=[case for case, _ in memory])
    _compare(report, shapes)
    busiest = max((OTHER.of(sample) for samples in speed.values() for sample in samples), default=0.0)
    report.goal("the other side was not the bottleneck: its CPU % at most", busiest, at_most=80)
    report.finish()


def _shapes(many: int) -> list[Shape]:
    return [shape for name in DOCUMENTS for shape in (Shape(name), Shape(name, feeds=many), Shape(name, clients=many))]


def _all(side: str) -> list[tuple[str, str]]:
    """Give the contenders of a side, each by its label and its name."""
    theirs = SIDES[side]
    return [(theirs, theirs), *((f"rcex_ws {loop}", f"Feedme {side} rcex_ws {loop}") for loop in LOOPS)]


def _serve(run: Field, shape: Shape, options: Options) -> Samples:
    """Let the servers reveal changes to the clients that are gathered before."""
    theirs, *ours = _all("server")
    turns = [Turn(shape.case, *theirs, "reveal")]
    for ending, draft in (("", False), (DRAFT, True)):
        turns += [Turn(shape.case, f"{label}{ending}", name, "reveal", {"draft": draft}) for label, name in ours]
    with _gathered(run, shape):
        turns = sized(run, turns, options)
        if shape == Shape("small") and not options.quick:
            once(run, [replace(turns[0], options={"count": WARM})])
        return alternate(run, turns, options.rounds)


@contextlib.contextmanager
def _gathered(run: Field, shape: Shape) -> Generator[None]:
    """Gather the clients of each server, and end them on leaving."""
    what: dict[str, Any] = {"document": document(shape.document), "changes": changes(shape.document), "action": ACTION}
    whom = {"clients": shape.clients, "names": shape.names, "frame": frame_size(shape.document)}
    once(run, [Turn(shape.case, *server, "gather", {**what, **whom}) for server in _all("server")])
    yield
    once(run, [Turn(shape.case, *server, "disperse") for server in _all("server")])


def _receive(run: Field, options: Options) -> Samples:
    """Let the clients take revelations."""
    turns: list[Turn] = []
    for name in DOCUMENTS:
        feed = {"feed": feed_name(name, 0)}
        once(run, [Turn(_taken(name), *client, "open", feed) for client in _all("client")])
        what = {**feed, "document": name}
        turns += [Turn(_taken(name), *client, "revelations", what) for client in _all("client")]
    turns = sized(run, turns, options)
    if not options.quick:
        once(run, [replace(turns[0], options={**turns[0].options, "count": WARM})])
    return alternate(run, turns, options.rounds)


def _grow(options: Options) -> Samples:
    """Let each open feeds as its first work: memory that was given back may be used again."""
    samples: Samples = {}
    for turn in _openings(options):
        with field(turn.contender) as run:
            for (case, label), found in once(run, [turn]).items():
                samples[case, label] = found
                live = [{**sample, "bytes": sample["live"]} for sample in found if "live" in sample]
                if live:
                    samples[case, f"{label}{LIVE}"] = live
    return samples


def _openings(options: Options) -> Iterator[Turn]:
    for name in DOCUMENTS:
        shape = Shape(name, feeds=10 if options.quick else MANY_OPEN[name])
        held = {"names": shape.names, "document": document(name)}
        yield from (Turn(_open("server", name), *server, "grow", held) for server in _all("server"))
        taken = {"names": shape.names}
        yield from (Turn(_open("client", name), *client, "grow", taken) for client in _all("client"))


def _compare(report: Report, shapes: Sequence[Shape]) -> None:
    for loop in LOOPS:
        ours = f"rcex_ws {loop}"
        for shape in shapes:
            case = shape.case
            report.ratio(RATE, (case, ours), (case, FEEDME_SERVER), at_least=1.0)
            report.ratio(CPU, (case, ours), (case, FEEDME_SERVER), at_most=1.0 if shape.clients > 1 else None)
        for name in DOCUMENTS:
            case = _taken(name)
            report.ratio(RATE, (case, ours), (case, FEEDME_CLIENT), at_least=GOAL_CLIENT)
            report.ratio(CPU, (case, ours), (case, FEEDME_CLIENT))
            for side, theirs in SIDES.items():
                report.ratio(KIB, (_open(side, name), ours), (_open(side, name), f"{theirs}{LIVE}"))


def _taken(name: str) -> str:
    return f"client: {name}"


def _open(side: str, name: str) -> str:
    return f"{side}: {name}, an open feed"


if __name__ == "__main__":
    main()
