"""Who has which feed open, and sending to them: a message for many is encoded once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from rcex_ws.feedme.messages import FeedArgs, FeedKey
from rcex_ws.websocket.peer import Peer, broadcast

__all__ = ["FeedChannel", "FeedChannels"]


@dataclass(slots=True, eq=False)
class FeedChannel:
    """One feed.

    Attributes:
        key: its identity.
        name: its name.
        args: its arguments.
        subscribers: those who have it open, and their WebSockets.
        permanent: whether it outlives its subscribers.
    """

    key: FeedKey
    name: str
    args: FeedArgs
    permanent: bool = False
    subscribers: dict[Hashable, Peer] = field(default_factory=dict[Hashable, Peer])


class FeedChannels:
    """The feeds that somebody has open, and the permanent ones.

    Attributes:
        sending: whether messages are being sent now: a WebSocket that closes by itself meanwhile is too slow.
    """

    def __init__(self) -> None:
        self.sending = False
        self._channels: dict[FeedKey, FeedChannel] = {}

    def send(self, peer: Peer, message: bytes) -> None:
        """Send a message to one client."""
        self.sending = True
        try:
            peer.send((message,))
        finally:
            self.sending = False

    def publish(self, channel: FeedChannel, message: bytes) -> int:
        """Send a message to all subscribers of a feed; return how many could be reached."""
        self.sending = True
        try:
            return broadcast(channel.subscribers.values(), (message,))
        finally:
            self.sending = False

    def get(self, key: FeedKey) -> FeedChannel | None:
        """Return a feed; None if nobody has it open."""
        return self._channels.get(key)

    def shared(self, key: FeedKey) -> FeedKey:
        """Return an equal key that the subscribers of a feed share, since one takes half a kilobyte."""
        channel = self._channels.get(key)
        return key if channel is None else channel.key

    def __getitem__(self, key: FeedKey) -> FeedChannel:
        return self._channels[key]

    def join(self, key: FeedKey, name: str, args: FeedArgs, subscriber: Hashable, peer: Peer) -> None:
        """Add a subscriber of a feed."""
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = FeedChannel(key, name, args)
        channel.subscribers[subscriber] = peer

    def leave(self, key: FeedKey, subscriber: Hashable) -> FeedChannel:
        """Remove a subscriber of a feed, and return the feed."""
        channel = self._channels[key]
        del channel.subscribers[subscriber]
        if not channel.subscribers and not channel.permanent:
            del self._channels[key]
        return channel

    def keep(self, key: FeedKey, name: str, args: FeedArgs) -> FeedChannel:
        """Add a feed that nobody has open, and that stays until `release`; return it."""
        channel = self._channels[key] = FeedChannel(key, name, args, permanent=True)
        return channel

    def release(self, channel: FeedChannel) -> None:
        """Undo `keep`, when nobody has the feed open."""
        del self._channels[channel.key]
