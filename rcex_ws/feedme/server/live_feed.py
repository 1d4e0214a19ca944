"""Feeds whose data the server holds: the application changes it, and every client that has the feed open follows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from rcex_ws.feedme.arguments import deltas_argument, json_object, text_argument
from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.deltas import Delta, Editor
from rcex_ws.feedme.digest import FeedDigest
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.messages import FeedAction, FeedArgs, FeedKey, FeedOpenResponse
from rcex_ws.feedme.server.channel import FeedChannel, FeedChannels
from rcex_ws.feedme.server.draft import Draft
from rcex_ws.feedme.server.recorder import Recorder
from rcex_ws.feedme.values import FrozenDict

__all__ = ["LiveFeed", "LiveFeeds"]


class LiveFeed:
    """A feed with its data; made by `FeedmeServer.live_feed`.

    A client that opens it gets its current data, and everything that is revealed from then on.

    Args:
        feeds: all of the server.
        channel: those who have it open.
        data: the first data.
    """

    __slots__ = ("_changing", "_channel", "_closed", "_data", "_digest", "_feeds", "_opened")

    def __init__(self, feeds: LiveFeeds, channel: FeedChannel, data: FrozenDict) -> None:
        self._feeds = feeds
        self._channel = channel
        self._data = data
        self._digest = FeedDigest()
        self._opened: bytes = b""  # the response to clients that open it, as long as the data stays the same
        self._changing = False
        self._closed = False

    @property
    def name(self) -> str:
        """The name of the feed."""
        return self._channel.name

    @property
    def args(self) -> FeedArgs:
        """The arguments of the feed, a copy."""
        return dict(self._channel.args)

    @property
    def data(self) -> FrozenDict:
        """The data as it is now, read-only; later changes do not reach it."""
        return self._data

    @property
    def subscribers(self) -> int:
        """The number of clients that have the feed open."""
        return len(self._channel.subscribers)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def change(self, action_name: str, action_data: object = None) -> Generator[Draft]:
        """Change the data within a `with` block, and reveal the change at its end.

        ::

            with feed.change("scored", {"player": "ann"}) as draft:
                draft["scores"]["ann"] += 1
                draft["log"].append("ann scored")

        The draft behaves like the data as plain dicts and lists, and records what is done to it; see `Draft`. If the
        block raises, nothing changes and nothing is sent. There must be no `await` in it.

        Args:
            action_name: what happened.
            action_data: a JSON object with more about it.

        Raises:
            InvalidArgument: the action's name is no text, or its data no JSON object.
            InvalidState: the feed is closed, or is being changed.
        """
        action = self._begin(action_name, action_data)
        self._changing = True
        recorder = Recorder(self._data)
        try:
            yield Draft(recorder)
        finally:
            self._changing = False
            recorder.end()
        self._check_open()
        self._publish(*action, recorder.deltas, recorder.data)

    def reveal(
        self, action_name: str, action_data: object = None, deltas: Iterable[Delta | Mapping[str, Any]] = ()
    ) -> int:
        """Apply deltas to the data, and reveal them; return how many clients could be reached.

        Args:
            action_name: what happened.
            action_data: a JSON object with more about it.
            deltas: the changes, as `Delta` or as in JSON.

        Raises:
            DeltaError: a delta cannot be applied; then nothing changes.
            InvalidArgument: the action's name is no text, its data no JSON object, or the deltas are none.
            InvalidState: the feed is closed, or is being changed.
        """
        checked = deltas_argument(deltas)  # first, as an iterator may change the feed
        action = self._begin(action_name, action_data)
        editor = Editor(self._data)
        for delta in checked:
            editor.apply(delta)
        return self._publish(*action, checked, editor.data)

    def terminate(self, code: str, data: object = None) -> int:
        """Close the feed for all clients that have it open; return the number of clients. They may open it again.

        Args:
            code: the application's error code.
            data: a JSON object with more about it.

        Raises:
            InvalidArgument: the code is no text, or the data no JSON object.
        """
        self._feeds.check()
        about = json_object("data", {} if data is None else data)
        return self._feeds.channels.terminate(self._channel.key, text_argument("code", code), about)

    def close(self, code: str = "FEED_CLOSED", data: object = None) -> None:
        """Terminate the feed, and have the server forget it. Idempotent.

        Args:
            code: as for `terminate`.
            data: as for `terminate`.

        Raises:
            InvalidArgument: the code is no text, or the data no JSON object.
        """
        if not self._closed:
            self.terminate(code, data)
            self._closed = True
            self._feeds.release(self._channel)

    def open_response(self) -> bytes:
        """Return the encoded response to a client that opens the feed now; for the server."""
        if not self._opened:
            channel = self._channel
            self._opened = encode(FeedOpenResponse(True, channel.name, channel.args, feed_data=self._data))
        return self._opened

    def __repr__(self) -> str:
        return f"<LiveFeed {self.name!r} {self.args!r}: {self.subscribers} subscribers>"

    def _begin(self, action_name: object, action_data: object) -> tuple[str, FrozenDict]:
        """Check that the data can be changed now, and return the action."""
        self._feeds.check()
        name = text_argument("action_name", action_name)
        about = json_object("action_data", {} if action_data is None else action_data)
        self._check_open()
        if self._changing:
            raise InvalidState("the feed is being changed; that block must end first, so do not await anything in it")
        return name, about

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidState("the feed is closed")

    def _publish(self, action_name: str, action_data: FrozenDict, deltas: list[Delta], data: FrozenDict) -> int:
        self._data, self._opened = data, b""
        channel = self._channel
        if not channel.subscribers:
            return 0
        md5 = self._digest.md5(data)
        message = self._feeds.notification(channel.name, channel.args, action_name, action_data, deltas, md5)
        return self._feeds.channels.publish(channel, encode(message))


class LiveFeeds:
    """All live feeds of one server.

    Args:
        channels: who has which feed open.
        notification: the class of the messages that reveal an action.
        check: raises if the caller runs in another event loop than the server.

    Attributes:
        channels: as given.
        notification: as given.
        check: as given.
    """

    def __init__(self, channels: FeedChannels, notification: type[FeedAction], check: Callable[[], None]) -> None:
        self.channels = channels
        self.notification = notification
        self.check = check
        self._feeds: dict[FeedKey, LiveFeed] = {}

    def get(self, key: FeedKey) -> LiveFeed | None:
        """Return a feed; None if there is none."""
        return self._feeds.get(key)

    def make(self, key: FeedKey, name: str, args: FeedArgs, data: object) -> LiveFeed:
        """Make a feed.

        Raises:
            InvalidArgument: the data is no JSON object, there is such a feed already, or clients have it open.
        """
        if key in self._feeds:
            raise InvalidArgument(f"name, args: there is a live feed {name!r} {args!r} already")
        opened = self.channels.get(key)
        if opened is not None and opened.subscribers:
            raise InvalidArgument(
                f"name, args: the feed {name!r} {args!r} is open, with data of its handler; terminate it first"
            )
        frozen = json_object("data", {} if data is None else data)
        channel = self.channels.keep(key, name, args)
        feed = self._feeds[channel.key] = LiveFeed(self, channel, frozen)
        return feed

    def release(self, channel: FeedChannel) -> None:
        """Forget a feed."""
        del self._feeds[channel.key]
        self.channels.release(channel)
