"""All clocks of the process led by one virtual clock, while a simulation runs; else they are what they were.

Import this before the library: whoever says `from time import monotonic` keeps what it finds. The wall clock is left to
time-machine, which reaches `datetime` too; it does not touch the monotonic clocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import time_machine
import trio

__all__ = ["EPOCH", "VirtualClock", "led"]

# The wall clock when a simulation begins, in seconds since the epoch.
EPOCH = 1_800_000_000.0

_leader: list[Callable[[], float]] = []


def _follow(name: str, scale: int | None) -> None:
    original = getattr(time, name)

    def read() -> float:
        if not _leader:
            return original()  # type: ignore[no-any-return]
        seconds = _leader[-1]()
        return seconds if scale is None else round(seconds * scale)

    setattr(time, name, read)


for _name in ("monotonic", "perf_counter"):
    _follow(_name, None)
    _follow(f"{_name}_ns", 10**9)


class VirtualClock(trio.abc.Clock):
    """Jump to the next deadline whenever all tasks wait, and move the wall clock along.

    It is read at every step of every task, so it is made for that: `trio.testing.MockClock` asks the real clock each
    time, and goes round the loop once more for each jump.
    """

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self._now = 0.0
        self._wall_ahead = 0.0

    def start_clock(self) -> None:
        """Do nothing: it goes by itself."""

    def current_time(self) -> float:
        """Give the virtual time."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Be there at once: trio asks when nothing can run before the deadline."""
        if self._now < deadline < float("inf"):
            self._now = deadline
            self._move_wall()
        return 0.0 if deadline <= self._now else deadline

    def step_wall(self, seconds: float) -> float:
        """Set the wall clock, as a user or a time server does; give how far it is ahead now."""
        self._wall_ahead += seconds
        self._move_wall()
        return self._wall_ahead

    def _move_wall(self) -> None:
        self._traveller.move_to(EPOCH + self._now + self._wall_ahead)


@contextmanager
def led() -> Generator[VirtualClock]:
    """Let all clocks follow a virtual one, which is given."""
    with time_machine.travel(EPOCH, tick=False) as traveller:
        clock = VirtualClock(traveller)
        _leader.append(clock.current_time)
        try:
            yield clock
        finally:
            _leader.pop()
