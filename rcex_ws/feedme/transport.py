"""What carries the texts of one connection: the interface for applications that bring their own."""

from __future__ import annotations

from typing import Literal, Protocol

__all__ = ["Transport", "TransportState"]

TransportState = Literal["disconnected", "connecting", "connected"]
"""What a transport is doing: disconnected, connecting or connected."""


class Transport(Protocol):
    """One connection to a server, which is used once; retries and time-outs are the client's.

    A `FeedmeClient` is given a function that makes one for each attempt. The default carries the messages over a
    WebSocket; `FeedmeServer.memory_transport` carries them within the process.
    """

    @property
    def state(self) -> TransportState:
        """The state: "disconnected" until `connect` is called, and after the end."""
        ...

    async def connect(self) -> None:
        """Connect; cancelled when that takes too long.

        Raises:
            Exception: it failed; the client reports it as the `transport_error` of a `TransportFailure`.
        """
        ...

    def send(self, text: bytes) -> None:
        """Send a message, encoded as UTF-8, without waiting; ignored when not connected."""
        ...

    async def receive(self) -> bytes | None:
        """Return the next message, encoded as UTF-8; None when the server has ended the connection cleanly.

        Raises:
            Exception: the connection was lost.
        """
        ...

    def disconnect(self) -> None:
        """End the connection without waiting; what was sent before is still delivered. `receive` then returns None."""
        ...
