"""What a protocol brings: a `Driver` for each client, and a `Conversation` for each of its connections.

Derive from both. Methods that raise `NotImplementedError` must be implemented; the others have a default for protocols
that do not need them. In the order in which they are called::

    driver.endpoint()                where to connect, for example with a fresh token
    driver.conversation(link)        the WebSocket is open
      conversation.handshake()       within the time-out of the attempt
      conversation.prepare()         without a time-out; the state is not READY yet
      conversation.after_ready()     the state is READY
      conversation.on_message(...)   from the first time that one of these three waits
      conversation.heartbeat()       whenever the peer has been silent for too long
      conversation.on_lost(loss)     once, whether the connection was ready or not
    driver.next_delay(ended, delay)  whether and when to reconnect
"""

from __future__ import annotations

import logging

from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss
from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Ping, Sendable

__all__ = ["Conversation", "Driver"]

logger = logging.getLogger("rcex_ws.connection")


class Conversation:
    """What a protocol does with one connection; made for each one, and discarded with it.

    The methods named `on_...` must neither wait nor run code of the application: they are called by *the reader*, which
    is a task on trio, but on asyncio the event loop itself when data has come. `on_lost` may be called by any task, too.
    An exception is treated as a bug and makes the state FAILED, so decode text with care: it may not be UTF-8.
    """

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one inbound message."""
        raise NotImplementedError

    def on_pong(self, data: bytes) -> None:
        """Handle an inbound pong frame with this payload."""

    def on_suspended(self, seconds: float) -> None:
        """Handle a suspension of the machine, or a block of the event loop, for `seconds`; a heartbeat follows."""

    def on_lost(self, loss: Loss) -> None:
        """Handle the loss of the connection."""

    def heartbeat(self) -> bytes | Sendable:
        """Return a message that the peer answers; by default a ping frame."""
        return Ping()

    async def handshake(self) -> None:
        """Complete the protocol's own handshake, within the time-out of the attempt; raise `RcexError` if it fails."""

    async def prepare(self) -> None:
        """Do what must be done before the state becomes READY; raise `RcexError` if it fails."""

    async def after_ready(self) -> None:
        """Do what follows once the state is READY; cancelled when the connection is lost."""


class Driver:
    """What a protocol decides for one client, across all of its connections."""

    async def endpoint(self) -> Endpoint:
        """Return the endpoint for the next attempt; raise `RcexError` if there is none now."""
        raise NotImplementedError

    def conversation(self, link: Link) -> Conversation:
        """Return the conversation for a new connection."""
        raise NotImplementedError

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Decide what follows a loss or a failed attempt; raise `RcexError` to give up.

        Args:
            ended: how the connection was lost, or why the attempt failed.
            delay: the delay in seconds that the schedule proposes.

        Returns:
            The seconds to wait before the next attempt; None to end without an error.
        """
        if isinstance(ended, RcexError) and not ended.retryable:
            raise ended
        return delay

    def on_misconfigured(self, error: ConfigurationError) -> None:
        """Report a mistake of the application that does not end the client; by default it is logged."""
        logger.error("%s", error, exc_info=error.__cause__)

    def on_failed(self, error: Exception) -> None:
        """Report that the state is FAILED: no further attempt is made."""
