"""The canonical JSON text of feed data, which every implementation of Feedme hashes. Pure.

It is what `JSON.stringify` of JavaScript writes, with the members of each object sorted by the UTF-16 units of their
names. msgspec writes the same text in the end; what it writes differently, `freeze` has marked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import msgspec

from rcex_ws.feedme.values import FrozenDict, FrozenList, JSNumber, JSText, NotExpressible

__all__ = ["canonical", "sorted_names", "write_odd"]


def write_odd(value: object) -> msgspec.Raw:
    """Write a JSNumber or JSText: the `enc_hook` of every msgspec encoder of feed data.

    Raises:
        TypeError: it is something else, which feed data cannot contain.
    """
    if isinstance(value, JSNumber):
        return msgspec.Raw(_write_number(value).encode())
    if isinstance(value, JSText):
        return msgspec.Raw(_write_text(value))
    raise TypeError(f"feed data cannot contain a value of type {type(value).__name__}")


_encode = msgspec.json.Encoder(order="sorted", enc_hook=write_odd).encode


def canonical(value: Any) -> bytes:
    """Write a frozen value as canonical JSON text.

    Raises:
        NotExpressible: it is nested too deep.
    """
    try:
        text = _encode(value)
        if text.isascii() or not _may_sort_differently(text):
            return text
    except UnicodeEncodeError:
        pass  # half of a surrogate pair in the name of a member
    except RecursionError:
        raise NotExpressible("nested too deep") from None
    try:
        return _canonical(value)
    except RecursionError:
        raise NotExpressible("nested too deep") from None


def sorted_names(names: Iterable[str]) -> list[str]:
    """Sort names by their UTF-16 units."""
    names = list(names)
    if "".join(names).isascii():
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _may_sort_differently(text: bytes) -> bool:
    """Tell whether a text has characters that UTF-16 and UTF-8 sort differently.

    UTF-16 writes those beyond U+FFFF with units below U+E000, so that they come before U+E000 to U+FFFF.
    """
    if not (b"\xee" in text or b"\xef" in text):
        return False
    return any(lead in text for lead in (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4"))


def _canonical(value: Any) -> bytes:
    if isinstance(value, FrozenDict):
        members: list[bytes] = []
        for name in sorted_names(value):
            members.append(b"%b:%b" % (_write_text(name), _canonical(value[name])))  # noqa: PERF401 - less recursion
        return b"{%b}" % b",".join(members)
    if isinstance(value, FrozenList):
        return b"[%b]" % b",".join(map(_canonical, value))
    return _encode(value)


def _write_text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


def _write_number(value: float) -> str:
    """Write a double as ECMAScript's Number::toString does, but an infinite one as `null`, like JSON.stringify."""
    if math.isinf(value):
        return "null"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).rstrip("0")  # none leads: a JSNumber is huge, or tiny and has an exponent
    point = len(whole) + int(exponent or 0)  # how many digits stand before it
    if 0 < point <= 21:
        return f"{sign}{digits[:point]:0<{point}}.{digits[point:]}".rstrip(".")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
