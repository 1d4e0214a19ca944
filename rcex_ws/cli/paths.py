"""The short form of paths and event filters: `message-store` is that of one's own extension."""

from __future__ import annotations

from typing import Final

__all__ = ["full_path"]

_OWN: Final = "/restapi/v1.0/account/~/extension/~/"
_WHOLE: Final = ("/", "https://", "http://")
#: The beginnings of RingCentral's APIs: their leading slash is easily forgotten, and no extension has such parts.
_APIS: Final = ("restapi/", "team-messaging/", "scim/", "rcvideo/", "webinar/", "analytics/", "ai/", "cx/")


def full_path(path: str) -> str:
    """Return a path or filter in full: one that begins with no slash is below the user's own extension."""
    if path.startswith(_WHOLE):
        return path
    return f"/{path}" if path.startswith(_APIS) else f"{_OWN}{path}"
