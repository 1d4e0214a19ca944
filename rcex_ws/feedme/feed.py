"""`Feed`, which the application holds: one wish to have a feed of the server open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

from rcex_ws.connection import EventEmitter, HasEvents
from rcex_ws.feedme.changes import Changes
from rcex_ws.feedme.errors import Destroyed, FeedmeError, InvalidFeedState
from rcex_ws.feedme.events import FeedEvents
from rcex_ws.feedme.feed_core import FeedCore, FeedState
from rcex_ws.feedme.messages import FeedArgs
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.options import NamesOfJavaScript

if TYPE_CHECKING:
    from rcex_ws.feedme.core import ClientCore

__all__ = ["Feed"]


class Feed(NamesOfJavaScript, HasEvents[Callable[..., object]]):
    """A feed, made by `FeedmeClient.feed`; it starts desired closed, and needs no connection.

    Several of them with the same name and arguments share one feed of the server. `on` takes a name of `FeedEvents`.
    As a context manager it is desired open within the block, which begins when it is open, and destroyed after it::

        async with client.feed("Board", {"game": "1"}) as board:
            print(board.data)
            async for change in board:
                print(change.action_name, change.new_data)

    The iteration ends when the feed is desired closed. It raises when the feed is closed and nothing opens it again by
    itself, for example because the server rejects or terminates it.

    Attributes:
        name: the name of the feed.
        args: its arguments.
    """

    def __init__(self, name: str, args: FeedArgs, client: ClientCore) -> None:
        self.name = name
        self.args: Mapping[str, str] = MappingProxyType(args)
        self._client = client
        self._emitter = EventEmitter(events=FeedEvents, report=client.events.report_logged)
        self._core = FeedCore(client.events, self._emitter)
        self._shared = client.feeds.add(name, args, self._core)
        self._known: FrozenDict | None = None  # when the block of the context manager began

    def __repr__(self) -> str:
        return f"<Feed {self.name!r} {dict(self.args)!r} {'destroyed' if self.destroyed else self._core.state}>"

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
            raise InvalidFeedState(f"the feed {self.name!r} is {self._core.state}; only an open one has data")
        return data

    @property
    def error(self) -> FeedmeError | None:
        """Why it is closed, as in the `close` event; None while it is not, or if the application desires it closed."""
        return self._alive().error

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
        return self._core.destroyed

    # -- desires ---------------------------------------------------------------------------------------------------

    def desire_open(self) -> None:
        """Desire the feed open, over this connection and all later ones.

        Raises:
            InvalidFeedState: it is desired open already.
            Destroyed: it is destroyed, like its client.
        """
        if self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired open already")
        self._shared.desire_open(self._core)

    def desire_closed(self) -> None:
        """Desire the feed closed; it is so at once, and its iteration ends.

        Raises:
            InvalidFeedState: it is desired closed already.
            Destroyed: it is destroyed, like its client.
        """
        if not self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired closed already")
        self._shared.desire_closed(self._core)

    def destroy(self) -> None:
        """Give up the object; all but `name`, `args`, `destroyed` and `on` raises from then on.

        Raises:
            InvalidFeedState: it is desired open.
            Destroyed: it is destroyed, like its client.
        """
        if self._alive().desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired open; call desire_closed() first")
        self._client.feeds.remove(self._shared, self._core)

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
        while (core := self._alive()).data is None:
            if not core.desired_open:
                raise InvalidFeedState(f"the feed {self.name!r} is desired closed; call desire_open() first")
            if core.error is not None and not self._client.will_reopen(self._shared, core.error):
                raise core.error.with_traceback(None)
            await core.changed.wait()
        return core.data

    def __aiter__(self) -> Changes:
        """Iterate over the changes of the feed data; there is one consumer at a time.

        The data with which the feed opens first is no change. A loop that was left goes on collecting changes, up to
        the bounds of the client, for one that continues it.

        Raises:
            InvalidFeedState: it is desired closed.
            FeedmeError: it is closed, and not opened again by itself: as for `wait_open`, but for `TimedOut`. The
                iteration raises that, too, when it becomes so.
            Destroyed: it is destroyed, like its client.
        """
        core = self._alive()
        if not core.desired_open:
            raise InvalidFeedState(f"the feed {self.name!r} is desired closed; call desire_open() first")
        if core.error is not None and self._client.ends_iterations(self._shared, core.error):
            raise core.error.with_traceback(None)
        if core.stream is None:
            known, self._known = core.data if self._known is None else self._known, None
            core.stream = self._client.new_stream(known)
            if core.data is not None and core.data is not known:
                core.stream.put_opened(core.data)
        return core.stream

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
        if not self._core.destroyed:
            if self._core.desired_open:
                self.desire_closed()
            self.destroy()

    def _alive(self) -> FeedCore:
        self._client.check_home()
        if self._core.destroyed:
            raise Destroyed(f"the feed {self.name!r} is destroyed")
        return self._core
