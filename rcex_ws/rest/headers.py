"""Headers of an answer, by HTTPS or WebSocket. Pure.

Used by `message` and `https`. HTTPS has lower-case names, the WebSocket gateway mixed case (`X-Rate-Limit-Window`), so
lookups ignore case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload

__all__ = ["Headers"]

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Headers with case-insensitive lookup.

    Args:
        raw: headers as received; not copied.
    """

    __slots__ = ("_index", "_raw")

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self._index: dict[str, str] | None = None  # built on first use: most answers never need it

    def __getitem__(self, name: str) -> str:
        if name in self._raw:  # most names have the case we ask for
            return str(self._raw[name])
        if self._index is None:
            self._index = {key.lower(): str(value) for key, value in self._raw.items()}
        return self._index[name.lower()]

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, /, default: object = None) -> object:
        """Return a header, or the default; overridden for speed, for every answer is asked for missing headers."""
        value = self._raw.get(key)
        if value is not None:
            return str(value)
        try:
            return self[key]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __reduce__(self) -> tuple[Any, ...]:  # older pickle protocols do not copy slots
        return Headers, (dict(self),)

    def __repr__(self) -> str:
        return f"Headers({list(self._raw)})"
