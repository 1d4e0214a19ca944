"""All clients of a server: those that are connected, and those that are away and may come back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from rcex_ws.rtm.server.session import ClientSession
from rcex_ws.websocket.peer import Peer

__all__ = ["Sessions"]

#: Clients that may be away; beyond that, the one that has been away longest is given up.
_MOST_AWAY = 10_000


class Sessions:
    """The clients that have been accepted.

    Args:
        window: seconds for which a client may be away.
        on_gone: called with a client that is given up.
    """

    def __init__(self, window: float, on_gone: Callable[[ClientSession], None]) -> None:
        self._window = window
        self._on_gone = on_gone
        self._connected: dict[Peer, ClientSession] = {}
        self._away: dict[ClientSession, None] = {}  # in the order in which they expire
        self._by_key: dict[str, ClientSession] = {}

    def __len__(self) -> int:
        return len(self._connected)

    def __iter__(self) -> Iterator[ClientSession]:
        """Iterate over a copy: those that are connected, then those that are away."""
        return iter((*self._connected.values(), *self._away))

    @property
    def connected(self) -> tuple[ClientSession, ...]:
        """Those that are connected."""
        return tuple(self._connected.values())

    def find(self, key: str) -> ClientSession | None:
        """Return the client with a key."""
        return self._by_key.get(key)

    def add(self, session: ClientSession, peer: Peer) -> Peer | None:
        """Add a client over a connection, or have it come back; return the connection that this takes over."""
        former, session.peer = session.peer, peer
        if former is not None:
            self._connected.pop(former, None)
        self._away.pop(session, None)
        session.expires_at = math.inf
        self._connected[peer] = session
        if session.key:
            self._by_key[session.key] = session
        return None if former is peer else former

    def leave(self, peer: Peer, now: float) -> ClientSession | None:
        """Note that a connection is lost; its client is given up at once if it cannot resume.

        Returns:
            The client; None if it was not accepted, or has come back over another connection.
        """
        session = self._connected.pop(peer, None)
        if session is None:
            return None
        session.peer = None
        if not session.key:
            self.give_up(session)
            return session
        session.expires_at = now + self._window
        self._away[session] = None
        if len(self._away) > _MOST_AWAY:
            self.give_up(next(iter(self._away)))
        return session

    def end(self, session: ClientSession) -> None:
        """Let a client not come back: it is given up now if it is away, else once its connection is lost."""
        self._by_key.pop(session.key, None)
        session.key, session.backlog = "", None
        if session in self._away:
            self.give_up(session)

    def give_up(self, session: ClientSession) -> None:
        """Give up a client that is not connected."""
        self._away.pop(session, None)
        self._by_key.pop(session.key, None)
        session.key = ""
        self._on_gone(session)

    def poll(self, now: float) -> float:
        """Give up those that have been away for too long; return when the next one will have been."""
        while self._away:
            session = next(iter(self._away))
            if session.expires_at > now:
                return session.expires_at
            self.give_up(session)
        return math.inf
