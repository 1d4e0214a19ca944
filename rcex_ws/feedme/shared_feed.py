"""A feed of the server, as the client sees it: what may be sent, what a message means, who is told.

The states and transitions are those of the specification, the rest follows the original client: any number of `Feed`
objects share a feed of the server, which is kept open while at least one of them is desired open. Nothing here waits.
"""

from __future__ import annotations

import math
from enum import Enum, StrEnum, auto
from functools import partial
from typing import Protocol, cast

from msgspec import UNSET

from rcex_ws.feedme.changes import FeedChange
from rcex_ws.feedme.deltas import DeltaError, Editor
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
from rcex_ws.feedme.feed_core import FeedCore, FeedState
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
from rcex_ws.feedme.timers import Timer, Timers
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.loop import now

__all__ = ["FeedOwner", "SharedFeed", "SharedFeedState"]


class SharedFeedState(StrEnum):
    """The states of a feed in the conversation with the server (section "Feeds" of the specification)."""

    CLOSED = "closed"
    OPENING = "opening"  #: FeedOpen was sent
    OPEN = "open"
    CLOSING = "closing"  #: FeedClose was sent
    TERMINATED = "terminated"  #: like CLOSING, and the server has closed it by itself


_CLOSED, _OPENING, _OPEN = SharedFeedState.CLOSED, SharedFeedState.OPENING, SharedFeedState.OPEN
_CLOSING, _TERMINATED = SharedFeedState.CLOSING, SharedFeedState.TERMINATED


class FeedOwner(Protocol):
    """What a shared feed needs of its client."""

    timers: Timers

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        ...

    def send(self, feed: SharedFeed, message: FeedOpen | FeedClose) -> None:
        """Send a message about a feed over the current connection."""
        ...

    def report_bad(self, error: BadServerMessage, size: int) -> None:
        """Report a message of `size` bytes that the server should not have sent."""
        ...

    def on_closed(self, feed: SharedFeed) -> None:
        """Handle that no answer of the server is awaited any more."""
        ...


class _Hold(Enum):
    """Why a feed that is closed is not opened again by itself, although it is desired."""

    NONE = auto()
    BAD = auto()  # it is being closed because of a bad notification; once closed, the policy decides
    REFUSED = auto()  # by the server or the policy, until it is desired once more, or the connection is lost


class SharedFeed:
    """A feed of the server and the `Feed` objects that share it.

    Args:
        name: its name.
        args: its arguments.
        client: sends and reports.
        feed_timeout: seconds for the server to answer; 0 for no time-out.
        policy: how often it is reopened after bad notifications.

    Attributes:
        key: identifies it.
        state: its state in the conversation.
        cores: of the feed objects, as they were made.
    """

    __slots__ = (
        "_args",
        "_client",
        "_data",
        "_digest",
        "_feed_timeout",
        "_hold",
        "_name",
        "_policy",
        "_reopen_timer",
        "_verified",
        "cores",
        "key",
        "state",
    )

    def __init__(
        self, name: str, args: FeedArgs, client: FeedOwner, *, feed_timeout: float, policy: ReopenPolicy
    ) -> None:
        self.state = _CLOSED
        self.cores: list[FeedCore] = []
        self.key = feed_key(name, args)
        self._name = name
        self._args = args
        self._client = client
        self._feed_timeout = feed_timeout
        self._policy = policy
        self._data = FrozenDict()
        self._verified = False  # whether the data is known to be the server's
        self._digest = FeedDigest()
        self._hold = _Hold.NONE
        self._reopen_timer: Timer | None = None

    @property
    def may_reopen(self) -> bool:
        """Whether it is to be opened again after a bad notification, now or later."""
        return self._hold is _Hold.BAD or self._reopen_timer is not None

    # -- what the application desires ------------------------------------------------------------------------------

    def desire_open(self, core: FeedCore) -> None:
        """Desire one feed object open."""
        core.desired_open = True
        if not self._client.connected:
            self._show_closed(core, Disconnected("the client is not connected"))
            return
        self._hold = _Hold.NONE
        if self.state is _CLOSED:
            self._consider()
        elif self.state is _OPEN:
            self._show_opening(core)
            self._show_open(core)
        else:
            self._show_opening(core)

    def desire_closed(self, core: FeedCore) -> None:
        """Desire one feed object closed."""
        core.desired_open = False
        self._show_closed(core, None)
        core.end_stream(None)
        self._consider()

    # -- the connection --------------------------------------------------------------------------------------------

    def on_connected(self) -> None:
        """Open the feed over a new connection, if it is desired."""
        self._consider()

    def on_disconnected(self) -> None:
        """Start anew: no state outlives a connection."""
        self._hold = _Hold.NONE
        self._policy.reset()
        self._stop_reopen_timer()
        self._show_all_closed(Disconnected("the connection was lost"))
        self._become_closed()

    # -- messages --------------------------------------------------------------------------------------------------

    def on_open_response(self, message: FeedOpenResponse) -> None:
        """Handle the answer to FeedOpen."""
        if self.state is not _OPENING:
            raise UnexpectedMessage(f"the feed is {self.state}, not opening", members(message))
        if not message.success:
            self._refuse(Rejected(cast("str", message.error_code), message.error_data))
            return
        self.state, self._data, self._verified = _OPEN, cast("FrozenDict", message.feed_data), True
        for core in self._desired():
            if core.state is not FeedState.OPENING:  # it has timed out
                self._show_opening(core)
            self._show_open(core)
        self._consider()

    def on_close_response(self, message: FeedCloseResponse) -> None:
        """Handle the answer to FeedClose."""
        if self.state not in (_CLOSING, _TERMINATED):
            raise UnexpectedMessage(f"the feed is {self.state}, not closing", members(message))
        if self._hold is _Hold.BAD:
            self._hold_by_policy()
        self._become_closed()
        self._consider()

    def on_action(self, message: FeedAction, size: int) -> None:
        """Handle a notification of `size` bytes: apply its deltas, check the hash, tell the feed objects."""
        if self.state is _CLOSING:
            return  # it crossed our FeedClose
        if self.state is not _OPEN:
            raise UnexpectedMessage(f"the feed is {self.state}, not open", members(message))
        editor = Editor(self._data)
        try:
            for delta in message.feed_deltas:
                editor.apply(delta)
        except DeltaError as exc:
            self._close_bad(InvalidDelta(members(message), str(exc)), size)
            return
        data, md5 = editor.data, message.feed_md5
        verified = md5 is not UNSET
        if verified and self._digest.md5(data) != md5:
            self._close_bad(InvalidHash("the hash is not that of the feed data", members(message)), size)
            return
        change = FeedChange(message.action_name, cast("FrozenDict", message.action_data), data, self._data)
        self._data, self._verified = data, verified
        for core in self.cores:
            if core.desired_open:
                core.show_action(change, verified=verified, size=size + editor.copied)

    def on_termination(self, message: FeedTermination) -> None:
        """Handle the server's closing of an open feed."""
        if self.state is _CLOSING:
            self.state = _TERMINATED
        elif self.state is _OPEN:
            self._refuse(Terminated(message.error_code, message.error_data))
        else:
            raise UnexpectedMessage(f"the feed is {self.state}, not open", members(message))

    def doubt(self) -> None:
        """Handle a message that could not be read: the next hash shows whether it was a notification of this feed."""
        self._verified = False
        for core in self.cores:
            core.set_synced(False)

    # -- internals -------------------------------------------------------------------------------------------------

    def _desired(self) -> list[FeedCore]:
        return [core for core in self.cores if core.desired_open]

    def _consider(self) -> None:
        """Open or close the feed if it should be and may be; otherwise an answer is awaited, which leads here again."""
        if not self._client.connected:
            return
        desired = self._desired()
        if self.state is _CLOSED and desired and self._hold is _Hold.NONE:
            self._stop_reopen_timer()
            self._client.send(self, FeedOpen(self._name, self._args))
            self.state = _OPENING
            for core in desired:
                if core.state is not FeedState.OPENING:
                    self._show_opening(core)
        elif self.state is _OPEN and not desired:
            self._close()

    def _close(self) -> None:
        self._client.send(self, FeedClose(self._name, self._args))
        self.state = _CLOSING
        self._forget_data()

    def _become_closed(self) -> None:
        self.state = _CLOSED
        self._forget_data()
        self._client.on_closed(self)

    def _refuse(self, error: Rejected) -> None:
        self._hold = _Hold.REFUSED
        self._show_all_closed(error)
        self._become_closed()

    def _forget_data(self) -> None:
        self._data, self._digest = FrozenDict(), FeedDigest()

    def _close_bad(self, error: BadServerMessage, size: int) -> None:
        self._close()
        self._hold = _Hold.BAD
        self._show_all_closed(BadFeedAction("a notification did not lead to the server's feed data"))
        self._client.report_bad(error, size)

    def _hold_by_policy(self) -> None:
        """Let the feed be reopened now, later or not at all, after it was closed because of a bad notification."""
        if self._policy.allow(now()):
            self._hold = _Hold.NONE
            return
        self._hold = _Hold.REFUSED
        if self._policy.next_at < math.inf:
            self._reopen_timer = self._client.timers.start(self._policy.next_at - now(), self._reopen)
            return
        for core in self._desired():
            core.end_stream(core.error)
            core.wake_waiters()

    def _reopen(self) -> None:
        self._reopen_timer, self._hold = None, _Hold.NONE
        self._consider()

    def _stop_reopen_timer(self) -> None:
        if self._reopen_timer is not None:
            self._client.timers.stop(self._reopen_timer)
            self._reopen_timer = None

    # -- telling the feed objects ----------------------------------------------------------------------------------

    def _show_opening(self, core: FeedCore) -> None:
        """Report that a feed object waits for the server from now on, though not for ever."""
        core.show_opening()
        if self._feed_timeout:
            self._stop_timer(core)
            core.timer = self._client.timers.start(self._feed_timeout, partial(self._expire, core))

    def _show_open(self, core: FeedCore) -> None:
        self._stop_timer(core)
        core.show_open(self._data, verified=self._verified)

    def _show_closed(self, core: FeedCore, error: FeedmeError | None) -> None:
        self._stop_timer(core)
        core.show_closed(error)

    def _show_all_closed(self, error: FeedmeError) -> None:
        for core in self._desired():
            self._show_closed(core, error)
            if isinstance(error, Rejected):
                core.end_stream(error)

    def _expire(self, core: FeedCore) -> None:
        """Report a time-out; the answer may still come, and opens the feed."""
        core.timer = None
        core.show_closed(TimedOut("the server did not open the feed in time"))

    def _stop_timer(self, core: FeedCore) -> None:
        timer, core.timer = core.timer, None
        if timer is not None:
            self._client.timers.stop(timer)
