"""The errors of RTM; they hang in the tree of `rcex_ws.errors`.

::

    RtmError
    ├── RemoteError             a function has refused, failed or is unknown; .error
    ├── AuthenticationRefused   the server does not accept the authentication
    ├── QueueFull               too many calls wait for a connection            (retryable)
    └── NoUsers                 the server does not know who its clients are    also a ConfigurationError
"""

from __future__ import annotations

from typing import Any

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.rtm.frames import is_true

__all__ = ["AuthenticationRefused", "NoUsers", "QueueFull", "RemoteError", "RtmError"]


class RtmError(RcexError):
    """Base class of the errors of RTM."""


class RemoteError(RtmError):
    """A call was refused: raised by a function of the server, and then by the `call_wait` of the client.

    Args:
        error: what the client is told, any JSON but None, False, 0 and an empty text: with those the original client
            takes the answer for a success.
    """

    def __init__(self, error: Any) -> None:
        super().__init__(f"the call was refused: {error!r:.500}")
        if not is_true(error):
            raise ConfigurationError(f"error: expected something that is true, got {error!r}")
        self.error = error


class AuthenticationRefused(RtmError):
    """The server does not accept the authentication, and the client has ended; `start` begins anew."""


class QueueFull(RtmError):
    """Too many calls wait for a connection already; wait for one, or let go of some."""

    retryable = True


class NoUsers(RtmError, ConfigurationError):
    """A server without an authentication handler does not know who its clients are."""
