"""What surrounds a life of the random application in a process of its own: the stores on disk, the server's address."""

from __future__ import annotations

import errno
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from rcex_ws import FileSessionStore, FileTokenStore, RingCentral, WebSocketExtension

__all__ = ["CALM", "Access", "DiskFull", "ProcessWorld"]

#: A file of this name says that the plan is over.
CALM = "calm"
#: A predecessor that is dying may hold the lock of the store for so long, in seconds.
_STORE_WAIT = 5.0
#: The waits after failures in a row, at pace 1; the last one goes on. Shorter than the library's own, whose last one
#: is two minutes: a soak has to see the end of an outage.
_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0)
#: A slow disk takes so long for one write, in seconds, at pace 1.
_SLOW_STORE = 20.0
#: So often a write fails, where that is a fault.
_FAILS = 0.1
#: For one REST call, at pace 1.
_CALL_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server is, and what it wants to see."""

    server: str
    client_id: str
    client_secret: str
    jwt: str


class DiskFull(OSError):
    """What a store raises on purpose."""


class _Store(FileSessionStore):
    """The session store, on a disk that may take its time.

    Args:
        path: the file.
        rng: of the time.
        slowest: seconds that a write takes at most, besides its own.
        fails: how often a write fails, from 0 to 1.
        calm: says whether it is over with that.
    """

    def __init__(self, path: Path, rng: random.Random, slowest: float, fails: float, calm: Callable[[], bool]) -> None:
        super().__init__(path, wait=_STORE_WAIT)
        self._slow_rng = rng
        self._slowest = slowest
        self._fails = fails
        self._calm = calm

    async def save(self, session: Any) -> None:
        """Write the session, after a while, or fail."""
        if self._slowest and not self._calm():
            await anyio.sleep(self._slow_rng.choice((0.0, 0.1, 1.0)) * self._slowest)
        if self._fails and not self._calm() and self._slow_rng.random() < self._fails:
            raise DiskFull(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await super().save(session)


@dataclass
class ProcessWorld:
    """The `oracle.application.World` of a process.

    Args:
        access: to the server.
        state: folder of the stores and of the application's own settings.
        pace: by what all times are multiplied.
        seed: decides whether there are stores, for all lives alike, and how long it waits between attempts.
        kinds: faults; "slow-store" is the one that it sees to.
    """

    access: Access
    state: Path
    pace: float
    seed: int
    kinds: frozenset[str] = frozenset()
    stop: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.jwt = self.access.jwt
        self.state.mkdir(parents=True, exist_ok=True)
        self.has_store = random.Random(f"store {self.seed}").random() < 0.85
        self._settings = self.state / "filters.json"
        self._rng = random.Random(f"delays {self.seed}")

    @property
    def filters(self) -> list[str]:
        """What the application wanted last; kept in a file, as a program's settings are."""
        return [str(one) for one in json.loads(self._settings.read_text())] if self._settings.exists() else []

    @filters.setter
    def filters(self, filters: list[str]) -> None:
        new = self._settings.with_suffix(".new")
        new.write_text(json.dumps(filters))
        new.replace(self._settings)

    def calm(self) -> bool:
        """Say whether the plan is over: no signal does, which would kill a process that does not listen yet."""
        return (self.state / CALM).exists()

    async def until_calm(self) -> None:
        """Wait until it is."""
        while not self.calm():  # noqa: ASYNC110 - a file tells nobody that it is there
            await anyio.sleep(5 * self.pace)

    def make_client(self) -> RingCentral:
        """Make the client."""
        return RingCentral(
            server=self.access.server,
            client_id=self.access.client_id,
            client_secret=self.access.client_secret,
            token_store=FileTokenStore(self.state / "token.json") if self.has_store else None,
            timeout=_CALL_TIMEOUT * self.pace,
            proxy=False,
        )

    def make_extension(self, **options: Any) -> WebSocketExtension:
        """Make the extension."""
        store = None
        if self.has_store:
            slowest = _SLOW_STORE * self.pace if "slow-store" in self.kinds else 0.0
            fails = _FAILS if "store-fails" in self.kinds else 0.0
            store = _Store(self.state / "session.json", self._rng, slowest, fails, self.calm)
        return WebSocketExtension(session_store=store, reconnect_delays=self._delay, **options)

    def _delay(self, failures: int) -> float:
        longest = _DELAYS[min(failures, len(_DELAYS)) - 1]
        return self._rng.uniform(0.5, 1.0) * longest * self.pace
