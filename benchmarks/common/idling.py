"""What connections cost that do nothing: memory, CPU, wake-ups."""

from __future__ import annotations

import contextlib
import gc
import resource
from collections.abc import Generator
from dataclasses import dataclass

import anyio
import psutil

from benchmarks.common.worker import measured

__all__ = ["Grown", "at_rest", "footprint", "resident"]


@dataclass(slots=True)
class Grown:
    """By how many bytes this process has grown."""

    bytes: int = 0


@contextlib.contextmanager
def footprint() -> Generator[Grown]:
    """Measure by how much the memory of this process grows inside; garbage does not count."""
    grown = Grown()
    before = resident()
    yield grown
    grown.bytes = resident() - before


async def at_rest(seconds: float) -> dict[str, float]:
    """Do nothing for some seconds; give the CPU and the wake-ups that others caused meanwhile."""
    with measured() as sample:
        before = _sleeps()
        await anyio.sleep(seconds)
        woken = _sleeps() - before
    return {**sample(), "wakeups": woken}


def resident() -> int:
    """Return the memory of this process, in bytes, without garbage."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def _sleeps() -> int:
    """Count how often this process went to sleep by itself: each wake-up is followed by one such switch."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
