"""Check the type, owner and mode of a file before it is opened, since opening a pipe would hang.

Whoever can write a token file decides on whose behalf this program acts; whoever owns it can read it. Root can read and
write everything anyway, and often maintains the files of other users.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path

from rcex_ws.errors import ConfigurationError

__all__ = [
    "SAFELY",
    "check_file",
    "check_if_exists",
    "check_lock",
    "chown_like",
    "is_mount_point",
    "status_of",
    "why_not_writable",
]

#: Additional flags for `os.open`: a link or a pipe that has just been put there does no harm.
SAFELY: int = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))

_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISLNK, "symbolic link that leads to itself"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def status_of(path: Path) -> os.stat_result | None:
    """Return the status of a path, without following a link; None if it does not exist.

    Raises:
        OSError: the path is invalid or not accessible.
    """
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def check_file(path: Path, status: os.stat_result, what: str) -> None:
    """Refuse anything but a regular file of the current user.

    Args:
        path: the path to show in an error.
        status: the status of the file.
        what: the start of an error message.

    Raises:
        ConfigurationError: it is not a regular file, belongs to another user, or is writable by everybody.
    """
    _check_kind(path, status, what)
    if sys.platform == "win32":
        return
    we = os.geteuid()
    if status.st_uid != we and we != 0:
        raise ConfigurationError(
            f"{what}: {path} belongs to {_user(status.st_uid)}, not to {_user(we)} who runs this; "
            f"give it to the one (chown) or run as the other, or use another file"
        )
    if status.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{what}: {path} can be written by everybody, so what it holds may be anybody's; "
            f"delete it, or if you know what it holds, make it private (chmod 600)"
        )


def check_if_exists(path: Path, what: str) -> None:
    """Like `check_file`, for the target of a path, if it exists."""
    status = status_of(Path(os.path.realpath(path)))
    if status is not None:
        check_file(path, status, what)


def check_lock(path: Path, what: str) -> None:
    """Refuse anything but a regular file as a lock file.

    Raises:
        ConfigurationError: there is a link, a pipe or the like.
    """
    status = status_of(path)
    if status is None:
        return
    if stat.S_ISLNK(status.st_mode):
        raise ConfigurationError(f"{what}: {path} is a symbolic link, expected a lock file; remove it")
    _check_kind(path, status, what)


def _check_kind(path: Path, status: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "special file")
        raise ConfigurationError(f"{what}: {path} is a {kind}, expected a file")


def _user(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    with suppress(KeyError):
        return f"{pwd.getpwuid(uid).pw_name} (user id {uid})"
    return f"user id {uid}"


def chown_like(path: Path, descriptor: int) -> None:
    """Give a file created by root to the owner of `path`, who could not read it otherwise."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    status = status_of(path)
    if status is not None and status.st_uid != 0:
        with suppress(OSError):  # the file system has no owners
            os.fchown(descriptor, status.st_uid, status.st_gid)


def is_mount_point(path: Path) -> bool:
    """Return whether a file is itself a mount point, as in containers: it can then be written, but not replaced.

    Comparing its device with its folder's does not help: on an overlay they always differ.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:  # not Linux, or a jail: the first attempt to replace it will show
        return False
    wanted = os.fsencode(path)
    points = (line.split(b" ", 5)[4] for line in mounts.splitlines() if line.count(b" ") > 5)
    return any(re.sub(rb"\\([0-7]{3})", _character, point) == wanted for point in points)


def _character(octal: re.Match[bytes]) -> bytes:
    return bytes([int(octal[1], 8)])


def why_not_writable(path: Path) -> str | None:
    """Return the reason why a folder or file cannot be written, or None."""
    effective = os.access in os.supports_effective_ids
    rights = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    if os.access(path, rights, effective_ids=effective):
        return None
    if sys.platform != "win32":
        with suppress(OSError):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return "Read-only file system"
    return "Permission denied"
