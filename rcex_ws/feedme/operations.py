"""What each operation of a delta does to one object or array, which must be nobody else's. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

from rcex_ws.errors import RcexError
from rcex_ws.feedme.values import FrozenDict, FrozenList, JSNumber, js_number, js_text

__all__ = ["CHANGES_OF_CHILDREN", "CHANGES_OF_CONTAINERS", "DeltaError", "child", "is_finite_number", "put"]

# The methods of frozen containers refuse; those of their base classes do not.
_set_member = dict[str, Any].__setitem__
_delete_member = dict[str, Any].__delitem__
_set_element = list[Any].__setitem__
_delete_element = list[Any].__delitem__
_append_element = list[Any].append
_insert = list[Any].insert


class DeltaError(RcexError, ValueError):
    """A delta cannot be applied: its path leads nowhere, or to what its operation cannot change."""


def is_finite_number(value: Any) -> bool:
    """Return whether a frozen value is a number, and not infinite."""
    return type(value) in _NUMBERS and math.isfinite(value)


_NUMBERS: frozenset[type] = frozenset({int, float, JSNumber})


def child(container: Any, step: Any) -> Any:
    """Return a member of an object or an element of an array; which of them, its container decides.

    Raises:
        DeltaError: there is none.
    """
    if type(container) is FrozenDict:
        if type(step) is int:
            raise DeltaError("an object has names, not indexes")
        if step not in container:
            raise DeltaError(f"there is no member {step!r:.40}")
        return container[step]
    if type(step) is not int:
        raise DeltaError("an array has indexes, not names")
    if step >= len(container):
        raise DeltaError(f"there is no element {step}")
    return container[step]


def put(container: Any, step: Any, value: Any) -> None:
    """Replace what `child` returned."""
    if type(container) is FrozenDict:
        _set_member(container, step, value)
    else:
        _set_element(container, step, value)


def _set(parent: Any, step: Any, value: Any) -> None:
    if type(parent) is FrozenList and type(step) is int and step == len(parent):
        _append_element(parent, value)
        return
    if type(parent) is not FrozenDict or type(step) is int:
        child(parent, step)
    put(parent, step, value)


def _delete(parent: Any, step: Any, _value: Any) -> None:
    child(parent, step)
    if type(parent) is FrozenDict:
        _delete_member(parent, step)
    else:
        _delete_element(parent, step)


def _prepend(parent: Any, step: Any, value: str) -> None:
    put(parent, step, js_text(value + _string(parent, step)))


def _append(parent: Any, step: Any, value: str) -> None:
    put(parent, step, js_text(_string(parent, step) + value))


def _increment(parent: Any, step: Any, value: float) -> None:
    put(parent, step, js_number(_number(parent, step) + value))


def _decrement(parent: Any, step: Any, value: float) -> None:
    put(parent, step, js_number(_number(parent, step) - value))


def _toggle(parent: Any, step: Any, _value: Any) -> None:
    old = child(parent, step)
    if type(old) is not bool:
        raise DeltaError("the target is not a boolean")
    put(parent, step, not old)


def _insert_before(parent: Any, step: Any, value: Any) -> None:
    _insert(_array_with(parent, step), step, value)


def _insert_after(parent: Any, step: Any, value: Any) -> None:
    _insert(_array_with(parent, step), step + 1, value)


def _delete_value(target: Any, value: Any) -> None:
    if type(target) is FrozenDict:
        for name in [name for name, member in target.items() if _same(member, value)]:
            _delete_member(target, name)
    else:
        _set_element(target, slice(None), [element for element in target if not _same(element, value)])


def _insert_first(target: Any, value: Any) -> None:
    _insert(_array(target), 0, value)


def _insert_last(target: Any, value: Any) -> None:
    _append_element(_array(target), value)


def _delete_first(target: Any, _value: Any) -> None:
    _delete_element(_filled(target), 0)


def _delete_last(target: Any, _value: Any) -> None:
    _delete_element(_filled(target), -1)


def _string(parent: Any, step: Any) -> str:
    old = child(parent, step)
    if not isinstance(old, str):
        raise DeltaError("the target is not a string")
    return old


def _number(parent: Any, step: Any) -> float:
    old = child(parent, step)
    if not is_finite_number(old):
        raise DeltaError("the target is not a finite number")
    return cast("float", old)


def _array(target: Any) -> FrozenList:
    if type(target) is not FrozenList:
        raise DeltaError("the target is not an array")
    return target


def _array_with(parent: Any, step: Any) -> FrozenList:
    child(parent, step)
    if type(parent) is not FrozenList:
        raise DeltaError("the target is not an element of an array")
    return parent


def _filled(target: Any) -> FrozenList:
    if not _array(target):
        raise DeltaError("the array is empty")
    return cast("FrozenList", target)


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON values: like Python's `==`, but true is not 1, at any depth."""
    return bool(one == other) and _same_booleans(one, other)


def _same_booleans(one: Any, other: Any) -> bool:
    if isinstance(one, FrozenDict):
        return all(map(_same_booleans, one.values(), [other[name] for name in one]))
    if isinstance(one, FrozenList):
        return all(map(_same_booleans, one, other))
    return isinstance(one, bool) is isinstance(other, bool)


CHANGES_OF_CHILDREN: dict[str, Callable[[Any, Any, Any], None]] = {
    "Set": _set,
    "Delete": _delete,
    "Prepend": _prepend,
    "Append": _append,
    "Increment": _increment,
    "Decrement": _decrement,
    "Toggle": _toggle,
    "InsertBefore": _insert_before,
    "InsertAfter": _insert_after,
}

CHANGES_OF_CONTAINERS: dict[str, Callable[[Any, Any], None]] = {
    "DeleteValue": _delete_value,
    "InsertFirst": _insert_first,
    "InsertLast": _insert_last,
    "DeleteFirst": _delete_first,
    "DeleteLast": _delete_last,
}
