"""The names of the events of a server."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["RtmServerEvents"]


class RtmServerEvents(StrEnum):
    """The events of an `RtmServer`, with the arguments of their handlers."""

    CONNECT = "connect"  #: (client): it is connected and, if there is an authentication handler, authenticated
    RESUME = "resume"  #: (client): it has come back after a loss, and has got what it missed
    DISCONNECT = "disconnect"  #: (client, reason), a `ClientGone`; it may still come back
    BROKER_LOST = "broker_lost"  #: (error): the other servers cannot be reached, publishing waits
    BROKER_READY = "broker_ready"  #: (): they can be reached, again
    ERROR = "error"  #: (error): a handler raised it, or something could not be published
