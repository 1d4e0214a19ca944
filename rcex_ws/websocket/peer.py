"""The seam between a server's WebSockets and what serves them: messages, not frames.

`ServerPeer` is one over a connection of ours; `AsgiPeer` one that a web framework's server has opened. What serves is a
coroutine that gets a peer which has asked for a WebSocket::

    async def echo(peer: Peer) -> None:
        await peer.accept()
        await peer.read(lambda data, binary: peer.send([Binary(data) if binary else data]))

Its end is the end of the WebSocket. `send`, `close` and `abort` never wait, and may be called from a receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.socket import Ending

__all__ = ["INTERNAL_ERROR", "NORMAL", "Peer", "PeerOptions", "Shared", "broadcast"]

# How a handler ends: RFC 6455, section 7.4.1, and its erratum 3227.
NORMAL, INTERNAL_ERROR = 1000, 1011


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """Set the limits of each peer.

    Attributes:
        max_size: the largest message accepted, in bytes.
        compress: whether messages may be compressed (permessage-deflate).
        max_buffer: bytes that may wait to be written to a peer whose network is slow.
        overflow_code: the close code for a peer for which more would have to wait; None keeps it: then whoever sends
            much has to `drain`.
        open_timeout: seconds for the request, TLS included.
        close_timeout: seconds for the end of a WebSocket; then the connection is aborted.
    """

    max_size: int = 2**20
    compress: bool = True
    max_buffer: int = 2**20
    overflow_code: int | None = 1013  # "try again later" (IANA's registry of close codes)
    open_timeout: float = 10.0
    close_timeout: float = 5.0


class Shared:
    """Hold messages for many peers; they are framed once for all that do not compress.

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
        """What the client asks for."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent: from `accept` until either side begins to close, or the network fails."""
        ...

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Sendable] = (),
    ) -> None:
        """Agree.

        Args:
            subprotocol: one of `request.subprotocols`.
            headers: more headers of the answer.
            messages: what to send at once, in the segment of the answer if that is in our hands.
        """
        ...

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Answer the request by any HTTP status from 200 on; the connection is closed then."""
        ...

    async def read(
        self,
        on_message: Callable[[bytes, bool], None],
        on_pong: Callable[[bytes], None] = ...,
        on_closing: Callable[[], None] = ...,
    ) -> Ending:
        """Hand over what comes until the WebSocket ends; tell how it ended. Pings are answered by themselves.

        Args:
            on_message: takes every message, fragments joined, and whether it was binary.
            on_pong: takes the data of every pong.
            on_closing: called once, at once when messages can be sent no more, whoever began it: what is sent from
                then on is lost.
        """
        ...

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Send messages together, without waiting; tell whether it is still open. Bytes are a text message, encoded.

        A peer for which more than `max_buffer` would have to wait is dropped, see `PeerOptions.overflow_code`.
        """
        ...

    def send_shared(self, shared: Shared) -> bool:
        """Send what is sent to others, too, without waiting; tell whether it is still open."""
        ...

    async def drain(self) -> None:
        """Wait until the network has taken what was sent, or the WebSocket has ended."""
        ...

    def ping(self, data: bytes = b"") -> None:
        """Ask for a pong. A peer whose server has pings of its own leaves it at them."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; it is over, or the connection aborted, after `close_timeout`."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, by RST where it is in our hands."""
        ...


def broadcast(peers: Iterable[Peer], messages: Iterable[bytes | Sendable]) -> int:
    """Send the same messages to many peers without waiting; return to how many."""
    shared = Shared(messages)
    return sum([peer.send_shared(shared) for peer in tuple(peers)])  # one that is dropped may leave `peers`
