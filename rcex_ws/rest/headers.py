"""Response headers, whichever way they came.

Pure; used by every other module of `rcex_ws.rest`. HTTPS gives lower-case names, the WebSocket gateway HTTP case
(`X-Rate-Limit-Window`), so lookups must not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload

__all__ = ["Headers"]

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Look headers up without regard to case.

    Args:
        raw: names as they came; kept, not copied.
    """

    __slots__ = ("_index", "_raw")

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self._index: dict[str, str] | None = None  # built when first needed: most answers are never asked

    def __getitem__(self, name: str) -> str:
        if name in self._raw:  # most often it is written as we do
            return str(self._raw[name])
        if self._index is None:
            self._index = {key.lower(): str(value) for key, value in self._raw.items()}
        return self._index[name.lower()]

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, /, default: object = None) -> object:
        """Return a header, or the default: every answer is asked for some that it may lack."""
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

    def __reduce__(self) -> tuple[Any, ...]:  # slots alone are copied by the newer protocols of pickle only
        return Headers, (dict(self),)

    def __repr__(self) -> str:
        return f"Headers({list(self._raw)})"
