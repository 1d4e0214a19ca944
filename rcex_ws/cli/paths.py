"""The short form of paths and event filters: `message-store` is that of one's own extension."""

from __future__ import annotations

from typing import Final

__all__ = ["full_path"]

_OWN: Final = "/restapi/v1.0/account/~/extension/~/"


def full_path(path: str) -> str:
    """Return a path or filter in full: one that begins with no slash is below the user's own extension."""
    return path if path.startswith(("/", "https://", "http://")) else f"{_OWN}{path}"
