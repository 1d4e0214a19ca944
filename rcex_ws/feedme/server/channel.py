"""Which clients have a feed open, and how to reach them all: a message for many is encoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.messages import FeedArgs, FeedKey, FeedOpenResponse, FeedTermination
from rcex_ws.feedme.server.conversation_state import ConversationState
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.websocket.peer import Peer, broadcast

__all__ = ["FeedChannel", "FeedChannels"]

_Peers = dict[ConversationState, Peer]


@dataclass(slots=True, eq=False)
class FeedChannel:
    """One feed.

    Attributes:
        key: its identity.
        name: its name.
        args: its arguments.
        permanent: whether it outlives its subscribers.
        subscribers: the conversations with the clients that have it open, and their WebSockets.
        opening: likewise for the clients that wait for a handler to open it.
    """

    key: FeedKey
    name: str
    args: FeedArgs
    permanent: bool = False
    subscribers: _Peers = field(default_factory=dict[ConversationState, Peer])
    opening: _Peers = field(default_factory=dict[ConversationState, Peer])


class FeedChannels:
    """The feeds that any client has open or is opening, and the permanent ones.

    Args:
        clock: the clock of the event loop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._channels: dict[FeedKey, FeedChannel] = {}

    def get(self, key: FeedKey) -> FeedChannel | None:
        """Return a feed; None if no client has it open or is opening it."""
        return self._channels.get(key)

    def __getitem__(self, key: FeedKey) -> FeedChannel:
        return self._channels[key]

    def shared(self, key: FeedKey) -> FeedKey:
        """Return an equal key that the subscribers of a feed share, since a key takes half a kilobyte."""
        channel = self._channels.get(key)
        return key if channel is None else channel.key

    # -- who belongs to a feed -----------------------------------------------------------------------------------------

    def request(self, key: FeedKey, name: str, args: FeedArgs, state: ConversationState, peer: Peer) -> None:
        """Add a client that waits for a handler to open a feed."""
        self._channel(key, name, args).opening[state] = peer

    def join(self, key: FeedKey, name: str, args: FeedArgs, state: ConversationState, peer: Peer) -> None:
        """Add a subscriber of a feed, whether or not it had to wait."""
        channel = self._channel(key, name, args)
        channel.opening.pop(state, None)
        channel.subscribers[state] = peer

    def leave(self, key: FeedKey, state: ConversationState) -> None:
        """Remove a client from a feed that it has open or is opening, if it is there."""
        channel = self._channels.get(key)
        if channel is not None:
            channel.subscribers.pop(state, None)
            channel.opening.pop(state, None)
            self._forget_if_unused(channel)

    def keep(self, key: FeedKey, name: str, args: FeedArgs) -> FeedChannel:
        """Return a feed, added if it is missing, that stays until `release`."""
        channel = self._channel(key, name, args)
        channel.permanent = True
        return channel

    def release(self, channel: FeedChannel) -> None:
        """Undo `keep`."""
        channel.permanent = False
        self._forget_if_unused(channel)

    # -- sending -------------------------------------------------------------------------------------------------------

    def publish(self, channel: FeedChannel, message: bytes) -> int:
        """Send a message to all subscribers of a feed; return how many could be reached."""
        return broadcast(channel.subscribers.values(), (message,))

    def terminate(self, key: FeedKey, code: str, data: FrozenDict, *, only: ConversationState | None = None) -> int:
        """Terminate a feed for all clients that have it open or are opening it, or for one; return their number."""
        channel = self._channels.get(key)
        if channel is None:
            return 0
        opening, subscribers = _those(channel.opening, only), _those(channel.subscribers, only)
        for state in opening:
            state.answer_open(key, state.opening[key], success=False)
            self.leave(key, state)
        for state in subscribers:
            state.terminate(key, self._clock())
            self.leave(key, state)
        name, args = channel.name, channel.args
        if opening:
            refusal = FeedOpenResponse(False, name, args, error_code=code, error_data=data)
            broadcast(opening.values(), (encode(refusal),))
        if subscribers:
            broadcast(subscribers.values(), (encode(FeedTermination(name, args, code, data)),))
        return len(opening) + len(subscribers)

    def _channel(self, key: FeedKey, name: str, args: FeedArgs) -> FeedChannel:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = FeedChannel(key, name, args)
        return channel

    def _forget_if_unused(self, channel: FeedChannel) -> None:
        if not (channel.subscribers or channel.opening or channel.permanent):
            del self._channels[channel.key]


def _those(peers: _Peers, only: ConversationState | None) -> _Peers:
    """Return a copy: of all, or with one alone if it is there."""
    if only is None:
        return dict(peers)
    return {only: peers[only]} if only in peers else {}
