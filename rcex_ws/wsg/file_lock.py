"""Keep other processes, and other extensions of this one, away from a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rcex_ws.home import close_in_children

__all__ = ["FileLock"]


class FileLock:
    """Hold a lock file. The system frees it when the process dies; a forked child does not inherit it.

    Args:
        path: of the lock file, which is made when needed and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        close_in_children(self)

    def descriptors(self) -> Iterable[int]:
        """Give what is open now."""
        return () if self._descriptor is None else (self._descriptor,)

    def take(self) -> bool:
        """Lock the file unless somebody else has it; tell whether it is locked. It never waits for them."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError:
            self.free()
            return False
        return True

    def free(self) -> None:
        """Leave the file to others, if it is locked."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            _unlock(descriptor)  # a child that is forked at this moment has it open, too
            os.close(descriptor)


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
