"""Does a long life of a client hold more and more? Samples of what it holds, and their judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

__all__ = ["EVERY", "Sampled", "judge_growth", "lags", "read_samples"]

#: Between two samples, in seconds.
EVERY = 0.25
#: A sample that is later than this, in seconds, was held up.
LATE = 0.1
#: A life shorter than this, in seconds, says nothing: caches fill, the allocator still takes its first arenas.
LONG_ENOUGH = 40.0
#: The least of its second quarter and the least of its last one may differ by so much. What is busy comes and goes,
#: what has leaked stays. HTTPS keeps up to 20 connections open for 5 s.
RSS_BOUND = 4 * 2**20
DESCRIPTOR_BOUND = 10
TASK_BOUND = 6


class Sampled(msgspec.Struct, omit_defaults=True):
    """What a life held at one moment.

    Attributes:
        life: its number.
        at: seconds, on the clock of the journals.
        rss: resident memory, in bytes.
        descriptors: how many were open.
        tasks: how many there were.
        handled: notifications handled so far, to see what memory goes with.
    """

    life: int
    at: float
    rss: int
    descriptors: int
    tasks: int
    handled: int = 0


def read_samples(lines: Iterable[bytes]) -> list[Sampled]:
    """Read lines; a last line that a kill cut short is left out."""
    return [msgspec.json.decode(line, type=Sampled) for line in lines if line.endswith(b"\n")]


def lags(samples: Sequence[Sampled]) -> list[float]:
    """Give the moments at which a life had been held up: by a busy machine, by a blocked loop, by being suspended."""
    return [
        after.at
        for before, after in pairwise(samples)
        if before.life == after.life and after.at - before.at > EVERY + LATE
    ]


def judge_growth(samples: Sequence[Sampled]) -> list[str]:
    """Name what grew, life by life, in words for people."""
    grown: list[str] = []
    for life in sorted({sample.life for sample in samples}):
        of_life = [sample for sample in samples if sample.life == life]
        seconds = of_life[-1].at - of_life[0].at
        if seconds < LONG_ENOUGH or len(of_life) < 8:
            continue
        quarter = len(of_life) // 4
        early, late = of_life[quarter : 2 * quarter], of_life[-quarter:]
        for what, unit, bound in (
            ("rss", "bytes", RSS_BOUND),
            ("descriptors", "descriptors", DESCRIPTOR_BOUND),
            ("tasks", "tasks", TASK_BOUND),
        ):
            before, after = (min(getattr(sample, what) for sample in part) for part in (early, late))
            if after - before > bound:
                grown.append(
                    f"life {life} grew from {before:,} to {after:,} {unit} between its second and its last "
                    f"quarter ({seconds:.0f} s; at most {bound:,} more)"
                )
    return grown
