"""Deltas: the small changes that carry feed data from one state to the next. Pure.

The rules are those of `feedme-util` 0.3.6, the written protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, cast, get_args

import msgspec
from msgspec import UNSET, UnsetType

from rcex_ws.errors import RcexError
from rcex_ws.feedme.values import FrozenDict, FrozenList, NotExpressible, freeze, number, text

__all__ = [
    "Delta",
    "DeltaError",
    "Editor",
    "MalformedDelta",
    "Operation",
    "apply_deltas",
    "check_delta",
    "delta_from_json",
]

Operation = Literal[
    "Set",
    "Delete",
    "DeleteValue",
    "Prepend",
    "Append",
    "Increment",
    "Decrement",
    "Toggle",
    "InsertFirst",
    "InsertLast",
    "InsertBefore",
    "InsertAfter",
    "DeleteFirst",
    "DeleteLast",
]

_NAMES = frozenset(get_args(Operation))
_WITHOUT_VALUE = frozenset({"Delete", "Toggle", "DeleteFirst", "DeleteLast"})
_WITH_TEXT = frozenset({"Prepend", "Append"})
_WITH_NUMBER = frozenset({"Increment", "Decrement"})

Path = tuple[str | Annotated[int, msgspec.Meta(ge=0)], ...]


class DeltaError(RcexError, ValueError):
    """A delta cannot be applied to this data."""


class MalformedDelta(DeltaError):
    """Not a delta at all: an unknown operation, or a path or value that the operation does not have."""


class Delta(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """One change of feed data.

    Attributes:
        operation: what to do.
        path: where: names of members and indexes of elements, from the root.
        value: what with; absent for operations that need none.
    """

    operation: Operation
    path: Path
    value: Any | UnsetType = UNSET


def check_delta(delta: Delta) -> Delta:
    """Return a delta in its normal form: the path a tuple, the value frozen.

    Raises:
        MalformedDelta: it breaks the schema of deltas.
    """
    operation, value = delta.operation, delta.value
    if type(operation) is not str or operation not in _NAMES:
        raise MalformedDelta(f"unknown operation {operation!r:.40}")
    if not isinstance(delta.path, list | tuple):
        raise MalformedDelta("the path is not an array")
    path = tuple(map(_step, delta.path))
    if operation in _WITHOUT_VALUE:
        if value is not UNSET:
            raise MalformedDelta(f"{operation} takes no value")
        return Delta(operation, path)
    if value is UNSET:
        raise MalformedDelta(f"{operation} needs a value")
    try:
        value = freeze(value, infinite=True)
    except NotExpressible as exc:
        raise MalformedDelta(f"the value of {operation}: {exc}") from None
    if operation in _WITH_TEXT and not isinstance(value, str):
        raise MalformedDelta(f"{operation} needs a string as value")
    if operation in _WITH_NUMBER and (not isinstance(value, int | float) or value is True or value is False):
        raise MalformedDelta(f"{operation} needs a number as value")
    return Delta(operation, path, value)


def delta_from_json(value: object) -> Delta:
    """Read a delta that msgspec refuses, from what the standard json module decoded.

    Raises:
        MalformedDelta: it breaks the schema of deltas.
    """
    if not isinstance(value, Mapping):
        raise MalformedDelta("a delta is not an object")
    members = cast("Mapping[str, Any]", value)
    for name in ("Operation", "Path"):
        if name not in members:
            raise MalformedDelta(f"a delta without {name}")
    for name in members:
        if name not in ("Operation", "Path", "Value"):
            raise MalformedDelta(f"a delta with an unknown member {name!r:.40}")
    return check_delta(Delta(members["Operation"], members["Path"], members.get("Value", UNSET)))


def apply_deltas(data: FrozenDict, deltas: Iterable[Delta]) -> FrozenDict:
    """Apply deltas one after another, and return the new data, which shares all unchanged parts with the old.

    Raises:
        DeltaError: one of them cannot be applied.
    """
    editor = Editor(data)
    for delta in deltas:
        editor.apply(delta)
    return editor.data


class Editor:
    """Feed data in the making: copies each container that changes, once.

    Args:
        data: where to start from; it is never changed.
    """

    def __init__(self, data: FrozenDict) -> None:
        self._root = data
        self._mine: dict[int, Any] = {}

    @property
    def data(self) -> FrozenDict:
        """The data as it is now; later changes do not reach it."""
        self._mine.clear()
        return self._root

    def apply(self, delta: Delta) -> None:
        """Apply one delta.

        Raises:
            DeltaError: it cannot be applied; the data is what it was.
        """
        delta = check_delta(delta)
        try:
            _OPERATIONS[delta.operation](self, delta)
        except _Failed as exc:
            raise DeltaError(f"{delta.operation} at {list(delta.path)!r:.200}: {exc}") from None

    def container(self, path: Path) -> Any:
        """Return the container at a path, ready to be changed."""
        here = self._own(self._root)
        self._root = here
        for step in path:
            child = _child(here, step)
            if type(child) is not FrozenDict and type(child) is not FrozenList:
                raise _Failed("the path leads through a value that is neither object nor array")
            owned = self._own(child)
            if owned is not child:
                _put(here, step, owned)
            here = owned
        return here

    def replace(self, data: FrozenDict) -> None:
        """Replace all."""
        self._root = data

    def _own(self, container: Any) -> Any:
        if id(container) in self._mine:
            return container
        copy: Any = FrozenDict(container) if type(container) is FrozenDict else FrozenList(container)
        self._mine[id(copy)] = copy
        return copy


class _Failed(Exception):
    """Why a delta cannot be applied."""


def _step(step: object) -> str | int:
    if isinstance(step, str):
        return text(step)
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    if isinstance(step, int) and not isinstance(step, bool) and step >= 0:
        return step
    raise MalformedDelta(f"a path consists of strings and non-negative integers, not {step!r:.40}")


def _child(container: Any, step: str | int) -> Any:
    if type(container) is FrozenDict:
        if type(step) is int:
            raise _Failed("an index cannot be a step into an object")
        if step not in container:
            raise _Failed(f"there is no member {step!r:.40}")
    elif type(container) is FrozenList:
        if type(step) is not int:
            raise _Failed("a name cannot be a step into an array")
        if step >= len(container):
            raise _Failed(f"there is no element {step}")
    else:
        raise _Failed("the path leads through a value that is neither object nor array")
    return container[step]


def _put(container: Any, step: str | int, value: Any) -> None:
    if type(container) is FrozenDict:
        dict.__setitem__(container, step, value)
    else:
        list.__setitem__(container, step, value)


def _parent(editor: Editor, delta: Delta) -> tuple[Any, str | int]:
    if not delta.path:
        raise _Failed("the root cannot be its target")
    return editor.container(delta.path[:-1]), delta.path[-1]


def _set(editor: Editor, delta: Delta) -> None:
    value = delta.value
    if not delta.path:
        if type(value) is not FrozenDict:
            raise _Failed("the root has to be an object")
        editor.replace(value)
        return
    parent, step = _parent(editor, delta)
    if type(parent) is FrozenDict and type(step) is not int:
        dict.__setitem__(parent, step, value)
    elif type(parent) is FrozenList and step == len(parent):
        list.append(parent, value)
    else:
        _child(parent, step)
        _put(parent, step, value)


def _delete(editor: Editor, delta: Delta) -> None:
    parent, step = _parent(editor, delta)
    _child(parent, step)
    if type(parent) is FrozenDict:
        dict.__delitem__(parent, step)
    else:
        list.__delitem__(parent, step)


def _delete_value(editor: Editor, delta: Delta) -> None:
    target = editor.container(delta.path)
    if type(target) is FrozenDict:
        for name in [name for name, member in target.items() if _same(member, delta.value)]:
            dict.__delitem__(target, name)
    else:
        list.__setitem__(target, slice(None), [element for element in target if not _same(element, delta.value)])


def _change(editor: Editor, delta: Delta, what: str, kinds: tuple[type, ...], result: Callable[[Any], Any]) -> None:
    parent, step = _parent(editor, delta)
    old = _child(parent, step)
    if type(old) not in kinds:
        raise _Failed(f"the target is not {what}")
    _put(parent, step, result(old))


def _texts(result: Callable[[str, str], str]) -> Callable[[Editor, Delta], None]:
    def apply(editor: Editor, delta: Delta) -> None:
        from rcex_ws.feedme.values import JSText

        _change(editor, delta, "a string", (str, JSText), lambda old: text(result(old, delta.value)))

    return apply


def _numbers(result: Callable[[float, float], float]) -> Callable[[Editor, Delta], None]:
    def apply(editor: Editor, delta: Delta) -> None:
        from rcex_ws.feedme.values import JSNumber

        _change(
            editor,
            delta,
            "a number",
            (int, float, JSNumber),
            lambda old: number(result(float(old), float(delta.value)), infinite=True),
        )

    return apply


def _toggle(editor: Editor, delta: Delta) -> None:
    _change(editor, delta, "a boolean", (bool,), lambda old: not old)


def _array(editor: Editor, delta: Delta) -> Any:
    target = editor.container(delta.path)
    if type(target) is not FrozenList:
        raise _Failed("the target is not an array")
    return target


def _insert_first(editor: Editor, delta: Delta) -> None:
    list.insert(_array(editor, delta), 0, delta.value)


def _insert_last(editor: Editor, delta: Delta) -> None:
    list.append(_array(editor, delta), delta.value)


def _insert_beside(offset: int) -> Callable[[Editor, Delta], None]:
    def apply(editor: Editor, delta: Delta) -> None:
        parent, step = _parent(editor, delta)
        if type(parent) is not FrozenList:
            raise _Failed("the target is not an element of an array")
        _child(parent, step)
        list.insert(parent, cast("int", step) + offset, delta.value)

    return apply


def _delete_at(index: int) -> Callable[[Editor, Delta], None]:
    def apply(editor: Editor, delta: Delta) -> None:
        array = _array(editor, delta)
        if not array:
            raise _Failed("the array is empty")
        list.__delitem__(array, index)

    return apply


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON values: Python's `==` but for true, which is not 1."""
    if type(one) is bool or type(other) is bool:
        return one is other
    if type(one) is FrozenDict and type(other) is FrozenDict:
        return len(one) == len(other) and all(name in other and _same(one[name], other[name]) for name in one)
    if type(one) is FrozenList and type(other) is FrozenList:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


_OPERATIONS: dict[str, Callable[[Editor, Delta], None]] = {
    "Set": _set,
    "Delete": _delete,
    "DeleteValue": _delete_value,
    "Prepend": _texts(lambda old, value: value + old),
    "Append": _texts(lambda old, value: old + value),
    "Increment": _numbers(lambda old, value: old + value),
    "Decrement": _numbers(lambda old, value: old - value),
    "Toggle": _toggle,
    "InsertFirst": _insert_first,
    "InsertLast": _insert_last,
    "InsertBefore": _insert_beside(0),
    "InsertAfter": _insert_beside(1),
    "DeleteFirst": _delete_at(0),
    "DeleteLast": _delete_at(-1),
}
