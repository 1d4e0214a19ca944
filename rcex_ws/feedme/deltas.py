"""Deltas: the small changes that lead from one state of feed data to the next. Pure.

The rules are those of the written protocol, as `feedme-util` 0.3.6 applies them. Names of JavaScript's Object prototype
are ordinary names here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import getsizeof
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from rcex_ws.feedme.operations import (
    CHANGES_OF_CHILDREN,
    CHANGES_OF_CONTAINERS,
    DeltaError,
    child,
    is_finite_number,
    put,
)
from rcex_ws.feedme.values import MAX_NESTING, FrozenDict, FrozenList, NotExpressible, freeze, js_text

__all__ = ["Delta", "DeltaError", "Editor", "MalformedDelta", "Operation", "Path", "apply_deltas", "delta_from_json"]

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

#: From the root: the name of a member of an object, the index of an element of an array.
Path = tuple[str | Annotated[int, msgspec.Meta(ge=0)], ...]


class MalformedDelta(DeltaError):
    """A delta that no data fits: its operation, path or value is not of the protocol."""


class Delta(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """One change of feed data, complete and frozen from the start, whether constructed or decoded.

    msgspec decodes one from JSON as it is on the wire; for what it refuses, `delta_from_json` has the last word.

    Attributes:
        operation: what to do.
        path: what to do it to.
        value: what to do it with; UNSET for operations that take no value.

    Raises:
        MalformedDelta: one of them is wrong; msgspec turns it into its ValidationError.
    """

    operation: Operation
    path: Path
    value: Any | UnsetType = UNSET

    def __post_init__(self) -> None:
        value: Any = self.value
        for step in self.path if type(self.path) is tuple else (None,):
            if not (type(step) is str and step.isascii()) and not (type(step) is int and step >= 0):
                force_setattr(self, "path", _read_path(self.path))
                break
        wanted = _VALUES.get(self.operation) if type(self.operation) is str else None
        if wanted is None:
            raise MalformedDelta(f"there is no operation {self.operation!r:.40}")
        if wanted == "nothing":
            if value is not UNSET:
                raise MalformedDelta(f"{self.operation} takes no value")
            return
        if value is UNSET:
            raise MalformedDelta(f"{self.operation} needs a value")
        try:
            inside = len(self.path) + (self.operation in CHANGES_OF_CONTAINERS)  # an insertion goes one level deeper
            frozen = freeze(value, infinite=True, levels=MAX_NESTING - inside)
        except NotExpressible as exc:
            raise MalformedDelta(f"the value of {self.operation}: {exc}") from None
        if wanted == "a string":
            if not isinstance(frozen, str):
                raise MalformedDelta(f"the value of {self.operation} is not a string")
        elif wanted == "a number" and not is_finite_number(frozen):
            raise MalformedDelta(f"the value of {self.operation} is not a finite number")
        if frozen is not value:
            force_setattr(self, "value", frozen)


#: What the value of each operation has to be.
_VALUES: dict[str, str] = {
    "Set": "anything",
    "Delete": "nothing",
    "DeleteValue": "anything",
    "Prepend": "a string",
    "Append": "a string",
    "Increment": "a number",
    "Decrement": "a number",
    "Toggle": "nothing",
    "InsertFirst": "anything",
    "InsertLast": "anything",
    "InsertBefore": "anything",
    "InsertAfter": "anything",
    "DeleteFirst": "nothing",
    "DeleteLast": "nothing",
}


def delta_from_json(value: object) -> Delta:
    """Make a delta of decoded JSON, whose numbers may be written in ways that msgspec refuses: an index of 1.0.

    Raises:
        MalformedDelta: it is none.
    """
    if not isinstance(value, Mapping):
        raise MalformedDelta("a delta is not an object")
    members = cast("Mapping[str, Any]", value)
    for name in ("Operation", "Path"):
        if name not in members:
            raise MalformedDelta(f"a delta has no {name}")
    for name in members:
        if name not in ("Operation", "Path", "Value"):
            raise MalformedDelta(f"a delta has an unknown member {name!r:.40}")
    return Delta(members["Operation"], members["Path"], members.get("Value", UNSET))


def apply_deltas(data: FrozenDict, deltas: Iterable[Delta]) -> FrozenDict:
    """Apply deltas one after another; what they do not change is shared by the old data and the new.

    Raises:
        DeltaError: one of them cannot be applied.
    """
    editor = Editor(data)
    for delta in deltas:
        editor.apply(delta)
    return editor.data


class Editor:
    """Feed data that is being changed. It copies what changes, each object and array once, and shares the rest.

    Args:
        data: the data to start from, which stays what it is.

    Attributes:
        copied: bytes of the copies, in which the new data differs from the old in memory.
    """

    __slots__ = ("_copies", "_root", "copied")

    def __init__(self, data: FrozenDict) -> None:
        self.copied = 0
        self._root = data
        self._copies: dict[int, Any] = {}  # those that nobody else has, by id

    @property
    def data(self) -> FrozenDict:
        """The data as it is now, which later changes do not reach."""
        self._copies.clear()
        return self._root

    @property
    def current(self) -> FrozenDict:
        """The data as it is now, to look at: later changes may reach it."""
        return self._root

    def apply(self, delta: Delta) -> None:
        """Apply one delta, or change nothing.

        Raises:
            DeltaError: it cannot be applied.
        """
        path = delta.path
        try:
            if (change := CHANGES_OF_CONTAINERS.get(delta.operation)) is not None:
                change(self._container(path), delta.value)
            elif path:
                CHANGES_OF_CHILDREN[delta.operation](self._container(path[:-1]), path[-1], delta.value)
            elif delta.operation == "Set" and type(delta.value) is FrozenDict:
                self._root = delta.value
            else:
                raise DeltaError("the root is an object that nothing contains")  # noqa: TRY301
        except DeltaError as exc:
            raise DeltaError(f"{delta.operation} at {list(path)!r:.200}: {exc}") from None

    def _container(self, path: Path) -> Any:
        """Return the object or array at a path, copied so that it can be changed."""
        here: Any = self._root
        if id(here) not in self._copies:
            here = self._root = self._copy(here)
        for step in path:
            inner = child(here, step)
            if id(inner) not in self._copies:
                inner = self._copy(inner)
                put(here, step, inner)
            here = inner
        return here

    def _copy(self, container: Any) -> Any:
        copy: Any
        if type(container) is FrozenDict:
            copy = FrozenDict(container)
        elif type(container) is FrozenList:
            copy = FrozenList(container)
        else:
            raise DeltaError("the path leads to what is neither an object nor an array")
        self._copies[id(copy)] = copy
        self.copied += getsizeof(copy)
        return copy


def _read_path(path: object) -> Path:
    if not isinstance(path, list | tuple):
        raise MalformedDelta("a path is not an array")
    return tuple(map(_read_step, cast("tuple[object, ...]", path)))


def _read_step(step: object) -> str | int:
    if isinstance(step, str):
        return str.__str__(js_text(str.__str__(step)))
    if isinstance(step, int | float) and not isinstance(step, bool) and step >= 0 and step == step // 1:
        return int(step)
    raise MalformedDelta(f"a path has an element that is neither a string nor a non-negative integer: {step!r:.40}")
