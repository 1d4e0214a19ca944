"""One open WebSocket, as all above sees it. Loads nothing of `websockets`, which comes with the first connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from rcex_ws.websocket.frames import Sendable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["NOBODY", "Ending", "Receivers", "Socket", "ignore"]


class Ending(Struct, frozen=True, gc=False):
    """Say how a WebSocket ended.

    Attributes:
        code: the close code the peer sent, or that of our own protocol error; None without a close frame.
        reason: the text beside the code.
        by_peer: whether the peer sent a close frame: without one, frames may have been lost on the way.
        unreadable: whether this side ended it, because of what the peer sent: a frame over `max_size`, say.
        answered: whether the peer's close frame answers ours.
    """

    code: int | None
    reason: str
    by_peer: bool
    unreadable: bool = False
    answered: bool = False


def ignore(*_: object) -> None:
    """Take what nobody asked for."""


class Receivers(Struct, frozen=True):
    """Take what comes, in order, without waiting.

    Attributes:
        message: takes every message, fragments joined, and whether it is binary.
        pong: takes the data of every pong.
        heard: hears that something came, once for all that is handed over in one turn, before it is; also of a large
            frame on its way.
        ended: hears how the WebSocket ended; nothing comes after that.
        failed: hears what one of these raised, where no task of the caller's can; nothing comes after that either.
    """

    message: Callable[[bytes, bool], None]
    pong: Callable[[bytes], None]
    heard: Callable[[], object] = ignore
    ended: Callable[[Ending], object] = ignore
    failed: Callable[[Exception], object] = ignore


NOBODY = Receivers(ignore, ignore)


class Socket(Protocol):
    """One open WebSocket: reads all frames, writes some, closes politely or aborts."""

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the connection, if it has one and is open."""
        ...

    async def open(self) -> None:
        """Do the opening handshake; raise `ConnectFailed` when that fails."""
        ...

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Hand over what comes until the WebSocket ends, from the caller's next checkpoint on.

        Pings are answered by themselves.

        Args:
            receivers: take it.
            group: where reading needs a task.
        """
        ...

    def stop_reading(self) -> None:
        """Hand over nothing more, from this moment on, and do not tell how it ends."""
        ...

    def can_write(self) -> bool:
        """Tell whether `write` is possible: on asyncio, while the WebSocket is open and the network not behind."""
        ...

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages without waiting, in one system call; take none and return False unless `can_write`."""
        ...

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write messages, whole; tell whether the WebSocket was still open. Bytes are a text message, encoded."""
        ...

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake, for at most `within` seconds; then the connection is aborted."""
        ...

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        ...
