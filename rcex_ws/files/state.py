"""One value that survives the process, as JSON in a private file: what a store stands on.

What comes back may be anything: a half, nonsense that is JSON, what the other store has written. It is taken only if it
is all that it should be, and nothing is moved or overwritten that is known to be something else.
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

# What we have stored ourselves is in order, or else is no state of ours: a number beyond these is refused, not clamped.

#: A moment, in seconds since the epoch, until 2200; whether it is past, no clock of this machine can tell.
Moment = Annotated[float, Meta(ge=0, le=7_258_118_400)]

#: A span: at most a century, since no server means more, and timers overflow at some point.
Seconds = Annotated[float, Meta(ge=0, le=3_200_000_000)]

#: Bytes of the largest file that is read: ours have some ten thousand.
_LARGEST = 16 * 2**20

#: Seconds after which a write in place that was under way is through.
_MOMENT = 0.2

#: Levels of brackets: ours have six, and a few more are what a server may have given us to keep.
_DEEPEST = 64


class Kind(Struct, frozen=True):
    """Tell files of one kind from others.

    Attributes:
        what: it holds, for people.
        member: that only these have.
    """

    what: str
    member: str


OAUTH_TOKEN = Kind("an OAuth token", "access_token")
WEBSOCKET_SESSION = Kind("a WebSocket session", "unfinished")


class Unreadable(RcexError):
    """Report that a file holds something, which cannot be what it should be. The message quotes nothing of it."""


class StateFile:
    """Keep one value in a file. All methods block, so they are called in a `FileThread`.

    What the file holds is a `SecretBytes` everywhere: tracebacks may show local variables.

    Args:
        path: as it was given.
        what: the argument that it was given as; begins each message.
        kind: what it holds.
    """

    def __init__(self, path: Path, *, what: str, kind: Kind) -> None:
        self._file = PrivateFile(path, what=what)
        self._lock = FileLock()
        self._kind = kind

    def open(self) -> None:
        """Find the file, see that it is ours and could be written, and sweep up what a killed process has left.

        Raises:
            ConfigurationError: it cannot be used; the message names it and says why.
        """
        with self._as_configuration_error():
            self._file.open()

    def lock(self) -> bool:
        """Keep others away, until `free`; tell whether that went, or somebody has done so before.

        The lock lies beside the file; if that is mounted by itself, then its folder is not what others see, so the
        file is locked.

        Raises:
            ConfigurationError: nothing can be locked there.
        """
        file = self._file
        path = file.target if file.in_place else file.target.with_name(file.target.name + ".lock")
        with self._as_configuration_error():
            return self._lock.take(path, what=file.what, owner_of=file.target)

    def free(self) -> None:
        """Leave the file to others."""
        self._lock.free()

    def load(self, kept: type[T]) -> T | None:
        """Give what is kept; None if nothing is.

        Args:
            kept: what it is; its types say within which bounds.

        Raises:
            Unreadable: something is kept, and not that.
            ConfigurationError: the file cannot be read, or holds another kind.
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
        """Keep this instead.

        Raises:
            ConfigurationError: the file has become something else, which stays.
            OSError: it cannot be written; it names the file.
        """
        self._check_kind()
        self._file.write(data)

    def clear(self) -> None:
        """Forget what is kept; raises as `save`."""
        self._check_kind()
        self._file.delete()

    def set_aside(self) -> str:
        """Move what cannot be read to where a human can look at it; give the name of that file.

        Raises:
            OSError: it cannot be moved.
        """
        return self._file.set_aside().name

    def copy_aside(self) -> str:
        """Copy it, likewise.

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
    """Say what a file holds if that is known to be another kind; None if it is not."""
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
    """Read a value; None if it is none, without the error, whose text could quote a secret."""
    try:
        return None if _depth(data) > _DEEPEST else msgspec.json.decode(data, type=kept)
    except UNREADABLE:
        return None


def _depth(data: bytes) -> int:
    """Give the most levels of brackets outside of strings."""
    deepest = depth = 0
    for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[][{}]', data):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in b"]}":
            depth -= 1
    return deepest
