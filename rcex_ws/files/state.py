"""One value that survives the process, as JSON in a private file: the basis of every store.

The file may contain anything when it is read: a part, nonsense that is JSON, the data of another store. Its content is
accepted only if it is entirely valid, and a file known to belong to something else is neither moved nor overwritten.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.files.lock import FileLock
from rcex_ws.files.private import PrivateFile
from rcex_ws.readers import UNREADABLE

__all__ = ["OAUTH_TOKEN", "WEBSOCKET_SESSION", "Kind", "Moment", "Seconds", "StateFile", "Unreadable"]

T = TypeVar("T")

# What this library has stored is valid, so a number outside these bounds is refused, not clamped.

#: A moment in seconds since the epoch, until 2200; it may be in the future, as no local clock is trusted.
Moment = Annotated[float, Meta(ge=0, le=7_258_118_400)]

#: A duration: at most a century, as no server means more, and timers overflow eventually.
Seconds = Annotated[float, Meta(ge=0, le=3_200_000_000)]

#: Bytes of the largest file that is read; ours have about ten thousand.
_LARGEST = 16 * 2**20

#: Seconds within which a write in place completes.
_MOMENT = 0.2

#: Maximum levels of brackets; ours have six, and values from a server may add a few.
_DEEPEST = 64


class Kind(Struct, frozen=True):
    """The kind of value in a file.

    Attributes:
        what: its name in messages.
        member: a JSON member that no other kind has.
    """

    what: str
    member: str


OAUTH_TOKEN = Kind("an OAuth token", "access_token")
WEBSOCKET_SESSION = Kind("a WebSocket session", "unfinished")


class Unreadable(RcexError):
    """A file has content that is not valid. The message quotes none of it."""


class StateFile:
    """A file with one value. All methods block, so they are called in a `FileThread`.

    Its content is a `SecretBytes` everywhere, as tracebacks may show local variables.

    Args:
        path: the caller's path.
        what: the argument's name, which starts each message.
        kind: the kind of value.
    """

    def __init__(self, path: Path, *, what: str, kind: Kind) -> None:
        self._file = PrivateFile(path, what=what)
        self._lock = FileLock()
        self._kind = kind

    def open(self) -> None:
        """Resolve links, check that the file can be used, and remove abandoned temporary files.

        Raises:
            ConfigurationError: the file cannot be used; the message names it and says why.
        """
        with self._as_configuration_error():
            self._file.open()

    def lock(self) -> bool:
        """Try to lock the file until `free`; return whether it is locked now.

        The lock file is beside the file. If that is a mount point, other containers may not see its folder, so the file
        itself is locked.

        Raises:
            ConfigurationError: locks are not supported there.
        """
        file = self._file
        path = file.target if file.in_place else file.target.with_name(file.target.name + ".lock")
        with self._as_configuration_error():
            return self._lock.take(path, what=file.what, owner_of=file.target)

    def free(self) -> None:
        """Unlock the file."""
        self._lock.free()

    def load(self, kept: type[T]) -> T | None:
        """Return the stored value; None if there is none.

        Args:
            kept: its type, whose annotations include the bounds.

        Raises:
            Unreadable: the content is not a valid value of that type.
            ConfigurationError: the file cannot be read, or contains another kind of value.
        """
        for last in (False, True):
            with self._as_configuration_error():
                if self._file.size() > _LARGEST:
                    break
                data = self._file.read()
            if data is None:
                return None
            other, value = _other_kind(data, self._kind), _decoded(data, kept)
            if other is not None:
                raise self._other(other)
            if value is not None:
                return value
            if last or not self._file.in_place:
                break
            time.sleep(_MOMENT)  # another process may be writing it
        raise self._unreadable()

    def save(self, data: bytes) -> None:
        """Replace the stored value.

        Raises:
            ConfigurationError: the file now contains another kind of value, and is left alone.
            OSError: it cannot be written; the error names the file.
        """
        self._check_kind()
        self._file.write(data)

    def clear(self) -> None:
        """Delete the stored value; raises like `save`."""
        self._check_kind()
        self._file.delete()

    def set_aside(self) -> str:
        """Move unreadable content to another file for inspection; return that file's name.

        Raises:
            OSError: it cannot be moved.
        """
        return self._file.set_aside().name

    def copy_aside(self) -> str:
        """Copy unreadable content likewise.

        Raises:
            OSError: it cannot be copied.
        """
        return self._file.copy_aside().name

    def _check_kind(self) -> None:
        data = None if self._file.size() > _LARGEST else self._file.read()
        other = None if data is None else _other_kind(data, self._kind)
        if other is not None:
            raise self._other(other)

    def _unreadable(self) -> Unreadable:
        return Unreadable(f"{self._file.what}: {self._file.path} is unreadable")

    def _other(self, other: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._file.what}: {self._file.path} holds {other}, not {self._kind.what}; give each store its own file"
        )

    @contextmanager
    def _as_configuration_error(self) -> Generator[None]:
        try:
            yield
        except OSError as exc:
            path, elsewhere = self._file.path, exc.filename
            where = "" if elsewhere is None or str(elsewhere) == str(path) else f" ({elsewhere})"
            raise ConfigurationError(f"{self._file.what}: {path} cannot be used: {exc.strerror or exc}{where}") from exc


def _other_kind(data: bytes, kind: Kind) -> str | None:
    """Return the name of the kind of content if it is known to be another one, or None."""
    if data.startswith(b"SQLite format 3\0"):
        return "an SQLite database"
    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return None
    if kind.member in members:
        return None
    return next((other.what for other in (OAUTH_TOKEN, WEBSOCKET_SESSION) if other.member in members), None)


def _decoded(data: bytes, kept: type[T]) -> T | None:
    """Decode a value; None if it is invalid: the error is dropped, as its text could quote a secret."""
    try:
        return None if _depth(data) > _DEEPEST else msgspec.json.decode(data, type=kept)
    except UNREADABLE:
        return None


def _depth(data: bytes) -> int:
    """Return the maximum nesting of brackets outside strings."""
    deepest = depth = 0
    for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[][{}]', data):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in b"]}":
            depth -= 1
    return deepest
