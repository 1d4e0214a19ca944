"""Drafts: feed data that can be changed like dicts and lists, and that records each change as a delta. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from operator import index
from typing import Any, cast, overload
from weakref import WeakValueDictionary

from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.server.recorder import Recorder
from rcex_ws.feedme.values import FrozenDict, FrozenList, NotExpressible, freeze

__all__ = ["Draft", "DraftList", "DraftPart"]

Step = str | int
_MISSING: Any = object()


class DraftPart:
    """An object or array of a draft. It stays the same one when changes before it in its array move it.

    Once it was deleted or replaced it can still be read, as it was then. A change of it would be lost, and so raises
    `InvalidState`.

    Args:
        recorder: records the changes.
        parent: the part that contains it; None for the root.
        step: its name or index there.
    """

    __slots__ = ("__weakref__", "_children", "_parent", "_recorder", "_removed", "_step")

    def __init__(self, recorder: Recorder, parent: DraftPart | None = None, step: Step = "") -> None:
        self._recorder = recorder
        self._parent = parent
        self._step = step
        self._removed: Any = None  # what it was when it was removed
        # Only those that are still referenced elsewhere: nobody can tell whether the others move.
        self._children: WeakValueDictionary[Step, DraftPart] | None = None

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == (other._value if isinstance(other, DraftPart) else other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<draft {self._value!r}>"

    def freeze(self) -> FrozenDict | FrozenList:
        """Return it as it is now, read-only; later changes do not reach it."""
        _ = self._recorder.data  # so that the next change makes new copies
        value: FrozenDict | FrozenList = self._value
        return value

    @property
    def _value(self) -> Any:
        """The frozen value, to look at before the next change."""
        if self._removed is not None:
            return self._removed
        if self._parent is None:
            self._recorder.check_not_ended()
            return self._recorder.current
        return self._parent._value[self._step]

    @property
    def _path(self) -> tuple[Step, ...]:
        """Where it is.

        Raises:
            InvalidState: it was removed.
        """
        if self._removed is not None:
            raise InvalidState("this part of the draft was deleted or replaced; changing it would change nothing")
        return () if self._parent is None else (*self._parent._path, self._step)

    def _get(self, step: Step) -> Any:
        """Return an element or member: a draft of it if it is an object or array."""
        value = self._value[step]
        if type(value) is not FrozenDict and type(value) is not FrozenList:
            return value
        if self._children is None:
            self._children = WeakValueDictionary()
        child = self._children.get(step)
        if child is None:
            kind = Draft if type(value) is FrozenDict else DraftList
            child = self._children[step] = kind(self._recorder, self, step)
        return child

    def _put(self, step: Step, value: object) -> None:
        """Replace an element or member, or add a member."""
        if isinstance(value, DraftPart) and self._children and self._children.get(step) is value:
            return  # the second half of `draft["log"] += [...]`
        path = (*self._path, step)
        frozen = self._frozen(value, path)
        here: Any = self._value
        try:
            old = here[step]
        except KeyError:  # a new member
            old = None
        if isinstance(old, str) and isinstance(frozen, str) and len(frozen) > len(old) > 0 and frozen.startswith(old):
            self._recorder.record("Append", path, frozen[len(old) :])
            return
        self._remove(step)
        self._recorder.record("Set", path, frozen)

    def _set_all(self, value: object) -> None:
        """Replace all elements or members."""
        path = self._path
        frozen = self._frozen(value, path)
        for step in tuple(self._children or ()):
            self._remove(step)
        self._recorder.record("Set", path, frozen)

    def _remove(self, step: Step) -> None:
        """Detach the draft of what is about to be deleted or replaced."""
        child = self._children.pop(step, None) if self._children else None
        if child is not None:
            child._removed = self._value[step]

    @staticmethod
    def _frozen(value: object, path: tuple[Step, ...]) -> Any:
        """Return a value for the data at a path, which no later change of a draft reaches.

        Raises:
            InvalidArgument: JSON cannot express it.
        """
        if isinstance(value, DraftPart):
            return value.freeze()
        try:
            try:
                return freeze(value)
            except NotExpressible as exc:
                try:
                    plain = _without_drafts(value)
                except RecursionError:
                    raise exc from None
            return freeze(plain)
        except NotExpressible as exc:
            raise InvalidArgument(f"draft{''.join(f'[{step!r:.80}]' for step in path)}: {exc}") from None

    @staticmethod
    def _comparable(value: object) -> object:
        """Return what to compare frozen values with, which is much faster than comparing drafts."""
        return value._value if isinstance(value, DraftPart) else value


class Draft(DraftPart, MutableMapping[str, Any]):
    """An object of a draft; it behaves like a dict, and what it contains behaves like dicts and lists.

    What was taken from a draft stays the same object or array, wherever later changes move it. Once it was deleted or
    replaced it can only be read; to change it raises `InvalidState`. `pop` and `popitem` return plain copies.

    Recorded are: `Set` and `Delete`; `Append` where a text gets longer at its end, by `+=` for example.
    """

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        return self._get(name)

    def __setitem__(self, name: str, value: object) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(f"the name of a member is a text, not an object of the type {type(name).__name__}")
        self._put(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self._value:
            raise KeyError(name)
        path = (*self._path, name)
        self._remove(name)
        self._recorder.record("Delete", path)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._value))

    def __contains__(self, name: object) -> bool:
        return name in self._value

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Draft:
        self.update(other)
        return self

    def clear(self) -> None:
        """Remove all members."""
        self._set_all({})

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove a member, and return a plain copy of it, or the default if there is none."""
        if key not in self._value:
            if default is _MISSING:
                raise KeyError(key)
            return default
        value = copy.deepcopy(self._value[key])
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the newest member, and return its name and a plain copy of it."""
        name = next(reversed(self._value), None)
        if name is None:
            raise KeyError("the object is empty")
        return name, self.pop(name)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a member, as it is in the draft; add it if it is missing."""
        if key not in self._value:
            self[key] = default
        return self[key]


class DraftList(DraftPart, MutableSequence[Any]):
    """An array of a draft; it behaves like a list.

    Recorded are: `InsertLast`, `InsertFirst` or `InsertBefore`, by the place of what is inserted; `DeleteLast`,
    `DeleteFirst` or `Delete`, likewise; `Set` for one element, or for the array as a whole where a slice is assigned
    and by `clear`, `reverse` and `sort`, which replace all its elements; `Append` as in `Draft`.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self._get(i) for i in range(len(self))[place]]
        return self._get(self._index(place))

    @overload
    def __setitem__(self, place: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, place: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, place: int | slice, value: Any) -> None:
        if isinstance(place, slice):
            changed = list(self)
            changed[place] = list(value)
            self._set_all(changed)
        else:
            self._put(self._index(place), value)

    def __delitem__(self, place: int | slice) -> None:
        if isinstance(place, slice):
            for i in sorted(range(len(self))[place], reverse=True):
                self._delete(i)
        else:
            self._delete(self._index(place))

    def __contains__(self, value: object) -> bool:
        return self._comparable(value) in self._value

    def __iadd__(self, values: Iterable[Any]) -> DraftList:
        self.extend(values)
        return self

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the index of the first equal element.

        Raises:
            ValueError: there is none.
        """
        elements: FrozenList = self._value
        return elements.index(self._comparable(value), start, len(elements) if stop is None else stop)

    def count(self, value: Any) -> int:
        """Return the number of equal elements."""
        elements: FrozenList = self._value
        return elements.count(self._comparable(value))

    def insert(self, index: int, value: Any) -> None:
        """Insert an element before another one, or at either end."""
        size, path, frozen = len(self), self._path, self._frozen(value, self._path)
        i = min(index, size) if index >= 0 else max(0, size + index)
        if i == size:
            self._recorder.record("InsertLast", path, frozen)
        elif i == 0:
            self._recorder.record("InsertFirst", path, frozen)
        else:
            self._recorder.record("InsertBefore", (*path, i), frozen)
        self._shift(i, 1)

    def pop(self, index: int = -1) -> Any:
        """Remove an element, and return a plain copy of it."""
        i = self._index(index)
        value = copy.deepcopy(self._value[i])
        self._delete(i)
        return value

    def clear(self) -> None:
        """Remove all elements."""
        self._set_all([])

    def reverse(self) -> None:
        """Reverse the order of the elements."""
        self._set_all(list(self)[::-1])

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort the elements, as `list.sort` does."""
        self._set_all(sorted(self, key=cast("Any", key), reverse=reverse))

    def _index(self, place: int) -> int:
        """Return the index of an existing element."""
        i, size = index(place), len(self)
        if not -size <= i < size:
            raise IndexError("the index is out of range")
        return i + size if i < 0 else i

    def _delete(self, i: int) -> None:
        path, last = self._path, len(self) - 1
        self._remove(i)
        if i == last:
            self._recorder.record("DeleteLast", path)
        elif i == 0:
            self._recorder.record("DeleteFirst", path)
        else:
            self._recorder.record("Delete", (*path, i))
        self._shift(i + 1, -1)

    def _shift(self, first: int, by: int) -> None:
        """Move the drafts of all elements from an index on."""
        if not self._children:
            return
        moved: WeakValueDictionary[Step, DraftPart] = WeakValueDictionary()
        for step, child in self._children.items():
            if cast("int", step) >= first:
                child._step = cast("int", step) + by
            moved[child._step] = child
        self._children = moved


def _without_drafts(value: Any) -> Any:
    """Replace drafts in plain containers by what they are drafts of."""
    if isinstance(value, DraftPart):
        return value.freeze()
    if isinstance(value, Mapping):
        members = cast("Iterable[tuple[Any, Any]]", value.items())
        return {name: _without_drafts(member) for name, member in members}
    if isinstance(value, list | tuple):
        return [_without_drafts(element) for element in cast("Iterable[Any]", value)]
    return value
