"""What the methods of the fake Slack share: their errors, boolean arguments, and pagination."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from rcex_ws.testing.fake_slack.workspace import JSONObject

__all__ = ["MethodError", "flag", "page"]

_MOST = 1000


class MethodError(Exception):
    """The failure of a Web API method; its message is Slack's error code."""


def flag(value: object) -> bool:
    """Return the value of a boolean argument, which is text in a form."""
    return str(value).lower() in ("1", "true")


def page(items: list[Any], fields: JSONObject, name: str, *, default: int | None) -> JSONObject:
    """Return one page of a list, with the cursor of the next (Slack's documentation of pagination).

    Args:
        items: the whole list.
        fields: the arguments of the call, among them limit and cursor.
        name: the member of the answer that contains the items.
        default: the limit if the call has none; None for all items.

    Raises:
        Refused: the limit or the cursor is invalid.
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
