"""Decoding JSON from clients, and typed access to it instead of casts. Pure functions.

Used for all JSON from outside: bodies over HTTP, frames over a WebSocket, the JSON part of a fax.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, cast

__all__ = ["as_array", "as_object", "decode"]

_DEEPEST = 100
"""Levels of nesting. Nothing in RingCentral's API comes near it, and Python's own limit differs between versions, and
between decoding and encoding."""
_MOST_VALUES = 1_000_000
"""Commas and brackets. A list of empty lists takes thirty times the space of its text."""


def decode(content: bytes) -> Any:
    """Return the value of a JSON text that can be encoded as JSON again.

    Raises:
        ValueError: the content is not JSON in UTF-8, is nested too deeply, has too many members, or contains what other
            decoders reject: NaN, infinity, half a surrogate pair, a number of thousands of digits.
    """
    text = content.decode()  # strict, unlike `json.loads` for bytes
    nested = text.count("[") + text.count("{")
    if nested + text.count(",") > _MOST_VALUES:
        raise ValueError("too many values")
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if nested > _DEEPEST and _is_deep(value):
        raise ValueError("nested too deeply")
    if "\\ud" in text or "\\uD" in text:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object, None for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[Any] | None:
    """Return a JSON array, None for anything else."""
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a JSON number")
    return number


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return as_array(value) or ()
