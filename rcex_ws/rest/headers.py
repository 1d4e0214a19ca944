"""Response headers, whichever way they came, and the one that says how long to wait.

Pure; used by every other module of `rcex_ws.rest`. HTTPS gives lower-case names, the WebSocket gateway HTTP case
(`X-Rate-Limit-Window`), so lookups must not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload

from rcex_ws.retry_after import parse_retry_after

__all__ = ["Headers", "retry_after"]

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


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds that Retry-After asks to wait, or None.

    Args:
        headers: looked up without regard to case by `Headers`.
        now: wall-clock seconds since the epoch, for the form with a date (RFC 9110, 10.2.3).
    """
    return parse_retry_after(headers.get("Retry-After", ""), now=now)
