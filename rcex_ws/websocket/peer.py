"""The interface between a server's WebSockets and the handlers that serve them: messages, not frames.

`ServerPeer` implements it over our own connection, `AsgiPeer` over one of an ASGI server. A handler is a coroutine
function that is called with a peer which has requested a WebSocket::

    async def echo(peer: Peer) -> None:
        await peer.accept()
        await peer.read(lambda data, binary: peer.send([Binary(data) if binary else data]))

When it returns, the WebSocket is closed. `send`, `close` and `abort` never wait, and may be called from a receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.socket import Ending

__all__ = ["INTERNAL_ERROR", "NORMAL", "Peer", "PeerOptions", "Shared", "broadcast"]

# Close codes for a handler that returns or raises: RFC 6455, section 7.4.1, and erratum 3227.
NORMAL, INTERNAL_ERROR = 1000, 1011


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """The limits of each peer.

    Attributes:
        max_size: the largest message accepted, in bytes.
        compress: whether messages may be compressed (permessage-deflate).
        max_buffer: bytes that may wait to be written to a slow peer.
        overflow_code: the close code for a peer that exceeds `max_buffer`; None keeps it connected, so that senders of
            much data must call `drain`.
        open_timeout: seconds until the request is complete, TLS included.
        close_timeout: seconds for closing; then the connection is aborted.
    """

    max_size: int = 2**20
    compress: bool = True
    max_buffer: int = 2**20
    overflow_code: int | None = 1013  # "try again later" (IANA's registry of close codes)
    open_timeout: float = 10.0
    close_timeout: float = 5.0


class Shared:
    """Messages for many peers, encoded once for all peers that do not compress.

    Args:
        messages: as for `Peer.send`.
    """

    __slots__ = ("frames", "messages")

    def __init__(self, messages: Iterable[bytes | Sendable]) -> None:
        self.messages = tuple(messages)
        self.frames = b""


class Peer(Protocol):
    """One client's WebSocket."""

    @property
    def request(self) -> UpgradeRequest:
        """The client's upgrade request."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent: from `accept` until either side starts to close, or the network fails."""
        ...

    @property
    def overflowed(self) -> bool:
        """Whether it was closed because it exceeded `max_buffer`, see `PeerOptions.overflow_code`."""
        ...

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Sendable] = (),
    ) -> None:
        """Accept the WebSocket.

        Args:
            subprotocol: one of `request.subprotocols`.
            headers: additional headers of the response.
            messages: sent at once, if possible in the same TCP segment as the response.
        """
        ...

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Respond with an HTTP status, 200 or above, and close the connection."""
        ...

    async def read(
        self,
        on_message: Callable[[bytes, bool], object],
        on_pong: Callable[[bytes], object] = ...,
        on_closing: Callable[[], None] = ...,
        on_heard: Callable[[], object] = ...,
    ) -> Ending:
        """Deliver messages until the WebSocket ends; return how it ended. Pings are answered automatically.

        Args:
            on_message: called with each complete message and whether it is binary.
            on_pong: called with the data of each pong.
            on_closing: called once, as soon as messages can no longer be sent, whichever side closes: what is sent
                after that is lost.
            on_heard: called when data has arrived, before it is delivered; also for a part of a large frame.
        """
        ...

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Send messages together without waiting; return whether the WebSocket is still open.

        `bytes` stand for an encoded text message. A peer that exceeds `max_buffer` is closed, see
        `PeerOptions.overflow_code`.
        """
        ...

    def send_shared(self, shared: Shared) -> bool:
        """Send messages that other peers get as well, like `send`."""
        ...

    async def drain(self) -> None:
        """Wait until the network has accepted all that was sent, or the WebSocket has ended."""
        ...

    def ping(self, data: bytes = b"") -> None:
        """Send a ping; does nothing if the server sends its own."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; after `close_timeout` the connection is aborted."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, by RST where possible."""
        ...


def broadcast(peers: Iterable[Peer], messages: Iterable[bytes | Sendable]) -> int:
    """Send the same messages to many peers without waiting; return the number of peers that are still open."""
    shared = Shared(messages)
    return sum([peer.send_shared(shared) for peer in tuple(peers)])  # a dropped peer may remove itself from `peers`
