"""One small file that only its owner can read. Readers see the old content or the new, never a part of it.

The file is replaced where possible. Where it is not, because the file is a mount point or its folder is not writable,
it is written in place; a process killed at that moment leaves an unreadable file.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rcex_ws.errors import ConfigurationError
from rcex_ws.files.checks import (
    SAFELY,
    check_file,
    chown_like,
    is_mount_point,
    status_of,
    why_not_writable,
)
from rcex_ws.files.lock import lock_descriptor
from rcex_ws.secret import SecretBytes

__all__ = ["PrivateFile"]

logger = logging.getLogger("rcex_ws.files")

#: Error numbers for a file that cannot be replaced, but maybe written: a mount point, or a folder without access.
_NOT_REPLACEABLE = {errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS}

#: Seconds after which a temporary file counts as abandoned where locks are not supported.
_SURELY_LEFT = 3600.0

#: Bytes copied at a time.
_PIECE = 2**20


class PrivateFile:
    """One private file. All methods block.

    Args:
        path: the caller's path; `open` follows links.
        what: the argument's name, which starts each message.

    Attributes:
        path, what: the arguments.
        target: the file that the path leads to.
        in_place: whether the file can only be written in place.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        self.path = path
        self.what = what
        self.target = path
        self.in_place = False
        self._warned: set[str] = set()

    def open(self) -> None:
        """Resolve links, create the folder, check the file, and remove abandoned temporary files.

        Raises:
            ConfigurationError: `check_file` refuses the file, or it cannot be written.
            OSError: a system call fails.
        """
        self.target = Path(os.path.realpath(self.path))
        _make_folder(self.target.parent)
        status, closed = status_of(self.target), why_not_writable(self.target.parent)
        self.in_place = False
        if status is not None:
            check_file(self.path, status, self.what)
            if sys.platform != "win32" and status.st_mode & stat.S_IWGRP:
                self._warn("can be written by its group, any of whom can then decide on whose behalf this program acts")
            self.in_place = closed is not None or is_mount_point(self.target)
            closed = why_not_writable(self.target) if self.in_place else None
        if closed is not None:
            raise ConfigurationError(f"{self.what}: {self.path} cannot be used: {closed}")
        if not self.in_place:
            self._sweep()

    def size(self) -> int:
        """Return the size in bytes; 0 if there is no file.

        Raises:
            OSError: the path is invalid or not accessible.
        """
        status = status_of(self.target)
        return 0 if status is None else status.st_size

    def read(self) -> bytes | None:
        """Return the content; None if there is no file, or an empty one that stands for none.

        Raises:
            ConfigurationError: `check_file` refuses the file.
            OSError: it cannot be read.
        """
        try:
            content = None if status_of(self.target) is None else SecretBytes(b"".join(self._pieces()))
        except OSError as exc:
            self._name_file_in(exc)
            raise
        return None if self.in_place and not content else content

    def write(self, data: bytes) -> None:
        """Replace the content; after a crash the file has the old or the new content, unless `in_place`.

        Raises:
            ConfigurationError: `check_file` refuses the file.
            OSError: it cannot be written; the old content is intact.
        """
        try:
            if self.in_place or not self._replaced(lambda: self._replace(self.target, (data,))):
                self._overwrite(data)
        except OSError as exc:
            self._name_file_in(exc)
            raise

    def delete(self) -> None:
        """Delete the file; one that can only be written in place is emptied instead.

        Raises:
            OSError: it cannot be deleted.
        """
        try:
            if self.in_place or not self._replaced(lambda: self.target.unlink(missing_ok=True)):
                self._overwrite(b"")
        except OSError as exc:
            self._name_file_in(exc)
            raise

    def copy_aside(self) -> Path:
        """Copy the content to `<name>.bad` for inspection; return that path.

        Raises:
            OSError: it cannot be written.
        """
        bad = self.target.with_name(self.target.name + ".bad")
        self._replace(bad, self._pieces())
        return bad

    def set_aside(self) -> Path:
        """Move the file to `<name>.bad` for inspection, or copy and delete it; return that path.

        Raises:
            OSError: it cannot be moved or copied.
        """
        bad = self.target.with_name(self.target.name + ".bad")
        if self.in_place or not self._replaced(lambda: os.replace(self.target, bad)):
            self.copy_aside()
            self.delete()
        return bad

    # -- helpers -------------------------------------------------------------------------------------------------------

    def _pieces(self) -> Iterator[bytes]:
        with open(os.open(self.target, os.O_RDONLY | SAFELY), "rb") as file:
            check_file(self.path, os.fstat(file.fileno()), self.what)
            while piece := file.read(_PIECE):
                yield piece

    def _replaced(self, action: Callable[[], None]) -> bool:
        """Run an action on the folder; return whether it succeeded, or else the file must be written in place."""
        try:
            action()
        except OSError as exc:
            if sys.platform == "win32" or exc.errno not in _NOT_REPLACEABLE or status_of(self.target) is None:
                raise
            return False
        return True

    def _replace(self, target: Path, pieces: Iterable[bytes]) -> None:
        descriptor, temporary = self._temporary()
        try:
            with open(descriptor, "wb") as file:
                file.writelines(pieces)
                file.flush()
                chown_like(self.target, file.fileno())
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # Windows cannot rename open files; elsewhere it stays locked until then
                os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def _temporary(self) -> tuple[int, Path]:
        """Create a file beside the target, locked while it is open to show that it is being written."""
        while True:
            temporary = self.target.with_name(f".{self.target.name}.{os.urandom(4).hex()}.tmp")
            try:
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFELY, 0o600)
            except FileExistsError:
                continue
            if sys.platform == "win32" or (_locked(descriptor) and os.path.lexists(temporary)):
                return descriptor, temporary
            os.close(descriptor)  # another process removed it before it was locked

    def _sweep(self) -> None:
        """Remove temporary files of killed processes, which contain secrets."""
        theirs = re.compile(rf"\.{re.escape(self.target.name)}\.[0-9a-f]{{8}}\.tmp")
        with suppress(OSError), os.scandir(self.target.parent) as entries:
            for name in [entry.name for entry in entries if theirs.fullmatch(entry.name)]:
                with suppress(OSError, ConfigurationError):
                    self._remove_if_left(self.target.with_name(name))

    def _remove_if_left(self, temporary: Path) -> None:
        if sys.platform != "win32":  # Windows cannot remove open files
            descriptor = os.open(temporary, os.O_RDWR | SAFELY)
            try:
                status = os.fstat(descriptor)
                check_file(temporary, status, self.what)
                if not _locked(descriptor, otherwise=time.time() - status.st_mtime > _SURELY_LEFT):
                    return
                os.unlink(temporary)
            finally:
                os.close(descriptor)
        else:
            os.unlink(temporary)
        logger.info("%s: removed %s, which a killed process left behind", self.what, temporary)

    def _overwrite(self, data: bytes) -> None:
        """Write in place. White space reserves the room first, so that a full disk leaves the old content intact."""
        descriptor = os.open(self.target, os.O_RDWR | SAFELY)
        try:
            status = os.fstat(descriptor)
            check_file(self.path, status, self.what)
            if sys.platform != "win32":
                with suppress(OSError):  # a file system without owners
                    os.fchmod(descriptor, 0o600)
            self._warn(
                "cannot be replaced, as it is a mount point or its folder is not writable, so it is written "
                "in place: a process killed at that moment leaves it unreadable"
            )
            if len(data) > status.st_size:
                try:
                    _write_at(descriptor, status.st_size, b" " * (len(data) - status.st_size))
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, status.st_size)
                    raise
            _write_at(descriptor, 0, data)
            os.ftruncate(descriptor, len(data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _name_file_in(self, exc: OSError) -> None:
        """Put the caller's path into an error."""
        if exc.errno is not None:
            exc.filename = str(self.path)
            del exc.filename2  # set to None it would be written: "... -> None"

    def _warn(self, words: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            logger.warning("%s: %s %s", self.what, self.path, words)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def _locked(descriptor: int, *, otherwise: bool = True) -> bool:
    """Try to lock an open file; return whether it is locked, or `otherwise` where locks are not supported."""
    try:
        return lock_descriptor(descriptor)
    except OSError:
        return otherwise


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
