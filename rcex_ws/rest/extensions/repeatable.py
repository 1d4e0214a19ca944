"""Whether a call may be sent again after an error. Pure.

Used by the extensions that repeat calls. What the server may have done already is not done twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from rcex_ws.errors import NotConnected, RateLimited, RcexError, RequestLost, TransportError
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.message import Request

__all__ = ["body_can_be_sent_again", "has_own_schedule", "may_repeat"]

#: What a `WebSocketExtension` calls for itself, which takes errors as a reason to reconnect or to subscribe later.
_OWN_SCHEDULE = ("/restapi/oauth/", "/restapi/v1.0/subscription")


def has_own_schedule(request: Request) -> bool:
    """Return whether the caller tries again by itself: waiting in between would hold up a connection."""
    return request.path.startswith(_OWN_SCHEDULE)


def may_repeat(request: Request, error: RcexError) -> bool:
    """Return whether sending the call again cannot do anything twice, and sends the same.

    A GET, HEAD, PUT or DELETE may be repeated in any case; anything else only if the server has certainly not executed
    it: it was never sent, or was answered 429.
    """
    return (request.idempotent or _was_not_executed(error)) and body_can_be_sent_again(request)


def body_can_be_sent_again(request: Request) -> bool:
    """Return whether the body is still there: a file is, if it can be read from its start again."""
    files = request.files or ()
    parts: Iterable[Any] = files.values() if isinstance(files, Mapping) else [part for _, part in files]
    return all(map(_can_be_read_again, parts))


def _can_be_read_again(part: object) -> bool:
    file: Any = cast("tuple[object, ...]", part)[1] if isinstance(part, tuple) else part
    return not hasattr(file, "read") or (hasattr(file, "seekable") and file.seekable())


def _was_not_executed(error: RcexError) -> bool:
    if isinstance(error, (TransportError, RequestLost)):
        return not error.sent
    if isinstance(error, RestError):
        return error.status_code == 429
    return isinstance(error, (NotConnected, RateLimited))
