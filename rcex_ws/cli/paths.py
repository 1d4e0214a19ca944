"""The short form of paths and event filters: `message-store` is that of one's own extension."""

from __future__ import annotations

import difflib
from typing import Final

__all__ = ["full_path", "probably_meant"]

_OWN: Final = "/restapi/v1.0/account/~/extension/~/"
_WHOLE: Final = ("/", "https://", "http://")
#: The beginnings of RingCentral's APIs: their leading slash is easily forgotten, and no extension has such parts.
_APIS: Final = ("restapi/", "team-messaging/", "scim/", "rcvideo/", "webinar/", "analytics/", "ai/", "cx/")
#: The short filters that RingCentral's developer guide names.
_FILTERS: Final = (
    *("message-store", "message-store/instant", "voicemail", "fax", "telephony/sessions", "presence", "presence/dnd"),
    *("presence/line", "presence/line/presence", "favorite", "favorite/presence"),
)


def full_path(path: str) -> str:
    """Return a path or filter in full: one that begins with no slash is below the user's own extension."""
    if path.startswith(_WHOLE):
        return path
    return f"/{path}" if path.startswith(_APIS) else f"{_OWN}{path}"


def probably_meant(short_filter: str) -> str | None:
    """Return the filter that one without a leading slash was probably meant to be; None if it is no misspelling.

    A server may accept it all the same, and then never has an event for it.
    """
    path, question, query = short_filter.partition("?")
    if path in _FILTERS or path.startswith((*_WHOLE, *_APIS)):
        return None
    near = difflib.get_close_matches(path, _FILTERS, n=1, cutoff=0.75)
    return f"{near[0]}{question}{query}" if near else None
