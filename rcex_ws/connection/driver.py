"""What a protocol brings: a `Driver` for each client, and a `Conversation` for each of its connections.

Derive from both. What raises `NotImplementedError` here has to be written; each other method has a default, for a
protocol that does not need the step. In the order in which they are called::

    driver.endpoint()                where to connect, with a fresh token, say
    driver.conversation(link)        the WebSocket is open
      conversation.handshake()       within the time-out of the attempt
      conversation.prepare()         without a time-out: what has to be done before READY
      conversation.after_ready()     the state is READY
      conversation.on_message(...)   from when one of these first waits
      conversation.heartbeat()       whenever the peer has been silent for too long
      conversation.on_lost(loss)     once, whether it was ready or not
    driver.next_delay(ended, delay)  what follows
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
    """What a protocol does with one connection; made for each, and thrown away with it.

    The methods called `on_...` are called by the reader, which on asyncio is no task but the event loop itself: they
    must not wait, nor run code of the application. An exception is taken for a bug and makes the state FAILED.
    """

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one inbound message."""
        raise NotImplementedError

    def on_pong(self, data: bytes) -> None:
        """Handle an inbound pong frame with this payload."""

    def on_suspended(self, seconds: float) -> None:
        """Handle that the machine was suspended, or the event loop blocked, for so long; a heartbeat follows."""

    def on_lost(self, loss: Loss) -> None:
        """Handle the loss of the connection."""

    def heartbeat(self) -> bytes | Sendable:
        """Return a message that the peer answers; by default a ping frame."""
        return Ping()

    async def handshake(self) -> None:
        """Complete the protocol's own handshake, within the time-out of the attempt; raise `RcexError` if it fails."""

    async def prepare(self) -> None:
        """Do what has to be done before the state is READY; raise `RcexError` if it fails."""

    async def after_ready(self) -> None:
        """Do what follows when the state has become READY; cancelled when the connection is lost."""


class Driver:
    """What a protocol decides for one client, over all its connections."""

    async def endpoint(self) -> Endpoint:
        """Return the endpoint for the next attempt; raise `RcexError` if it cannot be known now."""
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
        """Report a mistake of the application that ends nothing; by default it is logged."""
        logger.error("%s", error, exc_info=error.__cause__)

    def on_failed(self, error: Exception) -> None:
        """Report that the state is FAILED: no further attempt is made."""
