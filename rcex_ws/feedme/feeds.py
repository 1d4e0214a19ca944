"""The table of the feeds of one client. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.feedme.errors import FeedmeError, UnexpectedMessage
from rcex_ws.feedme.feed_core import FeedCore
from rcex_ws.feedme.messages import (
    FeedAction,
    FeedArgs,
    FeedCloseResponse,
    FeedKey,
    FeedOpenResponse,
    FeedTermination,
    feed_key,
    members,
)
from rcex_ws.feedme.reopening import ReopenPolicy
from rcex_ws.feedme.settings import FeedmeSettings
from rcex_ws.feedme.shared_feed import FeedOwner, SharedFeed, SharedFeedState

__all__ = ["FeedTable"]


class FeedTable:
    """The feeds that `Feed` objects of the application share, or for which an answer of the server is awaited.

    Args:
        owner: the client.
        settings: its options.
    """

    def __init__(self, owner: FeedOwner, settings: FeedmeSettings) -> None:
        self._owner = owner
        self._settings = settings
        self._feeds: dict[FeedKey, SharedFeed] = {}  # those that were opened last at the end

    def add(self, name: str, args: FeedArgs, core: FeedCore) -> SharedFeed:
        """Return the shared feed of a new feed object."""
        settings = self._settings
        policy = ReopenPolicy(settings.reopen_max_attempts, settings.reopen_trailing)
        feed = SharedFeed(name, args, self._owner, feed_timeout=settings.feed_timeout, policy=policy)
        feed = self._feeds.setdefault(feed.key, feed)
        feed.cores.append(core)
        return feed

    def remove(self, feed: SharedFeed, core: FeedCore) -> None:
        """Remove a feed object, which is desired closed."""
        core.destroy()
        feed.cores.remove(core)
        self.forget_if_unused(feed)

    def forget_if_unused(self, feed: SharedFeed) -> None:
        """Forget a feed that no feed object shares, once no answer of the server is awaited."""
        if not feed.cores and feed.state is SharedFeedState.CLOSED:
            self._feeds.pop(feed.key, None)

    def move_to_end(self, feed: SharedFeed) -> None:
        """Record that a feed is the one that was opened last."""
        self._feeds[feed.key] = self._feeds.pop(feed.key)

    def of(self, message: FeedOpenResponse | FeedCloseResponse | FeedAction | FeedTermination) -> SharedFeed:
        """Return the feed that a message is about.

        Raises:
            UnexpectedMessage: the client has not opened it.
        """
        feed = self._feeds.get(feed_key(message.feed_name, message.feed_args))
        if feed is None:
            raise UnexpectedMessage("the feed is closed", members(message))
        return feed

    def on_connected(self) -> None:
        """Open what is desired."""
        for feed in [*self._feeds.values()]:
            feed.on_connected()

    def on_disconnected(self) -> None:
        """Close all: first what is open or opening, in the order of opening."""
        for feed in sorted(self._feeds.values(), key=lambda feed: feed.state is SharedFeedState.CLOSED):
            feed.on_disconnected()

    def doubt(self) -> None:
        """Handle a message that could not be read: it may have been a notification of any feed."""
        for feed in self._feeds.values():
            feed.doubt()

    def wake_waiters(self, ends_iterations: Callable[[SharedFeed, FeedmeError], bool]) -> None:
        """Let those look again who wait for a feed, and end the iterations over feeds that stay closed.

        Args:
            ends_iterations: returns whether iterations over a feed that is closed with this error end.
        """
        for feed in self._feeds.values():
            for core in feed.cores:
                error = core.error
                if error is not None and ends_iterations(feed, error):
                    core.end_stream(error)
                core.wake_waiters()

    def end_streams(self) -> None:
        """End all iterations, because the application closes the client."""
        for feed in self._feeds.values():
            for core in feed.cores:
                core.end_stream(None)

    def destroy(self) -> None:
        """Destroy all feed objects."""
        feeds, self._feeds = self._feeds, {}
        for feed in feeds.values():
            for core in feed.cores:
                core.destroy()
