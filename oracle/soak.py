"""Soak: a real server, a real client that is stopped, killed and suspended, and a verdict on what it was told.

    python -m oracle.soak --seed 1 --seconds 30 --loop trio
    python -m oracle.soak --seeds 1-20 --seconds 30 --faults all,-kill

Exit code 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from oracle import journal as j
from oracle.faults import GROUPS, KINDS, PROCESS_KINDS, choose_kinds
from oracle.growth import judge_growth, lags, read_samples
from oracle.history import History
from oracle.judge import judge
from oracle.lives import Course, Options, run_lives
from oracle.plain import LOOPS
from oracle.schedule import ACT_KINDS
from oracle.summary import count, join, tell
from oracle.tables import Tally, take
from oracle.violation import Violation

#: Where journals are kept, in a folder for each loop and seed.
RUNS = Path(__file__).parent / "runs"


def main() -> None:
    """Run the soaks that are asked for, one after the other."""
    options = _parse()
    total = Tally()
    failed = [seed for seed in options.seeds if not _soak(_options(options, seed), total)]
    if len(options.seeds) > 1:
        print("\n".join(total.lines()))
        print(f"{len(options.seeds) - len(failed)} passed, {len(failed)} failed: {failed}")
    sys.exit(1 if failed else 0)


def _soak(options: Options, total: Tally) -> bool:
    """Run one soak, tell the verdict and add it to the tables."""
    began = time.monotonic()
    course = run_lives(options)
    seconds = time.monotonic() - began
    server, client = (_read(path) for path in (options.server_journal, options.client_journal))
    samples = read_samples(options.samples.read_bytes().splitlines(keepends=True)) if options.samples.exists() else []
    # A machine that held a process up is a cause of a gap, as a fault is.
    server += [j.Struck("lag", "client", at=at) for at in lags(samples)]
    client = list(_begun(client))
    server, client = (sorted(records, key=lambda record: record.at) for records in (server, client))
    verdict = judge(server, client)
    violations = [
        *(Violation("process", 0.0, text) for text in course.wrong),
        *verdict.violations,
        *(Violation("growth", 0.0, text) for text in judge_growth(samples)),
    ]
    history = History(server, client)
    hours, name = options.seconds / 3600, f"seed {options.seed}, {options.loop}"
    total.add(take(history, options.seed, name, hours, violations, Counter(verdict.figures)))
    counts = [*count(history), _count_lives(course)]
    print(tell(name, seconds, counts, violations, options.folder), flush=True)
    return not violations


def _count_lives(course: Course) -> str:
    return f"lives    {course.lives} of the client; {join(course.acts)}"


def _begun(client: Sequence[j.AnyRecord]) -> Iterator[j.AnyRecord]:
    """Give the records, and a begin to each life that was killed before it had written down its own."""
    begun = {record.life: record for record in client if isinstance(record, j.LifeBegan)}
    store = any(life.store for life in begun.values())
    for record in client:
        if isinstance(record, j.LifeEnded) and record.life not in begun:
            yield j.LifeBegan(record.life, store, at=record.at)
        yield record


def _read(path: Path) -> list[j.AnyRecord]:
    with path.open("rb") as lines:
        return j.read_journal(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", "--seeds", dest="seeds", type=_seeds, default=[1], help='one, A-B, or "random"')
    parser.add_argument("--seconds", type=float, default=30.0, help="until the faults stop")
    parser.add_argument("--settle", type=float, default=6.0, help="seconds of calm after that, before the end")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument(
        "--faults",
        default="all",
        help=f"kinds and groups, comma separated, -kind takes one away: {', '.join([*GROUPS, *KINDS, *PROCESS_KINDS])}",
    )
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the journals")
    parser.add_argument("--pace", type=float, default=0.05, help="the times of a real service are multiplied by this")
    parser.add_argument("--recovery-timeout", type=float, default=4.0, help="the server's, in seconds")
    return parser.parse_args()


def _options(options: argparse.Namespace, seed: int) -> Options:
    kinds = choose_kinds(options.faults)
    return Options(
        seed=seed,
        seconds=options.seconds,
        settle=options.settle,
        loop=options.loop,
        kinds=kinds.difference(ACT_KINDS),  # what strikes the processes strikes from outside
        acts=[kind for kind in ACT_KINDS if kind in kinds],
        pace=options.pace,
        recovery_timeout=options.recovery_timeout,
        folder=options.runs / f"{options.loop}-{seed}",
    )


def _seeds(text: str) -> list[int]:
    if text == "random":
        return [random.randrange(1000, 10**6)]
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    main()
