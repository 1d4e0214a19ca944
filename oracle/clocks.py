"""All clocks of the process led by one virtual clock, while a simulation runs; else they are what they were.

Import this before the library: whoever says `from time import monotonic` keeps what it finds. The wall clock is left to
time-machine, which reaches `datetime` too; it does not touch the monotonic clocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import time_machine
import trio

__all__ = ["EPOCH", "Wall", "led_by"]

# The wall clock when a simulation begins, in seconds since the epoch.
EPOCH = 1_800_000_000.0

_leader: list[Callable[[], float]] = []


def _follow(name: str, scale: int | None) -> None:
    original = getattr(time, name)

    def read() -> float:
        if not _leader:
            return original()  # type: ignore[no-any-return]
        # The leader may itself read the real clock.
        leader = _leader.pop()
        try:
            seconds = leader()
        finally:
            _leader.append(leader)
        return seconds if scale is None else round(seconds * scale)

    setattr(time, name, read)


for _name in ("monotonic", "perf_counter"):
    _follow(_name, None)
    _follow(f"{_name}_ns", 10**9)


class Wall(trio.abc.Instrument):
    """The wall clock, moved along with the virtual one; `offset` is what a step adds."""

    def __init__(self, clock: trio.abc.Clock, traveller: time_machine.Traveller) -> None:
        self.offset = 0.0
        self._clock = clock
        self._traveller = traveller
        self._last = -1.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Catch up; within one moment there is nothing to do."""
        now = self._clock.current_time() + self.offset
        if now != self._last:
            self._last = now
            self._traveller.move_to(EPOCH + now)


@contextmanager
def led_by(clock: trio.abc.Clock) -> Iterator[Wall]:
    """Let all clocks follow this one; give the instrument that `trio.run` needs for the wall clock."""
    with time_machine.travel(EPOCH, tick=False) as traveller:
        _leader.append(clock.current_time)
        try:
            yield Wall(clock, traveller)
        finally:
            _leader.pop()
