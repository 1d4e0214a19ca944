"""Pictures of the users, and the prompts of the account's menus: small files. No I/O."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["MediaFile", "MediaStore"]

_MOST_BYTES = 2**26
_MOST_FILES = 10_000
"""Of all files together; the oldest are dropped first."""


class MediaFile(msgspec.Struct):
    """One file.

    Attributes:
        name: its file name.
        content_type: its media type.
        content: its bytes.
    """

    name: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"MediaFile({self.name!r}, {len(self.content)} bytes)"


class MediaStore:
    """Files by their kind and id, the oldest first."""

    def __init__(self) -> None:
        self._all: dict[str, MediaFile] = {}
        self._last = 0

    def get(self, kind: str, name: str) -> MediaFile | None:
        """Return a file.

        Args:
            kind: "image" or "prompt".
            name: the id of the extension, or of the prompt.
        """
        return self._all.get(f"{kind} {name}")

    def of(self, kind: str) -> dict[str, MediaFile]:
        """Return all files of a kind by their ids."""
        keys = (key.partition(" ") for key in self._all)
        return {name: self._all[f"{kind} {name}"] for found, _, name in keys if found == kind}

    def new_id(self) -> str:
        """Return an id that no file has had."""
        self._last += 1
        return str(self._last)

    def put(self, kind: str, name: str, file: MediaFile) -> None:
        """Store a file, in place of the one that has this id."""
        self._all.pop(f"{kind} {name}", None)
        self._all[f"{kind} {name}"] = file
        size = sum(len(one.content) for one in self._all.values())
        while len(self._all) > 1 and (size > _MOST_BYTES or len(self._all) > _MOST_FILES):
            size -= len(self._all.pop(next(iter(self._all))).content)

    def delete(self, kind: str, name: str) -> None:
        """Delete a file, if it is there."""
        self._all.pop(f"{kind} {name}", None)

    def dump(self) -> dict[str, Any]:
        """Return all files as JSON-ready data."""
        return {"last": self._last, "files": dict(msgspec.to_builtins(self._all))}

    def load(self, saved: dict[str, Any]) -> None:
        """Take back what `dump` has returned."""
        self._all = msgspec.convert(saved["files"], dict[str, MediaFile])
        self._last = int(saved["last"])
