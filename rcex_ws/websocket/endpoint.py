"""Where to connect, and the way to: `websockets` is loaded when the first connection is opened."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rcex_ws.websocket.codec import Ending
from rcex_ws.websocket.frames import Frame

if TYPE_CHECKING:
    import trio

__all__ = ["Endpoint", "Opener", "Socket", "open_websocket"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Say where to connect.

    Attributes:
        url: the ws:// or wss:// address; may hold secrets, so it is never shown.
        headers: extra headers of the upgrade request.
        proxy: None for the environment's proxy, a URL (http, https, socks5) for that one, False for none.
        ssl_context: for wss:// only; None for the system's trust store.
        max_size: the largest message accepted, in bytes.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    proxy: str | bool | None = field(default=None, repr=False)
    ssl_context: ssl_module.SSLContext | None = None
    max_size: int = 16 * 2**20


class Socket(Protocol):
    """One open WebSocket: reads all frames, writes some, closes politely or aborts."""

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the connection, if it has one and is open."""
        ...

    async def open(self) -> None:
        """Do the opening handshake; raise `ConnectFailed` when that fails."""
        ...

    async def read(self, on_message: Callable[[bytes, bool], None], on_pong: Callable[[bytes], None]) -> Ending:
        """Hand over what comes until the WebSocket ends; tell how it ended. Pings are answered by themselves.

        Args:
            on_message: takes every message, fragments joined, and whether it was binary.
            on_pong: takes the data of every pong.
        """
        ...

    def can_write(self) -> bool:
        """Tell whether `write` is possible: on asyncio, while the WebSocket is open and the network not behind."""
        ...

    def write(self, messages: Iterable[bytes | Frame]) -> None:
        """Write messages without waiting, in one system call if the network takes them; only if `can_write`."""
        ...

    async def send(self, messages: Iterable[bytes | Frame]) -> bool:
        """Write messages, whole; tell whether the WebSocket was still open. Bytes are a text message, encoded."""
        ...

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake, for at most `within` seconds; then the connection is aborted."""
        ...

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        ...


class Opener(Protocol):
    """The seam of `open_websocket`, so that a test can connect over a stream of its own."""

    def __call__(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Socket]:
        """Open one WebSocket; raise `ConnectFailed` when that fails."""
        ...


def open_websocket(endpoint: Endpoint, *, stream: trio.abc.Stream | None = None) -> AbstractAsyncContextManager[Socket]:
    """Open one WebSocket; see `rcex_ws.websocket.client.open_socket`.

    Args:
        endpoint: where to connect.
        stream: on trio, a connected stream to use instead of a new TCP connection.

    Raises:
        UpgradeRefused: the server answered with an HTTP status other than 101.
        ConnectFailed: anything else, from name resolution to TLS.
    """
    from rcex_ws.websocket.client import open_socket

    return open_socket(endpoint, stream=stream)
