"""The stores of a simulated machine: they outlive a life, take their time, and share no object with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from oracle import journal as j
from oracle.damage import spoil
from oracle.faults import Plan
from rcex_ws import ConfigurationError, SessionUnreadable, Token
from rcex_ws.wsg.stored import StoredSession

__all__ = ["Disk", "MemorySessionStore", "MemoryTokenStore"]

Kept = TypeVar("Kept")


class Disk:
    """What is kept, as bytes, and by whom the session is used."""

    def __init__(self) -> None:
        self.session: bytes | None = None
        self.token: bytes | None = None
        self.holder: int | None = None

    def damage(self, plan: Plan, put: Callable[[j.Record], None]) -> None:
        """Spoil what is kept, if the plan wants it, while nobody uses it."""
        if self.session is not None and plan.strikes("damage-session"):
            how, self.session = spoil(self.session, plan.dice("damage-session"))
            put(j.Struck("damage-session", "store", detail=how))
        if self.token is not None and plan.strikes("damage-token"):
            how, self.token = spoil(self.token, plan.dice("damage-token"), missing=True)
            put(j.Struck("damage-token", "store", detail=how))


class MemorySessionStore:
    """A SessionStore of one life.

    Args:
        disk: where to.
        life: names the life.
        delay: gives the seconds that a write takes.
        fails: raises when a write is to fail.
    """

    def __init__(
        self, disk: Disk, life: int, delay: Callable[[], float], fails: Callable[[], None] = lambda: None
    ) -> None:
        self.dead = False
        self._fails = fails
        self._disk = disk
        self._life = life
        self._delay = delay

    async def open(self) -> StoredSession | None:
        """Take the store."""
        await trio.sleep(self._delay())
        if self._disk.holder not in {None, self._life}:
            raise ConfigurationError("another life has the store")
        self._disk.holder = self._life
        kept = self._disk.session
        if kept is None:
            return None
        if (session := _read(kept, StoredSession)) is None:
            raise SessionUnreadable("what is kept cannot be read")
        return session

    async def save(self, session: StoredSession) -> None:
        """Keep a session; as a file that is replaced, it is there whole or not at all."""
        data = msgspec.json.encode(session)
        await trio.sleep(self._delay())
        if not self.dead:
            self._fails()
        if not self.dead and self._disk.holder == self._life:
            self._disk.session = data

    async def clear(self) -> None:
        """Forget the session."""
        await trio.sleep(self._delay())
        if not self.dead and self._disk.holder == self._life:
            self._disk.session = None

    async def close(self) -> None:
        """Leave the store."""
        await trio.sleep(self._delay())
        if not self.dead and self._disk.holder == self._life:
            self._disk.holder = None

    def kill(self) -> None:
        """Take nothing more; the system frees a dead process's lock."""
        self.dead = True
        if self._disk.holder == self._life:
            self._disk.holder = None


class MemoryTokenStore:
    """A TokenStore of one life; arguments as above."""

    def __init__(self, disk: Disk, delay: Callable[[], float]) -> None:
        self.dead = False
        self._disk = disk
        self._delay = delay

    async def load(self) -> Token | None:
        """Give the kept token."""
        await trio.sleep(self._delay())
        kept = self._disk.token
        return None if kept is None else _read(kept, Token)

    async def save(self, token: Token) -> None:
        """Keep a token."""
        data = msgspec.json.encode(token)
        await trio.sleep(self._delay())
        if not self.dead:
            self._disk.token = data

    async def clear(self) -> None:
        """Forget it."""
        await trio.sleep(self._delay())
        if not self.dead:
            self._disk.token = None

    def kill(self) -> None:
        """Take nothing more."""
        self.dead = True


def _read(kept: bytes, type_: type[Kept]) -> Kept | None:
    """Read what is kept; None when it is damaged."""
    try:
        return msgspec.json.decode(kept, type=type_)
    except msgspec.MsgspecError:
        return None
