"""The command line that all programs share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common.machine import Others

__all__ = ["Options", "parse"]


@dataclass(frozen=True, slots=True)
class Options:
    """Say how much to do.

    Attributes:
        json: where the report goes as JSON; None for nowhere.
        quick: do very little: to see that the program runs, not to measure.
        rounds: how often each contender has its turn.
        seconds: how long one turn takes, about.
        others: what else runs on this machine meanwhile.
    """

    json: Path | None
    quick: bool
    rounds: int
    seconds: float
    others: Others = field(default_factory=Others)


def parse(description: str | None, *, rounds: int = 5, seconds: float = 0.4) -> Options:
    """Read the command line.

    Args:
        description: the program's docstring.
        rounds: unless told otherwise.
        seconds: likewise.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    parser.add_argument("--quick", action="store_true", help="do very little: to see that it runs, not to measure")
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each contender (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=seconds, help="length of a turn (default: %(default)s)")
    given = parser.parse_args()
    if given.quick:
        return Options(given.json, quick=True, rounds=1, seconds=0.02)
    return Options(given.json, quick=False, rounds=given.rounds, seconds=given.seconds)
