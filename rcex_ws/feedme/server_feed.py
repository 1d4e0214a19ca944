"""One feed of the server, as the client sees it: what may be sent, what a message means, who is told.

The states and transitions are those of the specification, the rest follows the original client: any number of feed
objects share a server feed, which is kept open while at least one of them is desired open. Nothing here waits.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Final, Protocol, cast

from rcex_ws.feedme.deltas import DeltaError, apply_deltas
from rcex_ws.feedme.digest import FeedDigest
from rcex_ws.feedme.errors import (
    BadFeedAction,
    BadServerMessage,
    Disconnected,
    FeedmeError,
    InvalidDelta,
    InvalidHash,
    Rejected,
    Terminated,
    TimedOut,
    UnexpectedMessage,
)
from rcex_ws.feedme.messages import (
    FeedAction,
    FeedArgs,
    FeedClose,
    FeedCloseResponse,
    FeedOpen,
    FeedOpenResponse,
    FeedTermination,
    feed_key,
    members,
)
from rcex_ws.feedme.reopening import ReopenPolicy
from rcex_ws.feedme.subscriber import FeedState, Subscriber
from rcex_ws.feedme.timers import Timer, Timers
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.loop import now

__all__ = ["ClientIO", "ServerFeed", "ServerFeedState"]


class ServerFeedState(StrEnum):
    """The states of a feed in the conversation with the server (section "Feeds" of the specification)."""

    CLOSED = "closed"
    OPENING = "opening"  #: FeedOpen was sent
    OPEN = "open"
    CLOSING = "closing"  #: FeedClose was sent
    TERMINATED = "terminated"  #: like CLOSING, and the server has closed it by itself


_openings: Final = count(1)

_CLOSED, _OPENING, _OPEN = ServerFeedState.CLOSED, ServerFeedState.OPENING, ServerFeedState.OPEN
_CLOSING, _TERMINATED = ServerFeedState.CLOSING, ServerFeedState.TERMINATED


class ClientIO(Protocol):
    """What a server feed needs of its client."""

    timers: Timers

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        ...

    def send(self, message: FeedOpen | FeedClose) -> None:
        """Send a message over the current connection."""
        ...

    def report_bad(self, error: BadServerMessage, size: int) -> None:
        """Report a message of `size` bytes that the server should not have sent."""
        ...


class ServerFeed:
    """A feed of the server and the feed objects that share it.

    Args:
        name: its name.
        args: its arguments.
        client: sends and reports.
        feed_timeout: seconds for the server to answer; 0 for no time-out.
        policy: how often it is reopened after bad notifications.

    Attributes:
        key: identifies it.
        state: its state in the conversation.
        subscribers: the feed objects, as they were made.
        opened: puts the feeds of a client into the order in which they were opened last.
    """

    def __init__(
        self, name: str, args: FeedArgs, client: ClientIO, *, feed_timeout: float, policy: ReopenPolicy
    ) -> None:
        self.state = _CLOSED
        self.subscribers: list[Subscriber] = []
        self.opened = 0
        self.key = feed_key(name, args)
        self._name = name
        self._args = args
        self._client = client
        self._feed_timeout = feed_timeout
        self._policy = policy
        self._data = FrozenDict()
        self._verified = False  # whether the data is known to be the server's
        self._digest = FeedDigest()
        self._bad = False  # it is being closed because of a bad notification
        self._refused = False  # it is not opened again before someone desires it, or the connection is lost
        self._waits: dict[Subscriber, Timer] = {}  # of those that were told "opening"
        self._reopen_timer: Timer | None = None

    @property
    def may_reopen(self) -> bool:
        """Whether it is to be opened again after a bad notification, now or later."""
        return self._bad or self._reopen_timer is not None

    # -- what the application desires ------------------------------------------------------------------------------

    def desire_open(self, subscriber: Subscriber) -> None:
        """Desire one feed object open."""
        subscriber.desired_open = True
        if not self._client.connected:
            self._show_closed(subscriber, Disconnected("the client is not connected"), always=True)
            return
        self._refused = False
        if self.state is _CLOSED:
            self._consider()
        elif self.state is _OPEN:
            self._show_opening(subscriber)
            self._show_open(subscriber)
        else:
            self._show_opening(subscriber)

    def desire_closed(self, subscriber: Subscriber) -> None:
        """Desire one feed object closed."""
        subscriber.desired_open = False
        self._show_closed(subscriber, None, always=True)
        self._consider()

    # -- the connection --------------------------------------------------------------------------------------------

    def on_connected(self) -> None:
        """Open the feed over a new connection, if it is desired."""
        self._refused = False
        self._consider()

    def on_disconnected(self) -> None:
        """Begin anew: no state outlives a connection."""
        self.state, self._bad, self._data = _CLOSED, False, FrozenDict()
        self._policy.reset()
        self._stop_reopen_timer()
        self._show_all_closed(Disconnected("the connection was lost"))

    # -- messages --------------------------------------------------------------------------------------------------

    def on_open_response(self, message: FeedOpenResponse) -> None:
        """Handle the answer to FeedOpen."""
        if self.state is not _OPENING:
            raise UnexpectedMessage(f"the feed is {self.state}, not opening", members(message))
        if not message.success:
            self.state, self._refused = _CLOSED, True
            self._show_all_closed(Rejected(str(message.error_code), message.error_data))
            return
        self.state, self._data, self._verified = _OPEN, cast("FrozenDict", message.feed_data), True
        self._digest = FeedDigest()
        for subscriber in self._desired():
            if subscriber.state is not FeedState.OPENING:  # it has timed out
                self._show_opening(subscriber)
            self._show_open(subscriber)
        self._consider()

    def on_close_response(self, message: FeedCloseResponse) -> None:
        """Handle the answer to FeedClose."""
        if self.state not in (_CLOSING, _TERMINATED):
            raise UnexpectedMessage(f"the feed is {self.state}, not closing", members(message))
        self.state = _CLOSED
        bad, self._bad = self._bad, False
        if bad and not any(subscriber.state is FeedState.OPENING for subscriber in self._desired()):
            self._reopen_by_policy()
        self._consider()

    def on_action(self, message: FeedAction, size: int) -> None:
        """Handle a notification of `size` bytes: apply its deltas, check the hash, tell the feed objects."""
        if self.state is _CLOSING:
            return  # it crossed our FeedClose
        if self.state is not _OPEN:
            raise UnexpectedMessage(f"the feed is {self.state}, not open", members(message))
        try:
            data = apply_deltas(self._data, message.feed_deltas)
            md5 = message.feed_md5
            verified = isinstance(md5, str)
            fits = not verified or self._digest.md5(data) == md5
        except (DeltaError, RecursionError) as exc:
            self._close_bad(InvalidDelta(members(message), str(exc)), size)
            return
        if not fits:
            self._close_bad(InvalidHash("the hash is not that of the feed data", members(message)), size)
            return
        self._data, self._verified = data, verified
        for subscriber in self.subscribers:
            if subscriber.desired_open:
                action_data = cast("FrozenDict", message.action_data)
                subscriber.show_action(message.action_name, action_data, data, verified=verified, size=size)

    def on_termination(self, message: FeedTermination) -> None:
        """Handle the server's closing of an open feed."""
        if self.state is _CLOSING:
            self.state = _TERMINATED
        elif self.state is _OPEN:
            self.state, self._refused = _CLOSED, True
            self._show_all_closed(Terminated(message.error_code, message.error_data))
        else:
            raise UnexpectedMessage(f"the feed is {self.state}, not open", members(message))

    def doubt(self) -> None:
        """Handle a message that could not be read: the next hash shows whether it was a notification of this feed."""
        self._verified = False
        for subscriber in self.subscribers:
            subscriber.set_synced(False)

    # -- internals -------------------------------------------------------------------------------------------------

    def _desired(self) -> list[Subscriber]:
        return [subscriber for subscriber in self.subscribers if subscriber.desired_open]

    def _consider(self) -> None:
        """Open or close the feed if it should be and may be; otherwise an answer is awaited, which leads here again."""
        if not self._client.connected:
            return
        desired = self._desired()
        if self.state is _CLOSED and desired and not self._refused:
            self._stop_reopen_timer()
            self.state = _OPENING
            self._client.send(FeedOpen(self._name, self._args))
            self.opened = next(_openings)
            for subscriber in desired:
                if subscriber.state is not FeedState.OPENING:
                    self._show_opening(subscriber)
        elif self.state is _OPEN and not desired:
            self._close()

    def _close(self) -> None:
        self.state, self._data = _CLOSING, FrozenDict()
        self._client.send(FeedClose(self._name, self._args))

    def _close_bad(self, error: BadServerMessage, size: int) -> None:
        self._close()
        self._bad = True
        self._show_all_closed(BadFeedAction("a notification did not lead to the server's feed data"))
        self._client.report_bad(error, size)

    def _reopen_by_policy(self) -> None:
        self._refused = not self._policy.allow(now())
        if self._refused and self._policy.next_at < math.inf:
            self._reopen_timer = self._client.timers.start(self._policy.next_at - now(), self._reopen)

    def _reopen(self) -> None:
        self._reopen_timer = None
        self._refused = False
        self._consider()

    def _stop_reopen_timer(self) -> None:
        if self._reopen_timer is not None:
            self._client.timers.stop(self._reopen_timer)
            self._reopen_timer = None

    # -- telling the feed objects ----------------------------------------------------------------------------------

    def _show_opening(self, subscriber: Subscriber) -> None:
        """Report that a feed object waits for the server from now on, though not for ever."""
        subscriber.show_opening()
        if self._feed_timeout:
            self._waits[subscriber] = self._client.timers.start(self._feed_timeout, partial(self._expire, subscriber))

    def _show_open(self, subscriber: Subscriber) -> None:
        self._stop_waiting(subscriber)
        subscriber.show_open(self._data, verified=self._verified)

    def _show_closed(self, subscriber: Subscriber, error: FeedmeError | None, *, always: bool = False) -> None:
        self._stop_waiting(subscriber)
        subscriber.show_closed(error, always=always)

    def _show_all_closed(self, error: FeedmeError) -> None:
        for subscriber in self._desired():
            self._show_closed(subscriber, error)

    def _expire(self, subscriber: Subscriber) -> None:
        """Report a time-out; the answer may still come, and opens the feed."""
        self._waits.pop(subscriber, None)
        subscriber.show_closed(TimedOut("the server did not open the feed in time"))

    def _stop_waiting(self, subscriber: Subscriber) -> None:
        timer = self._waits.pop(subscriber, None)
        if timer is not None:
            self._client.timers.stop(timer)
