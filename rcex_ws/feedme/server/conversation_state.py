"""The conversation with one client, as its server sees it: which messages are allowed now. Pure.

Every method belongs to one arrow of the protocol: `receive_*` is called for a message from the client and returns what
is wrong with it, if anything; all others are called when the server is about to send, and return whether it may.
Nothing changes when the answer is no.

A feed is closed, opening, open, closing or terminated. Terminated is closed, except that a FeedClose is still answered:
it crossed the FeedTermination on its way.
"""

from __future__ import annotations

import math
from enum import Enum, auto

from rcex_ws.feedme.messages import FeedKey, FeedOpen

__all__ = ["ConversationState", "Handshaking", "OpenFeedState"]


class Handshaking(Enum):
    """How far the handshake is."""

    MISSING = auto()
    RECEIVED = auto()  # and not answered yet
    DONE = auto()


class OpenFeedState(Enum):
    """The state of a feed that was opened and is not closed yet, neither by the client nor by a termination."""

    OPEN = auto()
    CLOSING = auto()


class ConversationState:
    """The state of one conversation.

    Args:
        termination_window: seconds for which a FeedClose is accepted after a termination; 0 for no limit.

    Attributes:
        handshake: how far the handshake is.
        actions: the callback ids of actions that are not answered yet.
        opening: the requests to open a feed that are not answered yet.
        feeds: the feeds that are open or closing.
    """

    __slots__ = ("_terminated", "_window", "actions", "feeds", "handshake", "opening")

    def __init__(self, *, termination_window: float) -> None:
        self.handshake = Handshaking.MISSING
        self.actions: set[str] = set()
        self.opening: dict[FeedKey, FeedOpen] = {}
        self.feeds: dict[FeedKey, OpenFeedState] = {}
        self._terminated: dict[FeedKey, float] = {}  # until when, earliest first
        self._window = termination_window or math.inf

    # -- messages from the client --------------------------------------------------------------------------------------

    def receive_handshake(self) -> str | None:
        """Receive a Handshake."""
        if self.handshake is not Handshaking.MISSING:
            return "Unexpected Handshake message."
        self.handshake = Handshaking.RECEIVED
        return None

    def receive_action(self, callback_id: str) -> str | None:
        """Receive an Action."""
        if self.handshake is not Handshaking.DONE:
            return "Handshake required."
        if callback_id in self.actions:
            return "Action message reused an outstanding CallbackId."
        self.actions.add(callback_id)
        return None

    def receive_open(self, key: FeedKey, request: FeedOpen) -> str | None:
        """Receive a FeedOpen."""
        if self.handshake is not Handshaking.DONE:
            return "Handshake required."
        if key in self.feeds or key in self.opening:
            return "Unexpected FeedOpen message."
        self._terminated.pop(key, None)
        self.opening[key] = request
        return None

    def receive_close(self, key: FeedKey, now: float) -> str | None:
        """Receive a FeedClose at a time of the clock; the feed is then closing."""
        if self.handshake is not Handshaking.DONE:
            return "Handshake required."
        if self.feeds.get(key) is not OpenFeedState.OPEN and self._terminated.pop(key, -math.inf) < now:
            return "Unexpected FeedClose message."
        self.feeds[key] = OpenFeedState.CLOSING
        return None

    # -- messages from the server --------------------------------------------------------------------------------------

    def answer_handshake(self, *, success: bool) -> bool:
        """Answer the Handshake."""
        if self.handshake is not Handshaking.RECEIVED:
            return False
        self.handshake = Handshaking.DONE if success else Handshaking.MISSING
        return True

    def answer_action(self, callback_id: str) -> bool:
        """Answer an Action."""
        if callback_id not in self.actions:
            return False
        self.actions.remove(callback_id)
        return True

    def answer_open(self, key: FeedKey, request: FeedOpen, *, success: bool) -> bool:
        """Answer a FeedOpen, unless `terminate` has: the client may then have sent another one."""
        if self.opening.get(key) is not request:
            return False
        del self.opening[key]
        if success:
            self.feeds[key] = OpenFeedState.OPEN
        return True

    def answer_close(self, key: FeedKey) -> bool:
        """Answer a FeedClose."""
        if self.feeds.get(key) is not OpenFeedState.CLOSING:
            return False
        del self.feeds[key]
        return True

    def terminate(self, key: FeedKey, now: float) -> bool:
        """Send a FeedTermination at a time of the clock."""
        if self.feeds.get(key) is not OpenFeedState.OPEN:
            return False
        del self.feeds[key]
        while self._terminated and self._terminated[oldest := next(iter(self._terminated))] < now:
            del self._terminated[oldest]
        self._terminated[key] = now + self._window
        return True

    def end(self) -> None:
        """End the conversation: nothing is answered any more."""
        self.actions.clear()
        self.opening.clear()
        self.feeds.clear()
