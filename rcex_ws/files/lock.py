"""Keep other processes, and other files open here, away from a file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rcex_ws.errors import ConfigurationError
from rcex_ws.files.checks import SAFELY, check_lock, chown_like
from rcex_ws.home import close_in_forks

__all__ = ["FileLock", "lock_descriptor"]

#: What the systems say when somebody else has the lock; anything else means that there are no locks.
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class FileLock:
    """Hold a lock. The system frees it when the process dies; a forked child does not inherit it."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Give what is open now."""
        return () if self._descriptor is None else (self._descriptor,)

    def take(self, path: Path, *, what: str, owner_of: Path) -> bool:
        """Lock a file unless somebody else has it; tell whether it is locked. It never waits for them.

        Args:
            path: what to lock; it is made when needed, and stays.
            what: begins the message of an error.
            owner_of: the file whose owner may lock it, too, when root has made it.

        Raises:
            ConfigurationError: it is something that nobody should lock, or its file system has no locks.
            OSError: it cannot be opened.
        """
        check_lock(path, what)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o600)
        chown_like(owner_of, self._descriptor)
        try:
            taken = lock_descriptor(self._descriptor)
        except OSError as exc:
            self._close()
            raise ConfigurationError(
                f"{what}: {path} cannot be locked: {exc.strerror or exc}; use a file system that has locks, "
                f"such as a local disk: two processes must not share a session"
            ) from exc
        if not taken:
            self._close()
        return taken

    def free(self) -> None:
        """Leave the file to others, if it is locked."""
        if self._descriptor is not None:
            _unlock(self._descriptor)  # a child that is forked at this moment has it open, too
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def lock_descriptor(descriptor: int) -> bool:
    """Lock what is open, until it is closed; tell whether that went, or somebody else has it.

    Raises:
        OSError: its file system has no locks, or no more of them.
    """
    try:
        _lock(descriptor)
    except OSError as exc:
        if exc.errno in _TAKEN:
            return False
        raise
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        """Leave it to closing: no process is forked here."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
