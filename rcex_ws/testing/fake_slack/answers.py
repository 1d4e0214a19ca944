"""What the methods of the fake Slack share: how they refuse, and how they give a list in pages."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from rcex_ws.testing.fake_slack.workspace import JSONObject

__all__ = ["MethodError", "flag", "page"]

_MOST = 1000


class MethodError(Exception):
    """Carry Slack's error code."""


def flag(value: object) -> bool:
    """Read a boolean argument, which a form gives as a text."""
    return str(value).lower() in ("1", "true")


def page(items: list[Any], fields: JSONObject, name: str, *, default: int | None) -> JSONObject:
    """Give a page of a list, and where the next begins (Slack's page on pagination).

    Args:
        items: the whole list.
        fields: the arguments of the call: limit, cursor.
        name: under which the items stand in the answer.
        default: how many without a limit; None for all.

    Raises:
        Refused: a limit or cursor that cannot be.
    """
    limit = str(fields.get("limit") or default or len(items) or 1)
    if not (limit.isdecimal() and 0 < int(limit) <= max(_MOST, len(items))):
        raise MethodError("invalid_limit")
    begin = _position(str(fields.get("cursor") or ""))
    end = begin + int(limit)
    return {name: items[begin:end], "response_metadata": {"next_cursor": _cursor(end) if end < len(items) else ""}}


def _cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        name, _, position = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise MethodError("invalid_cursor") from None
    if name != "next" or not position.isdecimal():
        raise MethodError("invalid_cursor")
    return int(position)
