"""Why a client of an `RtmServer` is gone; they hang in the tree of `rcex_ws.errors`.

::

    RtmError
    └── ClientGone          .code, .text, .by_server
"""

from __future__ import annotations

from rcex_ws.rtm.errors import RtmError

__all__ = ["ClientGone"]


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
