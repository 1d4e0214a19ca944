"""Feed data: JSON values that nobody can change, and that are equal exactly if JavaScript says so. Pure.

JavaScript has one kind of number, the IEEE double, and strings of UTF-16 units, which may hold half of a surrogate
pair. `freeze` gives equal values one form: a number is an int if it is integral and at most 2**53, else a float; two
halves of a pair in a string are the character that they stand for. Where msgspec would write another text than
JavaScript, the number is a `JSNumber`, a float, and the string a `JSText`, a str: `rcex_ws.feedme.canonical` writes
those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from rcex_ws.errors import RcexError

__all__ = [
    "MAX_NESTING",
    "FrozenDict",
    "FrozenList",
    "JSNumber",
    "JSText",
    "NotExpressible",
    "freeze",
    "js_number",
    "js_text",
]

# The methods of frozen containers refuse; those of their base classes do not.
_set_member = dict[str, Any].__setitem__
_set_element = list[Any].__setitem__

#: How deep objects and arrays may be nested. Comparing, pickling and encoding recurse as well, some with several calls
#: per level; Python allows a thousand.
MAX_NESTING = 200

#: A double holds each integer up to here.
_EXACT = 2**53

#: Below, JavaScript and msgspec differ in when they write an exponent.
_SMALL = 1e-5


class NotExpressible(RcexError, ValueError):
    """JSON cannot express a value; the message names the place."""


class JSNumber(float):
    """A number that JavaScript writes differently from msgspec."""

    __slots__ = ()


class JSText(str):
    """A string with half of a surrogate pair, which JSON can only escape."""

    __slots__ = ()


def _read_only(self: object, *args: object, **kwargs: object) -> NoReturn:
    """Refuse: nobody can change feed data.

    Raises:
        TypeError: always.
    """
    raise TypeError("feed data is read-only; change a copy of it: copy.deepcopy(data)")


class FrozenDict(dict[str, Any]):
    """A JSON object that nobody can change, made by `freeze`. Copies of it are plain dicts."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _read_only

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: object) -> Any:
        return _thaw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A JSON array that nobody can change, made by `freeze`. Copies of it are plain lists."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _read_only
    append = clear = extend = insert = pop = remove = reverse = sort = _read_only

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: object) -> Any:
        return _thaw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)


def freeze(value: object, *, infinite: bool = False, levels: int = MAX_NESTING) -> Any:
    """Copy a value into read-only containers. A part that is frozen already is not copied.

    Args:
        value: None, a bool, a number, a str, a mapping with str keys, a list or a tuple of such values.
        infinite: whether a number may be infinite, as it is after decoding 1e400.
        levels: how deep objects and arrays may be nested.

    Raises:
        NotExpressible: JSON cannot express it, or it is nested too deep, or it contains itself.
    """
    try:
        return _freeze(value, infinite, levels)
    except _Refused as exc:
        raise NotExpressible(str(exc)) from None
    except RecursionError:  # the caller's own stack is deep
        raise NotExpressible("nested too deep") from None


def js_number(value: float) -> int | float:
    """Return a number, which may be infinite but not NaN, in the form that all equal ones have."""
    if type(value) is not int and not value.is_integer():
        return float(value) if _SMALL <= abs(value) < math.inf else JSNumber(value)
    if -_EXACT <= value <= _EXACT:
        return int(value)
    try:
        double = float(value)
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    return JSNumber(double) if abs(double) > _EXACT else int(double)


def js_text(value: str) -> str:
    """Return a string in the form that all equal ones have."""
    if value.isascii() or _is_text(value):
        return value
    joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined if _is_text(joined) else JSText(joined)


class _Refused(Exception):
    """Why a value cannot be frozen, and where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.place: list[object] = []

    def __str__(self) -> str:
        if not self.place:
            return str(self.args[0])
        steps = [f"[{step!r:.40}]" for step in reversed(self.place)]
        return f"{''.join(steps[:8])}{'...' if len(steps) > 8 else ''}: {self.args[0]}"


def _freeze(value: Any, infinite: bool, levels: int) -> Any:
    if type(value) is dict:
        return _freeze_object(value, infinite, levels)
    if type(value) is list:
        return _freeze_array(value, infinite, levels)
    if type(value) is int or type(value) is float:
        return _freeze_number(value, infinite)
    if type(value) is str:
        return js_text(value)
    if value is None or type(value) is bool or type(value) is JSText:
        return value
    if type(value) is JSNumber:
        return _freeze_number(value, infinite)
    if type(value) is FrozenDict or type(value) is FrozenList:
        _check_frozen(value, infinite, levels)
        return value
    if isinstance(value, Mapping):
        return _freeze_object(value, infinite, levels)
    if isinstance(value, list | tuple):
        return _freeze_array(value, infinite, levels)
    if isinstance(value, str):
        return js_text(str.__str__(value))
    if isinstance(value, int):
        return _freeze_number(int(value), infinite)
    if isinstance(value, float):
        return _freeze_number(float(value), infinite)
    raise _Refused(f"a value of type {type(value).__name__} cannot be expressed in JSON")


def _check_frozen(value: Any, infinite: bool, levels: int) -> None:
    """Check a frozen object or array that may become a part of one: how deep it is nested, and its numbers."""
    if levels <= 0:
        raise _Refused("nested too deep")
    for inner in value.values() if type(value) is FrozenDict else value:
        if type(inner) is FrozenDict or type(inner) is FrozenList:
            _check_frozen(inner, infinite, levels - 1)
        elif type(inner) is JSNumber:
            _freeze_number(inner, infinite)


def _freeze_number(value: float, infinite: bool) -> int | float:
    number = js_number(value)
    if type(number) is JSNumber and not math.isfinite(number) and (math.isnan(number) or not infinite):
        raise _Refused(f"the number {number} cannot be expressed in JSON")
    return number


def _freeze_object(value: Any, infinite: bool, levels: int) -> FrozenDict:
    if levels <= 0:
        raise _Refused("nested too deep")
    # Most members stay what they are: to copy all of them at once and to replace few is fastest. The loops here and
    # below know all that is common without a call, since all that arrives goes through them.
    frozen = FrozenDict(value)
    odd_names = False
    name: object = None
    try:
        for name, member in frozen.items():
            if type(name) is not str or not name.isascii():
                odd_names = _name(name) is not name or odd_names
            if type(member) is str:
                if member.isascii():
                    continue
            elif type(member) is int:
                if -_EXACT <= member <= _EXACT:
                    continue
            elif type(member) is float:
                if _SMALL <= abs(member) < _EXACT and not member.is_integer():
                    continue
            elif member is None or member is True or member is False:
                continue
            inside = _freeze_object if type(member) is dict else _freeze
            _set_member(frozen, name, inside(member, infinite, levels - 1))
    except _Refused as exc:
        exc.place.append(name)
        raise
    return FrozenDict({_name(name): member for name, member in frozen.items()}) if odd_names else frozen


def _freeze_array(value: Any, infinite: bool, levels: int) -> FrozenList:
    if levels <= 0:
        raise _Refused("nested too deep")
    frozen = FrozenList(value)
    index = 0
    try:
        for index, element in enumerate(frozen):
            if type(element) is str:
                if element.isascii():
                    continue
            elif type(element) is int:
                if -_EXACT <= element <= _EXACT:
                    continue
            elif type(element) is float:
                if _SMALL <= abs(element) < _EXACT and not element.is_integer():
                    continue
            elif element is None or element is True or element is False:
                continue
            inside = _freeze_object if type(element) is dict else _freeze
            _set_element(frozen, index, inside(element, infinite, levels - 1))
    except _Refused as exc:
        exc.place.append(index)
        raise
    return frozen


def _name(name: object) -> str:
    """Return the name of a member in the form that all equal ones have: always a plain str."""
    if isinstance(name, str):
        return str.__str__(js_text(str.__str__(name)))
    raise _Refused(f"a member's name is a str, not {type(name).__name__}")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _thaw(value: Any) -> Any:
    if isinstance(value, FrozenDict):
        return dict(zip(value, map(_thaw, value.values()), strict=True))
    if isinstance(value, FrozenList):
        return list(map(_thaw, value))
    return value
