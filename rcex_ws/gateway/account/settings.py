"""What clients have set for extensions and for the account, each under the name of its path. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["SettingsStore"]

_MOST_CHARACTERS = 2**24
"""Of all objects together; those that were changed longest ago are dropped first."""


class SettingsStore:
    """JSON objects by owner and name, such as "forward-all-calls" of an extension."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, Any]] = {}
        self._size = 0

    def get(self, owner: str, name: str, default: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object, with the members of `default` that were never set.

        Args:
            owner: the id of an extension, or "account".
            name: the name of the setting.
            default: its members at first.
        """
        return {**default, **self._all.get(f"{owner} {name}", {})}

    def change(self, owner: str, name: str, members: Mapping[str, Any]) -> None:
        """Set members of an object; those that are not given stay."""
        key = f"{owner} {name}"
        before = self._all.pop(key, {})
        self._all[key] = {**before, **members}
        self._size += _size(self._all[key]) - _size(before)
        while self._size > _MOST_CHARACTERS and len(self._all) > 1:
            self._size -= _size(self._all.pop(next(iter(self._all))))

    def dump(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {key: dict(members) for key, members in self._all.items()}

    def load(self, saved: dict[str, Any]) -> None:
        """Take back what `dump` has returned."""
        self._all = msgspec.convert(saved, dict[str, dict[str, Any]])
        self._size = sum(map(_size, self._all.values()))


def _size(members: Mapping[str, Any]) -> int:
    return 100 + len(str(members)) if members else 0
