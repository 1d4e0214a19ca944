"""What connects the servers of one service: topics as logs, membership, and signals between nodes. Pure declarations.

`MemoryBroker` implements it within a process, `RedisBroker` over Redis. A broker object is one *node* of the service:
it belongs to one server, in one event loop. Only `run`, `follow`, `read` and `members` wait; everything else returns
at once, and calls that are made while the service cannot be reached are carried out when it can.

A topic is a log of entries. Each has a *position*, an opaque text without white space, comma or semicolon; positions of
one topic stay valid across nodes and restarts. Logs are bounded by length and age; an entry says which one it follows,
so that a reader notices when something between them is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from rcex_ws.errors import RcexError

__all__ = [
    "Appended",
    "Broker",
    "BrokerError",
    "BrokerFull",
    "BrokerRefused",
    "BrokerUnavailable",
    "Entry",
    "Hole",
    "Reader",
    "Stretch",
]


class BrokerError(RcexError):
    """The broker cannot do what was asked for."""


class BrokerUnavailable(BrokerError):
    """The service cannot be reached, or did not answer in time.

    Args:
        sent: False if the entry was certainly not appended, so that repeating the call is safe.
    """

    retryable = True

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class BrokerRefused(BrokerUnavailable):
    """The service refuses this node, for its login, its rights or its version: somebody has to change something.

    It is tried again all the same, as that may be done meanwhile.
    """

    retryable = False


class BrokerFull(BrokerError):
    """Too much waits for the service already."""

    retryable = True


class Entry(Struct, frozen=True, gc=False):
    """One entry of a log.

    Attributes:
        position: where it stands.
        data: as appended.
    """

    position: str
    data: bytes


class Hole(Struct, frozen=True, gc=False):
    """Entries of a log may be missing.

    Attributes:
        certain: whether some are certainly missing.
        reason: why, for people.
    """

    certain: bool
    reason: str


class Stretch(Struct, frozen=True):
    """A part of a log, from a position up to its end.

    Attributes:
        entries: in order.
        hole: what is missing between that position and the first of them, or further on if the service was restarted;
            None if nothing is.
        position: the end of the log.
    """

    entries: Sequence[Entry]
    hole: Hole | None
    position: str


class Appended(Struct, frozen=True, gc=False):
    """An entry was appended.

    Attributes:
        position: where it stands.
        followers: how many nodes follow the topic, and were sent the entry; the own one included.
    """

    position: str
    followers: int


class Reader(Protocol):
    """Gets what is appended to a topic that a node follows. Nothing here may wait or raise."""

    def on_entry(self, entry: Entry) -> None:
        """Handle the next entry: each comes once, in the order of the log."""
        ...

    def on_hole(self, hole: Hole, position: str) -> None:
        """Handle a loss: entries may be missing between the last entry and the next one.

        Args:
            hole: what is known of it.
            position: the position from which the reader goes on.
        """
        ...


class Broker(Protocol):
    """One node of a service."""

    @property
    def node(self) -> str:
        """The id of this node, different from all others that there ever were."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the service can be reached now."""
        ...

    async def run(
        self, on_signal: Callable[[bytes], None], on_change: Callable[[bool, RcexError | None], None]
    ) -> None:
        """Connect to the service, and stay connected until cancelled; called once.

        Args:
            on_signal: called with each signal for this node; must not wait or raise.
            on_change: called when the connection is made (True) or lost (False), with the reason of a loss, and once
                per failed attempt after a loss; must not wait or raise.
        """
        ...

    async def aclose(self) -> None:
        """Leave all groups and close the connections, after `run` was cancelled; bounded by the command time-out."""
        ...

    # -- topics --------------------------------------------------------------------------------------------------------

    def append(
        self, topic: str, data: bytes, on_done: Callable[[Appended | BrokerError], None], *, within: float
    ) -> None:
        """Append an entry. Entries of one node are appended in the order of these calls, each at most once.

        Args:
            topic: the name of the topic.
            data: the entry.
            on_done: called once with the outcome, maybe before this returns; must not wait or raise.
            within: seconds until it fails with `BrokerUnavailable` if the service has not taken it.

        Raises:
            BrokerFull: too many entries, or bytes, wait already.
        """
        ...

    async def follow(self, topic: str, reader: Reader) -> str:
        """Have a reader get what is appended from now on, until `unfollow`; one reader for each topic.

        Returns:
            The position after which it begins: whatever is appended after this call returns reaches the reader.

        Raises:
            BrokerUnavailable: the service did not answer within the command time-out. The topic is followed all the
                same, from when it can be; the reader then gets `on_hole` first.
        """
        ...

    def unfollow(self, topic: str) -> None:
        """Undo `follow`; ignored if the topic is not followed."""
        ...

    async def read(self, topic: str, after: str) -> Stretch:
        """Read a log from a position up to its end.

        Raises:
            BrokerUnavailable: the service did not answer within the command time-out.
        """
        ...

    def is_after(self, position: str, other: str) -> bool:
        """Return whether a position of a topic comes after another one of that topic; after "" all do."""
        ...

    def is_of_one_log(self, position: str, other: str) -> bool:
        """Return whether the service has not lost its data, or been restarted, between two positions of a topic."""
        ...

    # -- signals -------------------------------------------------------------------------------------------------------

    def signal(self, node: str, data: bytes) -> None:
        """Send something to a node that is not kept: it is lost if that node, or the service, is away."""
        ...

    # -- membership ----------------------------------------------------------------------------------------------------

    def set_member(self, group: str, value: int) -> None:
        """Set what this node counts in a group, 0 to leave it; it stands as long as this node lives."""
        ...

    async def members(self, group: str) -> Mapping[str, int]:
        """Return what each living node counts in a group. A node that was killed is gone within the time to live.

        Raises:
            BrokerUnavailable: the service did not answer within the command time-out.
        """
        ...
