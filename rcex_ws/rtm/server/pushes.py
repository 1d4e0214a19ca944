"""Who has subscribed to which pushes."""

from __future__ import annotations

from collections.abc import Iterator

from rcex_ws.rtm.server.session import ClientSession, Push

__all__ = ["Pushes"]


class Pushes:
    """The push subscriptions of all clients, by event."""

    def __init__(self) -> None:
        self._by_event: dict[str, dict[ClientSession, set[frozenset[str]]]] = {}

    def add(self, session: ClientSession, push: Push) -> None:
        """Add a subscription of a client; ignored if it is there."""
        event, tags = push
        self._by_event.setdefault(event, {}).setdefault(session, set()).add(tags)
        if session.pushes is None:
            session.pushes = set()
        session.pushes.add(push)

    def remove(self, session: ClientSession, push: Push) -> None:
        """Remove a subscription of a client, if it is there."""
        event, tags = push
        if session.pushes is None or push not in session.pushes:
            return
        session.pushes.discard(push)
        sessions = self._by_event[event]
        sessions[session].discard(tags)
        if not sessions[session]:
            del sessions[session]
            if not sessions:
                del self._by_event[event]

    def remove_all(self, session: ClientSession) -> None:
        """Remove all subscriptions of a client."""
        for push in tuple(session.pushes or ()):
            self.remove(session, push)

    def matching(self, event: str, tags: frozenset[str]) -> Iterator[ClientSession]:
        """Yield each client with a subscription to the event that shares a tag.

        An event without tags is for every subscription, and a subscription without tags is to every event.
        """
        for session, subscriptions in tuple(self._by_event.get(event, {}).items()):
            if not tags or any(not own or not own.isdisjoint(tags) for own in subscriptions):
                yield session
