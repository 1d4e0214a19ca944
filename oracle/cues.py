"""When an end comes in the simulation: not only at any moment, but right after what both journals say to have happened.

Most of what goes wrong at an end goes wrong in the middle of something: a loss, an attempt to come back, a replay, a
change, a close. A cue is drawn from the seed, as all is: which record, how many of its kind later, how soon after it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from oracle import journal as j

__all__ = ["CUES", "Changes", "Cue", "Watched"]


# A change that came back is in the store after so long, in seconds, at the latest: it is written once a second.
KEPT_WITHIN = 1.5


def _heard(record: j.Record, what: str) -> bool:
    return isinstance(record, j.Heard) and record.what.startswith(what)


CUES: dict[str, Callable[[j.Record], bool]] = {
    "loss": lambda record: isinstance(record, j.ConnEnded),
    "told": lambda record: isinstance(record, j.Told) and record.event == "disconnected",
    "fault": lambda record: isinstance(record, j.Struck),
    "token": lambda record: _heard(record, "POST /restapi/oauth/wstoken"),
    "upgrade": lambda record: _heard(record, "upgrade"),
    "opened": lambda record: isinstance(record, j.ConnOpened),
    "replay": lambda record: isinstance(record, j.Written) and record.how == "replay",
    "live": lambda record: isinstance(record, j.Written) and record.how == "live",
    "gap": lambda record: isinstance(record, j.GapTold),
    "changing": lambda record: isinstance(record, j.Changing),
    "in-force": lambda record: isinstance(record, j.InForce),
    "begin": lambda record: isinstance(record, j.LifeBegan),
    "closing": lambda record: isinstance(record, j.Closing),
}


class Cue:
    """Wait for one record of a kind, and a moment more.

    Args:
        rng: draws it.

    Attributes:
        name: of `CUES`.
        kill: the end that it stands for is a kill.
    """

    def __init__(self, rng: random.Random) -> None:
        self.name = rng.choice(list(CUES))
        self.kill = rng.random() < 0.5 or self.name == "closing"
        self._left = 0 if self.name in {"begin", "closing"} else rng.choice((0, 1, 3, 10))
        self._delay = rng.choice((0.0, 0.01, 0.3, 3.0, 15.0)) * rng.random()
        self._met = trio.Event()

    def saw(self, record: j.Record) -> None:
        """Look at one record of either journal."""
        if CUES[self.name](record):
            self._left -= 1
            if self._left < 0:
                self._met.set()

    async def wait(self) -> None:
        """Wait until it is time."""
        await self._met.wait()
        await trio.sleep(self._delay)


class Watched(j.Journal):
    """A journal that shows each record to whoever looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.watchers: list[Callable[[j.Record], None]] = []

    def put(self, record: j.Record) -> None:
        """Write one record, then show it."""
        if not self.closed:
            super().put(record)
            for watcher in self.watchers:
                watcher(record)


class Changes:
    """Know the changes of the filters that are under way, so that a life without a cue does not end in one."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._last = -KEPT_WITHIN

    def saw(self, record: j.Record) -> None:
        """Look at one record of the client's journal."""
        if isinstance(record, j.Changing):
            self._open.add(record.op)
        elif isinstance(record, j.Changed):
            self._open.discard(record.op)
            self._last = trio.current_time()

    async def over(self) -> None:
        """Wait until none is under way and the last is kept, but not for ever."""
        with trio.move_on_after(100):
            while self._open or trio.current_time() - self._last < KEPT_WITHIN:  # noqa: ASYNC110 - time passes, too
                await trio.sleep(0.1)
