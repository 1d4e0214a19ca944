"""What a protocol brings to the engine, and the states that the engine has for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from rcex_ws.connection.link import Conversation, Link, Loss
from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.websocket.endpoint import Endpoint

__all__ = ["Driver", "State"]


class State(StrEnum):
    """The states of a client."""

    IDLE = "idle"  #: not started
    CONNECTING = "connecting"  #: an attempt is under way
    READY = "ready"  #: connected
    WAITING = "waiting"  #: lost or failed; the next attempt comes by schedule or when it is asked for
    FAILED = "failed"  #: trying again cannot help
    CLOSED = "closed"  #: closed by the application


class Driver(Protocol):
    """What a protocol brings to the engine."""

    async def endpoint(self) -> Endpoint:
        """Say where to connect, anew for every attempt; raise `RcexError` when that cannot be known now."""
        ...

    def converse(self, link: Link) -> Conversation:
        """Make the conversation for a new connection."""
        ...

    async def again(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Decide what follows a loss or a failed attempt; raise `RcexError` to give up.

        Args:
            ended: how the connection was lost, or why the attempt failed.
            delay: the wait in seconds that the schedule proposes.

        Returns:
            The seconds to wait before the next attempt; None to end without an error.
        """
        ...

    def complain(self, error: ConfigurationError) -> None:
        """Tell the application of a mistake of its own that ends nothing."""
        ...

    def failed(self, error: Exception) -> None:
        """Hear that nothing will be tried again."""
        ...
