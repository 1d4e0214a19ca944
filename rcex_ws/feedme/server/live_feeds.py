"""Makes the live feeds of a server, and is what they need of it."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.feedme.arguments import json_object, text_argument
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import FeedArgs, FeedKey
from rcex_ws.feedme.server.channel import FeedChannel
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.live_feed import LiveFeed

__all__ = ["LiveFeeds"]


class LiveFeeds:
    """The owner of the live feeds of one server.

    Args:
        core: the shared parts of the server.
        check: raises if the caller runs in another event loop than the server.

    Attributes:
        notification: the class of the messages that reveal a change.
        publish: sends a message to everyone who has a feed open.
        check: as given.
    """

    def __init__(
        self,
        core: ServerCore,
        check: Callable[[], None],
    ) -> None:
        self.notification = core.notification
        self.publish = core.channels.publish
        self.check = check
        self._core = core

    def make(self, key: FeedKey, name: str, args: FeedArgs, data: object) -> LiveFeed:
        """Make a live feed.

        Raises:
            InvalidArgument: the data is no JSON object, there is such a feed already, or clients have it open.
        """
        if key in self._core.live_feeds:
            raise InvalidArgument(f"name, args: there is a live feed {name!r} {args!r} already")
        opened = self._core.channels.get(key)
        if opened is not None and opened.subscribers:
            raise InvalidArgument(
                f"name, args: the feed {name!r} {args!r} is open, with data of its handler; terminate it first"
            )
        frozen = json_object("data", {} if data is None else data)
        channel = self._core.channels.keep(key, name, args)
        feed = self._core.live_feeds[channel.key] = LiveFeed(self, channel, frozen)
        return feed

    def terminate(self, channel: FeedChannel, code: str, data: object) -> int:
        """Terminate a feed of all clients; return of how many.

        Raises:
            InvalidArgument: the code is no text, or the data no JSON object.
        """
        self.check()
        about = json_object("data", {} if data is None else data)
        return self._core.channels.terminate(channel.key, text_argument("code", code), about)

    def release(self, channel: FeedChannel) -> None:
        """Forget a live feed."""
        del self._core.live_feeds[channel.key]
        self._core.channels.release(channel)
