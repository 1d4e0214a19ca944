"""The names of the events of a client and its feeds."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Events", "FeedEvents"]


class Events(StrEnum):
    """The events of a `FeedmeClient`, with the arguments of their handlers."""

    CONNECTING = "connecting"  #: ()
    CONNECT = "connect"  #: ()
    DISCONNECT = "disconnect"  #: (error), None if `disconnect` was called
    BAD_SERVER_MESSAGE = "bad_server_message"  #: (error), a `BadServerMessage`
    BAD_CLIENT_MESSAGE = "bad_client_message"  #: (diagnostics), from the server
    ERROR = "error"  #: (error): a handler raised it, or is too slow (`SlowConsumer`)


class FeedEvents(StrEnum):
    """The events of a `Feed`, with the arguments of their handlers."""

    OPENING = "opening"  #: ()
    OPEN = "open"  #: (data)
    CLOSE = "close"  #: (error), None if `desire_closed` was called
    ACTION = "action"  #: (name, action_data, new_data, old_data)
