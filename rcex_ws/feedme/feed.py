"""`Feed`, which the application holds: one wish to have a feed of the server open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

from rcex_ws.connection import EventEmitter, HasEvents
from rcex_ws.feedme.changes import Changes, FeedChange
from rcex_ws.feedme.errors import Destroyed, InvalidFeedState, Rejected
from rcex_ws.feedme.events import FeedEvents
from rcex_ws.feedme.subscriber import FeedState, Subscriber
from rcex_ws.feedme.values import FrozenDict

if TYPE_CHECKING:
    from rcex_ws.feedme.core import ClientCore
    from rcex_ws.feedme.server_feed import ServerFeed

__all__ = ["Feed"]


class Feed(HasEvents[Callable[..., object]]):
    """A feed, made by `FeedmeClient.feed`; it starts desired closed, and needs no connection.

    Several of them with the same name and arguments share one feed of the server. `on` takes a name of `FeedEvents`.
    As a context manager it is desired open within the block, which begins when it is open, and destroyed after it::

        async with client.feed("Board", {"game": "1"}) as board:
            print(board.data)
            async for change in board:
                print(change.name, change.new_data)

    The iteration ends when the feed is desired closed, and raises when the server rejects or terminates it.

    Attributes:
        name: the name of the feed.
        args: its arguments.
    """

    def __init__(self, name: str, args: Mapping[str, str], core: ClientCore) -> None:
        self.name = name
        self.args: Mapping[str, str] = MappingProxyType(dict(args))
        self._core = core
        self._emitter = EventEmitter(events=FeedEvents, report=core.events.report_logged)
        self._subscriber = Subscriber(core.events, self._emitter)
        self._server_feed: ServerFeed = core.add_subscriber(name, dict(args), self._subscriber)
        self._known: FrozenDict | None = None  # when the block of the context manager began

    def __repr__(self) -> str:
        return f"<Feed {self.name!r} {dict(self.args)!r} {'destroyed' if self.destroyed else self._subscriber.state}>"

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def desired_state(self) -> Literal["open", "closed"]:
        """What the application desires."""
        return "open" if self._alive().desired_open else "closed"

    @property
    def state(self) -> FeedState:
        """CLOSED, OPENING or OPEN, as the last event of this object says."""
        return self._alive().state

    @property
    def data(self) -> FrozenDict:
        """The feed data, read-only; what was read before stays what it was.

        Raises:
            InvalidFeedState: the feed is not open.
            Destroyed: it is destroyed, like its client.
        """
        data = self._alive().data
        if data is None:
            raise InvalidFeedState(f"the feed {self.name!r} is {self._subscriber.state}; only an open one has data")
        return data

    @property
    def synced(self) -> bool:
        """Whether `data` is known to be the server's: the feed is open, and the hash of the last action confirms it.

        False after an action without a hash, and after a message that could not be read, until the next hash.
        """
        return self._alive().synced

    @property
    def unsynced_since(self) -> datetime | None:
        """Since when it has not been synced, by the wall clock; None while it is."""
        return self._alive().unsynced_since

    @property
    def destroyed(self) -> bool:
        """Whether it was destroyed, by itself or with its client; never raises."""
        return self._subscriber.destroyed

    # -- desires ---------------------------------------------------------------------------------------------------

    def desire_open(self) -> None:
        """Desire the feed open, over this connection and all later ones.

        Raises:
            InvalidFeedState: it is desired open already.
            Destroyed: it is destroyed, like its client.
        """
        if self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired open already")
        self._server_feed.desire_open(self._subscriber)

    def desire_closed(self) -> None:
        """Desire the feed closed; it is so at once, and its iteration ends.

        Raises:
            InvalidFeedState: it is desired closed already.
            Destroyed: it is destroyed, like its client.
        """
        if not self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired closed already")
        self._server_feed.desire_closed(self._subscriber)

    def destroy(self) -> None:
        """Give the object up; every method but `destroyed` raises from then on.

        Raises:
            InvalidFeedState: it is desired open.
            Destroyed: it is destroyed, like its client.
        """
        if self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired open; call desire_closed() first")
        self._core.remove_subscriber(self._server_feed, self._subscriber)

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def wait_open(self) -> FrozenDict:
        """Wait until the feed is open, through losses of the connection; return its data.

        Raises:
            Rejected: the server rejected it, or has closed it (`Terminated`).
            TimedOut: the server did not answer in time.
            BadFeedAction: it was reopened too often after notifications that did not fit.
            Disconnected: the client is not connected, and does not try to be.
            InvalidFeedState: it is desired closed.
            Destroyed: it is destroyed, like its client.
        """
        while (subscriber := self._alive()).data is None:
            if not subscriber.desired_open:
                raise InvalidFeedState(f"the feed {self.name!r} is desired closed; call desire_open() first")
            if subscriber.error is not None and not self._core.will_reopen(self._server_feed, subscriber.error):
                raise subscriber.error
            await subscriber.changed.wait()
        return subscriber.data

    def __aiter__(self) -> Changes:
        """Iterate over the changes of the feed data; there is one consumer at a time.

        Raises:
            Rejected: the server rejected it, or has closed it (`Terminated`).
            Destroyed: it is destroyed, like its client.
        """
        subscriber = self._alive()
        if isinstance(subscriber.error, Rejected):
            raise subscriber.error
        if subscriber.stream is None:
            known, self._known = self._known or subscriber.data, None
            subscriber.stream = self._core.new_stream(known)
            if known is not None and subscriber.data is not None and subscriber.data is not known:
                subscriber.stream.put(FeedChange(None, FrozenDict(), subscriber.data, known), 0)
        return subscriber.stream

    async def __aenter__(self) -> Self:
        self.desire_open()
        try:
            self._known = await self.wait_open()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._subscriber.destroyed:
            if self._subscriber.desired_open:
                self.desire_closed()
            self.destroy()

    def _alive(self) -> Subscriber:
        self._core.check_home()
        if self._subscriber.destroyed:
            raise Destroyed(f"the feed {self.name!r} is destroyed")
        return self._subscriber
