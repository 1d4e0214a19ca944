"""Feeds whose data the server holds: the application changes it, and everyone who has the feed open follows."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rcex_ws.feedme.arguments import deltas_argument, json_object, text_argument
from rcex_ws.feedme.deltas import Delta, Editor
from rcex_ws.feedme.digest import FeedDigest
from rcex_ws.feedme.errors import InvalidState
from rcex_ws.feedme.messages import FeedAction, FeedArgs, FeedOpenResponse, encode
from rcex_ws.feedme.server.channel import FeedChannel
from rcex_ws.feedme.server.draft import Draft
from rcex_ws.feedme.server.recorder import Recorder
from rcex_ws.feedme.values import FrozenDict

__all__ = ["FeedOwner", "LiveFeed"]


class FeedOwner(Protocol):
    """What the live feeds of one server need of it."""

    @property
    def notification(self) -> type[FeedAction]:
        """The class of the messages that reveal a change."""
        ...

    def check(self) -> None:
        """Raise if the caller runs in another event loop than the server."""
        ...

    def publish(self, channel: FeedChannel, message: bytes) -> int:
        """Send a message to everyone who has a feed open; return how many could be reached."""
        ...

    def terminate(self, channel: FeedChannel, code: str, data: object) -> int:
        """Terminate a feed of all clients; return how many."""
        ...

    def release(self, channel: FeedChannel) -> None:
        """Forget a live feed."""
        ...


class LiveFeed:
    """A feed with its data; made by `FeedmeServer.live_feed`.

    A client that opens it gets the data of that moment, and everything that is revealed from then on.

    Args:
        owner: the server.
        channel: those who have it open.
        data: the first data.
    """

    __slots__ = ("_changing", "_channel", "_closed", "_data", "_digest", "_opened", "_owner")

    def __init__(self, owner: FeedOwner, channel: FeedChannel, data: FrozenDict) -> None:
        self._owner = owner
        self._channel = channel
        self._data = data
        self._digest = FeedDigest()
        self._opened: bytes = b""  # the response to who opens it, while the data stays the same
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
        """Close the feed of all clients that have it open, and return how many; they may open it again.

        Args:
            code: the application's error code.
            data: a JSON object with more about it.

        Raises:
            InvalidArgument: the data is no JSON object.
        """
        return self._owner.terminate(self._channel, code, data)

    def close(self, code: str = "FEED_CLOSED", data: object = None) -> None:
        """Terminate the feed, and have the server forget it. Idempotent.

        Args:
            code: as for `terminate`.
            data: as for `terminate`.

        Raises:
            InvalidArgument: the data is no JSON object.
        """
        if not self._closed:
            self._owner.terminate(self._channel, code, data)
            self._closed = True
            self._owner.release(self._channel)

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
        self._owner.check()
        name = text_argument("action_name", action_name)
        about = json_object("action_data", {} if action_data is None else action_data)
        self._check_open()
        if self._changing:
            raise InvalidState("the feed is being changed; that block must be over first, so do not wait in it")
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
        message = self._owner.notification(channel.name, channel.args, action_name, action_data, deltas, md5)
        return self._owner.publish(channel, encode(message))
