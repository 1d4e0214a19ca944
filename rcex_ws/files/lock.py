"""Lock a file against other processes, and against other users of it in this process."""

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

#: Error numbers for a lock that is already held; any other means that locking is not supported.
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class FileLock:
    """A lock. The system frees it when the process dies; a forked process does not inherit it."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptor if it is open."""
        return () if self._descriptor is None else (self._descriptor,)

    def take(self, path: Path, *, what: str, owner_of: Path) -> bool:
        """Try to lock a file without waiting; return whether it is locked now.

        Args:
            path: the file to lock; created if needed, and left in place.
            what: the start of an error message.
            owner_of: the file whose owner gets the lock file if root creates it.

        Raises:
            ConfigurationError: it is not a regular file, or its file system does not support locks.
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
        """Unlock the file if it is locked."""
        if self._descriptor is not None:
            _unlock(self._descriptor)  # a process forked at this moment has it open as well
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def lock_descriptor(descriptor: int) -> bool:
    """Try to lock an open file until it is closed; return whether it is locked now.

    Raises:
        OSError: the file system does not support locks, or has no more of them.
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
        """Do nothing: closing unlocks, and processes are not forked on Windows."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
