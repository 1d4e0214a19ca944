"""A store of things by id that drops the oldest when there are too many, or they are too large. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

__all__ = ["Shelf"]


class _HasId(Protocol):
    """What a shelf can hold."""

    @property
    def id(self) -> Hashable:
        """The id, unique on the shelf."""
        ...


_T = TypeVar("_T", bound=_HasId)


class Shelf(Generic[_T]):
    """Things by id, in the order in which they were added.

    Args:
        most: how many are kept.
        most_size: the size of all that are kept.
        size_of: returns the size of one.
    """

    def __init__(self, most: int, most_size: int, size_of: Callable[[_T], int]) -> None:
        self._most = most
        self._most_size = most_size
        self._size_of = size_of
        self._all: dict[Hashable, _T] = {}
        self._sizes: dict[Hashable, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._all.values())

    def newest_first(self) -> Iterator[_T]:
        """Yield all, the newest first."""
        return reversed(self._all.values())

    def get(self, one_id: Hashable) -> _T | None:
        """Return the one with this id."""
        return self._all.get(one_id)

    def put(self, one: _T) -> list[_T]:
        """Add one, or note that one has changed; return the oldest ones, which are dropped for it."""
        self._forget_size(one.id)
        self._all[one.id] = one
        self._sizes[one.id] = self._size_of(one)
        self._size += self._sizes[one.id]
        dropped: list[_T] = []
        while len(self._all) > 1 and (len(self._all) > self._most or self._size > self._most_size):
            oldest = next(other for other in self if other is not one)
            self.remove(oldest)
            dropped.append(oldest)
        return dropped

    def remove(self, one: _T) -> None:
        """Remove one; one that is not there is no error."""
        self._forget_size(one.id)
        self._all.pop(one.id, None)

    def fill(self, ones: Iterable[_T]) -> None:
        """Replace all."""
        self._all, self._sizes, self._size = {}, {}, 0
        for one in ones:
            self.put(one)

    def _forget_size(self, one_id: Hashable) -> None:
        self._size -= self._sizes.pop(one_id, 0)
