"""The events of one user: what is published goes to all of the user's clients on this server, in order."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.broker.interface import Broker, BrokerUnavailable, Entry, Hole
from rcex_ws.loop import Signal
from rcex_ws.rtm.resumption import GapNotice
from rcex_ws.rtm.server.publication import Publication
from rcex_ws.rtm.server.session import Session

__all__ = ["UserChannel", "UserChannels", "topic_of"]

#: Entries that wait for one client while the log is read for it; more of them become a gap.
_MOST_HELD = 10_000


class UserChannel:
    """The clients of one user on this server; a `Reader` of the user's log.

    Args:
        user_id: the user.
        taken: called with a publication, and how many connections have taken it.

    Attributes:
        user_id: as given.
        sessions: the clients, also those that are away and may come back.
        position: of the last entry.
        ready: set once the log is followed.
    """

    __slots__ = ("_held", "_taken", "position", "ready", "sessions", "user_id")

    def __init__(self, user_id: str, taken: Callable[[Publication, int], None]) -> None:
        self.user_id = user_id
        self.sessions: dict[Session, None] = {}
        self.position = ""
        self.ready = Signal()
        self._held: dict[Session, list[Entry | GapNotice]] = {}  # for clients for which the log is being read
        self._taken = taken

    @property
    def connections(self) -> int:
        """How many of the clients are connected."""
        return sum([session.peer is not None for session in self.sessions])

    def on_entry(self, entry: Entry) -> None:
        """Send an event to all clients."""
        self.position = entry.position
        publication = Publication.decode(entry)
        event, count = publication.outbound(), 0
        for session in self.sessions:
            held = self._held.get(session)
            if held is None:
                count += session.send(event)
            elif len(held) < _MOST_HELD:
                held.append(entry)
        self._taken(publication, count)

    def on_hole(self, hole: Hole, position: str) -> None:
        """Tell all clients that events may be missing."""
        self.position = position
        notice = GapNotice(hole.reason, certain=hole.certain, position=position)
        for session in self.sessions:
            held = self._held.get(session)
            if held is None:
                session.tell_gap(notice)
            else:
                held.append(notice)

    def add(self, session: Session) -> None:
        """Add a client, and keep what comes for it until `release`."""
        self.sessions[session] = None
        self._held[session] = []

    def release(self, session: Session) -> list[Entry | GapNotice]:
        """Return what has come for a client since `add`; from now on it is sent at once."""
        return self._held.pop(session, [])


class UserChannels:
    """The channels of all users with a client on this server.

    Args:
        broker: has the logs.
        taken: see `UserChannel`.
    """

    def __init__(self, broker: Broker, taken: Callable[[Publication, int], None]) -> None:
        self._broker = broker
        self._taken = taken
        self._channels: dict[str, UserChannel] = {}

    def get(self, user_id: str) -> UserChannel | None:
        """Return the channel of a user; None if no client of the user is here."""
        return self._channels.get(user_id)

    async def join(self, user_id: str, session: Session) -> UserChannel:
        """Add a client of a user: whatever is published after this returns is kept for it, until it is released."""
        channel = self._channels.get(user_id)
        if channel is not None:
            channel.add(session)
            await channel.ready.wait()
            return channel
        channel = self._channels[user_id] = UserChannel(user_id, self._taken)
        channel.add(session)
        try:
            position = await self._broker.follow(topic_of(user_id), channel)
            channel.position = channel.position or position
        except BrokerUnavailable:
            pass  # `on_hole` will tell the clients once the log can be followed
        finally:
            channel.ready.set()
        return channel

    def leave(self, session: Session) -> None:
        """Remove a client, if it is there."""
        user_id = session.client.user_id
        channel = None if user_id is None else self._channels.get(user_id)
        if channel is not None and user_id is not None:
            channel.sessions.pop(session, None)
            channel.release(session)
            if not channel.sessions:
                del self._channels[user_id]
                self._broker.unfollow(topic_of(user_id))


def topic_of(user_id: str) -> str:
    """Return the topic of what is published to a user."""
    return f"user:{user_id}"
