"""The interface of an open WebSocket. Does not import `websockets`, which is loaded with the first connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from rcex_ws.websocket.frames import Sendable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["NOBODY", "Ending", "Receivers", "Socket", "ignore"]


class Ending(Struct, frozen=True, gc=False):
    """How a WebSocket ended.

    Attributes:
        code: the close code from the peer, or of our own protocol error; None without a close frame.
        reason: the text sent with the code.
        by_peer: whether the peer sent a close frame; without one, frames may have been lost in transit.
        unreadable: whether this side ended it because of an invalid frame, for example one over `max_size`.
        answered: whether the peer's close frame answers ours.
    """

    code: int | None
    reason: str
    by_peer: bool
    unreadable: bool = False
    answered: bool = False


def ignore(*_: object) -> None:
    """Do nothing: the callback for what nobody needs."""


class Receivers(Struct, frozen=True):
    """The callbacks of a reader, called in the order of arrival; none may block.

    Attributes:
        message: called with each complete message and whether it is binary.
        pong: called with the data of each pong.
        heard: called when data has arrived, once per batch and before it is delivered; also for a part of a large
            frame.
        ended: called with how the WebSocket ended; nothing follows.
        failed: called with an exception of another callback if no task of the caller can raise it; nothing follows.
    """

    message: Callable[[bytes, bool], object]
    pong: Callable[[bytes], object]
    heard: Callable[[], object] = ignore
    ended: Callable[[Ending], object] = ignore
    failed: Callable[[Exception], object] = ignore


NOBODY = Receivers(ignore, ignore)


class Socket(Protocol):
    """One WebSocket of a client: reads, writes, closes with a handshake, or aborts."""

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptor of the connection, if it has one and is open."""
        ...

    async def open(self) -> None:
        """Do the opening handshake; raise `ConnectFailed` when that fails."""
        ...

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Deliver messages from the caller's next checkpoint on, until the WebSocket ends.

        Pings are answered automatically.

        Args:
            receivers: the callbacks.
            group: runs the reading task, if there is one.
        """
        ...

    def stop_reading(self) -> None:
        """Deliver nothing more from now on, not even how the WebSocket ends."""
        ...

    def can_write(self) -> bool:
        """Return whether `write` is possible: on asyncio, while the WebSocket is open and its buffer has room."""
        ...

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages without waiting, in one system call; write none and return False unless `can_write`."""
        ...

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write complete messages; return whether the WebSocket was open. `bytes` stand for an encoded text message."""
        ...

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake within `within` seconds, then abort the connection."""
        ...

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        ...
