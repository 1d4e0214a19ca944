"""Why a client of an `RtmServer` is gone; they hang in the tree of `rcex_ws.errors`.

::

    RtmError
    └── ClientGone          .code, .text, .by_server
"""

from __future__ import annotations

from typing import Final

from rcex_ws.rtm.errors import RtmError

__all__ = [
    "MOVED",
    "NOT_AUTHENTICATED",
    "TAKEN_OVER",
    "TOO_MANY",
    "TOO_SLOW",
    "ClientGone",
]

# Close codes: IANA's registry, and, from 4000 on, our own.
MOVED: Final = 1012
"""The server is closed; the client is to connect again, and will reach another one."""
TOO_SLOW: Final = 1013
"""The client does not read fast enough what is sent to it."""
NOT_AUTHENTICATED: Final = 4401
"""The client is not authenticated, or did not authenticate in time."""
TAKEN_OVER: Final = 4409
"""The client has resumed its session over another connection."""
TOO_MANY: Final = 4429
"""Too many messages of a client, or too many connections of a user."""


class ClientGone(RtmError):
    """The connection to a client has ended.

    Attributes:
        code: the close code; None if the connection ended without one.
        text: why, for people.
        by_server: whether the server has closed it.
    """

    def __init__(self, text: str, code: int | None = None, *, by_server: bool = False) -> None:
        super().__init__(text if code is None else f"{code}: {text}")
        self.code = code
        self.text = text
        self.by_server = by_server
