"""Run two servers, a Redis and some clients against each other, let things fail, and judge.

    python -m oracle.rtm.soak --seed 1 --seconds 15 --loop trio
    python -m oracle.rtm.soak --seeds 1-20 --faults all,-drain

Exit code 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import trio

from oracle.lines import Line, read_lines
from oracle.plain import LOOPS
from oracle.rtm import faults
from oracle.rtm.course import Course, Options
from oracle.rtm.judge import judge
from oracle.rtm.mutants import survivors
from oracle.rtm.records import KINDS
from oracle.rtm.summary import figures
from oracle.verdict import report
from tests.redis_server import redis_is_installed

RUNS = Path(__file__).parents[1] / "runs"


def main() -> None:
    """Run the soaks that are asked for, one after the other."""
    options = _parse()
    # However it is stopped, no process that it has started is left behind; trio knows how to take an interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    if not options.alone and not redis_is_installed():
        sys.exit("redis-server is needed (Debian's package of that name), or --alone")
    failed = [seed for seed in options.seeds if not _soak(options, seed)]
    if len(options.seeds) > 1:
        print(f"{len(options.seeds) - len(failed)} passed, {len(failed)} failed: {failed}")
    sys.exit(1 if failed else 0)


def _soak(options: argparse.Namespace, seed: int) -> bool:
    folder = options.runs / f"rtm-{options.loop}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rtm-") as short:
        course = Course(
            Options(
                seed=seed,
                seconds=options.seconds,
                loop=options.loop,
                faults=options.faults,
                redis=not options.alone,
                folder=folder,
                control=Path(short) / "control",
            )
        )
        trio.run(course.run)
    lines: list[Line] = [line for path in course.journals for line in read_lines(path, KINDS)]
    found = judge(lines)
    took = time.monotonic() - began
    verdict = "FAIL" if found else "ok  "
    print(f"{verdict}  rtm seed {seed}, {options.loop}, {course.kind}, {took:.0f} s; {figures(lines)}")
    first = min((line.at for line in lines), default=began)
    for line in report(found, first):
        print(line)
    if found:
        print(f"  journals in {folder}")
    if options.mutants and not found:
        alive = survivors(lines)
        found += alive
        for mutant in alive:
            print(f"  mutant not found: {mutant.what}")
    sys.stdout.flush()
    return not found


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", "--seeds", dest="seeds", type=_seeds, default=[1], help='one, A-B, or "random"')
    parser.add_argument("--seconds", type=float, default=15.0, help="until the faults stop")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument(
        "--faults",
        type=faults.named,
        default="all",
        help=f"all, none, groups and kinds, -kind takes one away: {', '.join([*faults.GROUPS, *sorted(faults.ALL)])}",
    )
    parser.add_argument("--alone", action="store_true", help="one server without a Redis")
    parser.add_argument("--mutants", action="store_true", help="spoil the journals in all ways, and judge again")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the journals")
    return parser.parse_args()


def _seeds(text: str) -> list[int]:
    if text == "random":
        return [random.randrange(1000, 10**6)]
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    main()
