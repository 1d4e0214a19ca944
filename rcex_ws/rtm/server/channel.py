"""The events of one user: what is published goes to all of the user's clients on this server, in order."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from rcex_ws.broker.interface import Broker, BrokerUnavailable, Entry, Hole, Stretch
from rcex_ws.loop import Signal
from rcex_ws.rtm.resumption import GapNotice
from rcex_ws.rtm.server.publication import Publication
from rcex_ws.rtm.server.session import ClientSession

__all__ = ["UserChannel", "UserChannels", "topic_of"]

#: Entries that wait for one client while the log is read for it; more of them become a gap.
_MOST_HELD = 10_000

_TOO_MANY = GapNotice("more was published than can wait for this client", certain=True)


class _Held:
    """What has come for one client, and waits.

    Args:
        max_bytes: the most bytes of it.
    """

    __slots__ = ("_bytes", "_items", "_max_bytes", "_overflowed")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: list[Entry | GapNotice] = []
        self._overflowed = False

    def put(self, item: Entry | GapNotice) -> None:
        """Keep something; once there is too much, drop everything until `take`."""
        self._overflowed |= len(self._items) >= _MOST_HELD or self._bytes >= self._max_bytes
        if not self._overflowed:
            self._items.append(item)
            self._bytes += len(item.data) if isinstance(item, Entry) else 0

    def take(self, end: str) -> list[Entry | GapNotice]:
        """Return what is kept, to be followed by what comes from now on, after a position."""
        items, self._items, self._bytes = self._items, [], 0
        if self._overflowed:
            items.append(structs.replace(_TOO_MANY, position=end))
            self._overflowed = False
        return items


class UserChannel:
    """The clients of one user on this server; a `Reader` of the user's log.

    Args:
        user_id: the user.
        broker: has the log.
        taken: called with a publication, and how many connections have taken it.
        max_held: bytes that may wait for one client.

    Attributes:
        user_id: as given.
        sessions: the clients, also those that are away and may come back.
        begun: the position at which the log is followed; "" if it could not be yet.
        position: of the last entry.
        ready: set once the log is followed.
    """

    __slots__ = (
        "_ahead",
        "_broker",
        "_held",
        "_max_held",
        "_taken",
        "begun",
        "position",
        "ready",
        "sessions",
        "user_id",
    )

    def __init__(self, user_id: str, broker: Broker, taken: Callable[[Publication, int], None], max_held: int) -> None:
        self.user_id = user_id
        self.sessions: dict[ClientSession, None] = {}
        self.begun = self.position = ""
        self.ready = Signal()
        self._held: dict[ClientSession, _Held] = {}  # for clients for which the log is being read
        self._ahead: dict[ClientSession, str] = {}  # up to where a client has got what is yet to come here
        self._broker = broker
        self._max_held = max_held
        self._taken = taken

    @property
    def connections(self) -> int:
        """How many of the clients are connected; one that is being let in does not count yet, as it may never be."""
        return sum([session.connected for session in self.sessions])

    def on_entry(self, entry: Entry) -> None:
        """Send an event to all clients."""
        self.position = entry.position
        publication = Publication.decode(entry)
        event, count = publication.outbound(), 0
        for session in tuple(self.sessions):
            if self._ahead and self._has(session, entry.position):
                count += session.connected
            elif (held := self._held.get(session)) is not None:
                held.put(entry)
            else:
                count += session.send(event)
        self._taken(publication, count)

    def on_hole(self, hole: Hole, position: str) -> None:
        """Tell all clients that events may be missing."""
        is_of_one_log, former = self._broker.is_of_one_log, self.position
        self.position = position
        # Entries may have been lost, and their positions with them; but who has read the log that this one now comes to
        # has got what follows.
        comes_late = not is_of_one_log(former, position)
        self._ahead = {
            session: end for session, end in self._ahead.items() if comes_late and is_of_one_log(end, position)
        }
        notice = GapNotice(hole.reason, certain=hole.certain, position=position)
        for session in tuple(self.sessions):
            held = self._held.get(session)
            if held is None:
                session.tell_gap(notice)
            else:
                held.put(notice)

    def add(self, session: ClientSession) -> None:
        """Add a client, and keep what comes for it until `release`."""
        self.sessions[session] = None
        self._held[session] = _Held(self._max_held)

    def missed(self, session: ClientSession, read: Stretch | None, has: str = "") -> list[Entry | GapNotice]:
        """Return what a client has missed, each entry once and in order.

        Args:
            session: the client, which was added.
            read: what follows its position in the log, read after that; None if it had no position, or it could not be
                read.
            has: its position; "" for none.
        """
        came, end, is_after = self.take(session), has if read is None else read.position, self._broker.is_after
        if not end:
            return came
        if is_after(end, self.position):  # the client, or the log, is ahead of what has come here
            self._ahead[session] = end
        # A hole before the end of what was read is none for this client; told, it would set it back.
        news = [one for one in came if is_after(one.position, end) or (read is None and isinstance(one, GapNotice))]
        return [*(() if read is None else read.entries), *news]

    def take(self, session: ClientSession) -> list[Entry | GapNotice]:
        """Return what has come for a client since it was added, or since the last call."""
        held = self._held.get(session)
        return [] if held is None else held.take(self.position)

    def release(self, session: ClientSession) -> None:
        """From now on, send at once what comes for a client."""
        self._held.pop(session, None)

    def remove(self, session: ClientSession) -> None:
        """Remove a client, if it is there."""
        self.sessions.pop(session, None)
        self._held.pop(session, None)
        self._ahead.pop(session, None)

    def _has(self, session: ClientSession, position: str) -> bool:
        """Return whether a client has got an entry already; the first one that it has not ends that."""
        ahead = self._ahead.get(session)
        if ahead is None:
            return False
        if not self._broker.is_after(position, ahead):
            return True
        del self._ahead[session]
        return False


class UserChannels:
    """The channels of all users with a client on this server.

    Args:
        broker: has the logs.
        taken: see `UserChannel`.
        max_held: likewise.
    """

    def __init__(self, broker: Broker, taken: Callable[[Publication, int], None], max_held: int) -> None:
        self._broker = broker
        self._taken = taken
        self._max_held = max_held
        self._channels: dict[str, UserChannel] = {}

    def get(self, user_id: str) -> UserChannel | None:
        """Return the channel of a user; None if no client of the user is here."""
        return self._channels.get(user_id)

    async def join(self, user_id: str, session: ClientSession) -> tuple[UserChannel, str]:
        """Add a client of a user.

        Returns:
            The channel, and a position: whatever is published after it is kept for the client, until it is released.
        """
        channel = self._channels.get(user_id)
        if channel is None:
            channel = self._channels[user_id] = UserChannel(user_id, self._broker, self._taken, self._max_held)
            channel.add(session)
            await self._follow(channel)
        elif channel.ready.is_set():
            channel.add(session)
            return channel, channel.position
        else:
            channel.add(session)
            await channel.ready.wait()
        return channel, channel.begun

    def leave(self, session: ClientSession) -> None:
        """Remove a client, if it is there."""
        user_id = session.client.user_id
        channel = None if user_id is None else self._channels.get(user_id)
        if channel is None or user_id is None:
            return
        channel.remove(session)
        if not channel.sessions:
            del self._channels[user_id]
            self._broker.unfollow(topic_of(user_id))

    async def _follow(self, channel: UserChannel) -> None:
        try:
            channel.begun = await self._broker.follow(topic_of(channel.user_id), channel)
            channel.position = channel.position or channel.begun
        except BrokerUnavailable:
            pass  # `on_hole` will tell the clients once the log can be followed
        finally:
            channel.ready.set()


def topic_of(user_id: str) -> str:
    """Return the topic of what is published to a user."""
    return f"user:{user_id}"
