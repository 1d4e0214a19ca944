"""All clients of a server: those that are connected, and those that are away and may come back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from rcex_ws.rtm.server.session import Session

__all__ = ["Sessions"]

#: Clients that may be away; beyond that, the one that has been away longest is given up.
_MOST_AWAY = 10_000


class Sessions:
    """The clients that have been accepted.

    Args:
        window: seconds for which a client may be away.
        on_gone: called with a client that is given up.
    """

    def __init__(self, window: float, on_gone: Callable[[Session], None]) -> None:
        self._window = window
        self._on_gone = on_gone
        self._connected: dict[Session, None] = {}
        self._away: dict[Session, None] = {}  # in the order in which they expire
        self._by_key: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._connected)

    def __iter__(self) -> Iterator[Session]:
        """Iterate over a copy: those that are connected, then those that are away."""
        return iter((*self._connected, *self._away))

    @property
    def connected(self) -> tuple[Session, ...]:
        """Those that are connected."""
        return tuple(self._connected)

    def find(self, key: str) -> Session | None:
        """Return the client with a key."""
        return self._by_key.get(key)

    def add(self, session: Session) -> None:
        """Add a client that is connected, or has come back."""
        self._away.pop(session, None)
        session.expires_at = math.inf
        self._connected[session] = None
        if session.key:
            self._by_key[session.key] = session

    def leave(self, session: Session, now: float) -> None:
        """Note that a client has lost its connection; it is given up at once if it cannot resume."""
        self._connected.pop(session, None)
        if not session.key:
            self._give_up(session)
            return
        session.expires_at = now + self._window
        self._away[session] = None
        if len(self._away) > _MOST_AWAY:
            self._give_up(next(iter(self._away)))

    def give_up(self, session: Session) -> None:
        """Give up a client that is away, or is to be away."""
        self._connected.pop(session, None)
        self._give_up(session)

    def poll(self, now: float) -> float:
        """Give up those that have been away for too long; return when the next one will have been."""
        while self._away:
            session = next(iter(self._away))
            if session.expires_at > now:
                return session.expires_at
            self._give_up(session)
        return math.inf

    def _give_up(self, session: Session) -> None:
        self._away.pop(session, None)
        self._by_key.pop(session.key, None)
        session.key = ""
        self._on_gone(session)
