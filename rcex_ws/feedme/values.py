"""Feed data: JSON values that cannot be changed, with the numbers and texts of JavaScript. Pure.

JavaScript has one kind of number, the IEEE double, and texts of UTF-16 units, which may hold half a surrogate pair. The
hash of a feed is made of JavaScript's text for both. Where msgspec writes the same text, a number is a plain int or
float and a text a plain str; the rest is a `JSNumber` or `JSText`, which msgspec gives to `js_text` as its `enc_hook`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeAlias, cast

import msgspec

from rcex_ws.errors import RcexError

__all__ = [
    "MAX_NESTING",
    "FrozenDict",
    "FrozenList",
    "JSNumber",
    "JSText",
    "JSONValue",
    "NotExpressible",
    "freeze",
    "js_text",
    "number",
    "text",
]

#: A value that `freeze` returned.
JSONValue: TypeAlias = "None | bool | int | float | str | FrozenDict | FrozenList"

#: How deep objects and arrays may be nested: half of what Python's recursion allows, so that whoever gets the data can
#: compare, copy and encode it.
MAX_NESTING = 500

#: Doubles represent all integers up to here.
_EXACT = 2**53

#: JavaScript writes these without an exponent, msgspec with one; both write 1e-7.
_SMALL = 1e-5


class NotExpressible(RcexError, ValueError):
    """A value that JSON cannot express; the message names the place."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._reason = message
        self._place: list[object] = []

    def inside(self, key: object) -> None:
        """Say that the value is the member or element `key` of another."""
        self._place.append(key)
        shown = "".join(f"[{key!r:.40}]" for key in reversed(self._place[-6:]))
        self.args = (f"{shown}{'...' if len(self._place) > 6 else ''}: {self._reason}",)


class JSNumber(float):
    """A number that JavaScript writes in another way than msgspec."""

    __slots__ = ()


class JSText(str):
    """A text with half a surrogate pair, which UTF-8 cannot express and JSON must escape."""

    __slots__ = ()


def _refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise TypeError("feed data is read-only; change a copy of it: copy.deepcopy(data)")


class FrozenDict(dict[str, Any]):
    """A JSON object that cannot be changed. Its copies can: they are plain dicts."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return _thaw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A JSON array that cannot be changed. Its copies can: they are plain lists."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse  # type: ignore[assignment]
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse  # type: ignore[assignment]

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: object) -> list[Any]:
        return _thaw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)


def freeze(value: object, *, infinite: bool = False) -> Any:
    """Copy a value into read-only containers; return it as it is if it is frozen already.

    Args:
        value: None, a bool, a number, a str, a mapping with str keys, a list or a tuple of such values.
        infinite: whether infinity is a number, as it is where the JSON text 1e400 was decoded.

    Raises:
        NotExpressible: JSON cannot express it, it is nested too deep, or it contains itself.
    """
    try:
        return _freeze(value, infinite, MAX_NESTING)
    except RecursionError:
        raise NotExpressible("nested deeper than recursion allows") from None


def number(value: float, *, infinite: bool = False) -> int | float:
    """Return a number in the form that all equal numbers of feed data have.

    Raises:
        NotExpressible: it is not a number, or infinite.
    """
    if type(value) is not int and not value.is_integer():  # infinity is none, either
        if math.isfinite(value):
            return JSNumber(value) if -_SMALL < value < _SMALL else float(value)
    elif -_EXACT <= value <= _EXACT:
        return int(value)
    try:
        double = float(value)
    except OverflowError:
        double = math.copysign(math.inf, 1 if value > 0 else -1)
    if math.isnan(double) or (math.isinf(double) and not infinite):
        raise NotExpressible(f"the number {double} cannot be expressed in JSON")
    return JSNumber(double)


def text(value: str) -> str:
    """Return a text in the form that all equal texts of feed data have: two halves of a pair become a character."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        try:
            joined.encode()
        except UnicodeEncodeError:
            return JSText(joined)
        return joined
    return value


def js_text(value: object) -> msgspec.Raw:
    """Write a number or text as JavaScript does; the `enc_hook` of every msgspec encoder of feed data.

    Raises:
        TypeError: it is no part of feed data.
    """
    if type(value) is JSNumber:
        return msgspec.Raw(_number_text(value).encode())
    if type(value) is JSText:
        return msgspec.Raw(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))
    raise TypeError(f"{type(value).__name__} is no part of feed data")


def _number_text(value: float) -> str:
    """Write a double as ECMAScript does (Number::toString)."""
    if math.isinf(value):
        return "null"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    decimals = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{decimals}e{point - 1:+d}"


def _freeze(value: object, infinite: bool, levels: int) -> Any:
    kind = type(value)
    if kind is str:
        return text(cast("str", value))
    if kind is int or kind is float:
        return number(cast("float", value), infinite=infinite)
    if value is None or kind is bool or kind is FrozenDict or kind is FrozenList or kind is JSNumber or kind is JSText:
        return value
    if isinstance(value, Mapping):
        return _freeze_members(cast("Mapping[object, object]", value), infinite, levels - 1)
    if isinstance(value, list | tuple):
        return _freeze_elements(cast("Iterable[object]", value), infinite, levels - 1)
    if isinstance(value, str):
        return text(str.__str__(value))
    if isinstance(value, int):
        return number(int(value), infinite=infinite)
    if isinstance(value, float):
        return number(float(value), infinite=infinite)
    raise NotExpressible(f"a {kind.__name__} cannot be expressed in JSON")


def _freeze_members(value: Mapping[object, object], infinite: bool, levels: int) -> FrozenDict:
    if levels < 0:
        raise NotExpressible(f"nested deeper than {MAX_NESTING} levels, or contains itself")
    members: dict[str, Any] = {}
    key: object = None
    try:
        for key, member in value.items():
            if not isinstance(key, str):
                raise NotExpressible(f"a member's name is a str, not a {type(key).__name__}")
            members[str.__str__(text(key))] = _freeze(member, infinite, levels)
    except NotExpressible as exc:
        exc.inside(key)
        raise
    return FrozenDict(members)


def _freeze_elements(value: Iterable[object], infinite: bool, levels: int) -> FrozenList:
    if levels < 0:
        raise NotExpressible(f"nested deeper than {MAX_NESTING} levels, or contains itself")
    elements: list[Any] = []
    try:
        for element in value:
            elements.append(_freeze(element, infinite, levels))  # noqa: PERF401
    except NotExpressible as exc:
        exc.inside(len(elements))
        raise
    return FrozenList(elements)


def _thaw(value: Any) -> Any:
    kind = type(value)
    if kind is FrozenDict:
        return {key: _thaw(member) for key, member in value.items()}
    if kind is FrozenList:
        return [_thaw(element) for element in value]
    return value
