"""The canonical text of a large object or array that changes by small steps. Pure.

Members and elements that stand side by side are kept in runs, with their text. Since `rcex_ws.feedme.deltas` copies
what changes and shares the rest, a run whose values are the very same objects as before still has the same text.
"""

from __future__ import annotations

from operator import is_
from typing import Any, NamedTuple

from rcex_ws.feedme.canonical import canonical, sorted_names
from rcex_ws.feedme.values import FrozenDict, FrozenList, js_text

__all__ = ["CanonicalText"]

#: About how long the text of a run is, in bytes: what is written again if one of its values changes.
_LENGTH = 8192

#: How many values a run has at most, however short they are.
_MOST_VALUES = 256


class _Run(NamedTuple):
    """Neighbouring members of an object, or elements of an array.

    Attributes:
        names: of members; none for elements.
        values: the objects whose text this is.
        pieces: what `canonical` writes for them, without the brackets around.
        inner: the text of the only value, if that is long and has a name.
    """

    names: list[str]
    values: list[Any]
    pieces: list[bytes]
    inner: CanonicalText | None = None


class CanonicalText:
    """The canonical text of an object or array, quick to bring up to date.

    Args:
        depth: how many levels of objects inside keep runs of their own.
    """

    __slots__ = ("_depth", "_names", "_pieces", "_runs", "_size", "_source")

    def __init__(self, depth: int = 4) -> None:
        self._depth = depth
        self._pieces: list[bytes] = []
        self._source: FrozenDict | FrozenList = FrozenList()
        self._names: list[str] = []
        self._runs: list[_Run] = []
        self._size = 16  # how many values make a run, to judge by the last one

    def update(self, source: FrozenDict | FrozenList) -> list[bytes]:
        """Return the text of what the object or array is now, in pieces, of which most are those of the last time."""
        if source is self._source:
            return self._pieces
        if isinstance(source, FrozenDict):
            same_names = isinstance(self._source, FrozenDict) and list(source) == list(self._source)
            names = self._names if same_names else sorted_names(source)
            runs = self._cut(names, list(map(source.__getitem__, names)))
            opening, closing = b"{", b"}"
        else:
            names = list[str]()
            runs = self._cut(names, list(source))
            opening, closing = b"[", b"]"
        pieces = [opening]
        for run in runs:
            pieces += run.pieces
            pieces.append(b",")
        if runs:
            pieces.pop()
        pieces.append(closing)
        # Insertions leave short runs behind. When there are too many, all is written anew the next time.
        self._runs = runs if len(runs) < 64 + 4 * sum(map(len, pieces)) // _LENGTH else []
        self._source, self._names, self._pieces = source, names, pieces
        return pieces

    def _cut(self, names: list[str], values: list[Any]) -> list[_Run]:
        """Cut the values into runs: those of the last time as far as they are the same, wherever they stand now."""

        def key(index: int, value: Any) -> str | int:
            if names:
                return names[index]
            return id(value) if isinstance(value, _CONTAINERS) else index  # equal scalars may be one object

        known: dict[str | int, _Run] = {}
        if bool(names) is bool(self._names):  # an object is no array
            start = 0
            for last in self._runs:
                known[last.names[0] if names else key(start, last.values[0])] = last
                start += len(last.values)
        runs: list[_Run] = []
        start = 0
        while start < len(values):
            run = known.get(key(start, values[start]))
            stop = start + (self._size if run is None else len(run.values))
            if run is None or run.names != names[start:stop] or not _identical(run.values, values[start:stop]):
                # Write what stands before the next run that may be the same.
                ends = range(start + 1, min(stop, len(values)))
                stop = next((end for end in ends if key(end, values[end]) in known), stop)
                run = self._write(names[start:stop], values[start:stop], run)
            runs.append(run)
            start += len(run.values)
        return runs

    def _write(self, names: list[str], values: list[Any], last: _Run | None) -> _Run:
        """Write a run of the first of these values: as many as make about the right length."""
        if len(values) == 1 and last is not None and last.inner is not None and isinstance(values[0], _CONTAINERS):
            return _Run(names, values, [last.pieces[0], *last.inner.update(values[0])], last.inner)
        while True:
            part = FrozenDict(zip(names, values, strict=True)) if names else FrozenList(values)
            text = canonical(part)[1:-1]
            if len(text) <= 2 * _LENGTH or len(values) == 1:
                break
            count = max(1, len(values) // 4)
            names, values = names[:count], values[:count]
        self._size = min(max(1, len(values) * _LENGTH // len(text)), _MOST_VALUES)
        if names and len(text) > 2 * _LENGTH and self._depth and isinstance(values[0], _CONTAINERS):
            inner = CanonicalText(self._depth - 1)
            return _Run(names, values, [canonical(js_text(names[0])) + b":", *inner.update(values[0])], inner)
        return _Run(names, values, [text])


_CONTAINERS = (FrozenDict, FrozenList)


def _identical(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
