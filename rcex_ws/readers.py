"""The only readers of untrusted input: JSON, numbers and waits from a server, or from whatever answers for it. Pure.

Every reader returns a value within the bounds of `rcex_ws.bounds`, or raises one of the package's errors. Addresses are
parsed by `rcex_ws.address`, the frames of a protocol in its folder, by means of these readers.
"""

from __future__ import annotations

import json
import logging
import math
import re
from typing import Any, TypeVar, cast

import msgspec

from rcex_ws.bounds import RETRY_AFTER, Bound
from rcex_ws.errors import NotJSON

__all__ = [
    "UNREADABLE",
    "encodable",
    "is_id",
    "is_text",
    "printable",
    "read_date",
    "read_digits",
    "read_json",
    "read_number",
    "read_retry_after",
    "read_struct",
]

T = TypeVar("T")

#: The characters of RingCentral's ids, with some tolerance: they are used in paths.
_ID = re.compile(r"[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]*")

_TOO_DEEP = "JSON that is nested too deep"

logger = logging.getLogger("rcex_ws")

#: All that msgspec and the standard library raise when decoding: not JSON, another type, not UTF-8, an integer of
#: thousands of digits, nested too deep.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

#: Maximum digits of an id or status; int() refuses thousands of digits.
_MOST_DIGITS = 18


def read_json(data: bytes | msgspec.Raw) -> Any:
    """Decode JSON; fall back to the standard library where msgspec is stricter (lone surrogates, NaN).

    Raises:
        NotJSON: neither can decode it. The message quotes no content.
    """
    try:
        return msgspec.json.decode(data)
    except UNREADABLE:
        try:
            return json.loads(bytes(data))
        except UNREADABLE:
            raise NotJSON(f"no JSON ({len(bytes(data))} bytes)") from None


def read_struct(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Decode a JSON object into a Struct, converting types leniently: "30" is a number.

    Raises:
        NotJSON: it is not JSON, or a field is missing or has another type. The message quotes no content.
    """
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except msgspec.ValidationError as exc:
        raise NotJSON(str(exc)) from None
    except UNREADABLE:
        try:
            return msgspec.convert(encodable(read_json(data)), kind, strict=False)
        except msgspec.ValidationError as exc:
            raise NotJSON(str(exc)) from None
        except RecursionError:
            raise NotJSON(_TOO_DEEP) from None


def read_number(text: object, bound: Bound) -> float:
    """Read a number, from a JSON value or a header, and clamp it; anything else becomes the bound's default."""
    if isinstance(text, str):
        try:
            return bound.clamp(float(text))
        except ValueError:
            return bound.default
    return bound.clamp(text)


def read_digits(text: object) -> int | None:
    """Read a non-negative integer: an int, or ASCII digits; None for anything else, and for absurdly long ones."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text if 0 <= text < 10**_MOST_DIGITS else None
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS:
        return int(text)
    return None


def read_retry_after(text: str | None, *, now: float) -> float | None:
    """Read a Retry-After header: the seconds to wait, an hour at most; None if it is missing or invalid.

    Args:
        text: seconds or a date (RFC 9110, 10.2.3).
        now: wall-clock seconds since the epoch, for the date.
    """
    text = (text or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        date = read_date(text)
        seconds = math.nan if date is None else date - now
    if not math.isfinite(seconds):
        return None
    believed = RETRY_AFTER.clamp(seconds)
    if seconds > believed:
        logger.warning("the server asks to wait %.0f s; trying again after %.0f s", seconds, believed)
    return believed


def read_date(text: str | None) -> float | None:
    """Read an HTTP date (RFC 9110, 5.6.7) as seconds since the epoch; None if it is invalid."""
    from email.utils import parsedate_to_datetime  # imports all of `email`

    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def is_text(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8: JSON may contain lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: object, *, most: int = 500) -> str:
    """Make a text of somebody else safe for an error or a log: one line, truncated, unprintable characters escaped.

    Of an object that cannot be made a text, such as an exception of an application, it names the type.
    """
    try:
        cut = str(text)[:most]
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide what is to be reported
        cut = f"<{type(text).__name__}>"
    return cut if cut.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut)


def is_id(text: str) -> bool:
    """Return whether a text can be an id, which becomes a segment of a path."""
    return _ID.fullmatch(text) is not None


def encodable(value: object) -> Any:
    """Escape the lone surrogates in decoded JSON, so that it can be stored and sent.

    Different texts stay different.

    Raises:
        NotJSON: it is nested too deep for recursion, although it could be decoded.
    """
    try:
        return _encodable(value)
    except RecursionError:
        raise NotJSON(_TOO_DEEP) from None


def _encodable(value: object) -> Any:
    if isinstance(value, str):
        return value if is_text(value) else value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(member) for name, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_encodable(item) for item in cast("list[object]", value)]
    return value
