"""What a file of ours may be, whose, and who else may write it: before it is opened, since a pipe would hang.

Whoever can write the file of a token decides as whom this program acts; whoever owns it can read it. Root can read and
write everything anyway, and often looks after the files of others.
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

#: For `os.open`, besides: a link or a pipe that has come there a moment ago does not mislead us, nor hang.
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
    """Look at a path without following a link; None if nothing is there.

    Raises:
        OSError: the path cannot be.
    """
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def check_file(path: Path, status: os.stat_result, what: str) -> None:
    """Refuse what is no file of ours.

    Args:
        path: how to call it.
        status: of the file.
        what: begins the message of an error.

    Raises:
        ConfigurationError: it is no file, it is somebody else's, or everybody may write it.
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
    """Refuse what is no file of ours where a path leads to, if something is there; raises as `check_file`."""
    status = status_of(Path(os.path.realpath(path)))
    if status is not None:
        check_file(path, status, what)


def check_lock(path: Path, what: str) -> None:
    """Refuse a lock that is something else.

    Raises:
        ConfigurationError: a link, a pipe or another thing that is no file lies there.
    """
    status = status_of(path)
    if status is None:
        return
    if stat.S_ISLNK(status.st_mode):
        raise ConfigurationError(f"{what}: {path} is a symbolic link, expected a lock file; remove it")
    _check_kind(path, status, what)


def _check_kind(path: Path, status: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "thing of its own")
        raise ConfigurationError(f"{what}: {path} is a {kind}, expected a file")


def _user(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    with suppress(KeyError):
        return f"{pwd.getpwuid(uid).pw_name} (user id {uid})"
    return f"user id {uid}"


def chown_like(path: Path, descriptor: int) -> None:
    """Let what root has made belong to whom it looks after, who could not read it else."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    status = status_of(path)
    if status is not None and status.st_uid != 0:
        with suppress(OSError):  # a file system without owners
            os.fchown(descriptor, status.st_uid, status.st_gid)


def is_mount_point(path: Path) -> bool:
    """Tell whether a file is mounted by itself, as containers like to do: then it can be written, but not replaced.

    That its device differs from its folder's says nothing: on an overlay it does so anyway.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:  # not Linux, or a jail: the first attempt to replace it will tell
        return False
    wanted = os.fsencode(path)
    points = (line.split(b" ", 5)[4] for line in mounts.splitlines() if line.count(b" ") > 5)
    return any(re.sub(rb"\\([0-7]{3})", _character, point) == wanted for point in points)


def _character(octal: re.Match[bytes]) -> bytes:
    return bytes([int(octal[1], 8)])


def why_not_writable(path: Path) -> str | None:
    """Say why a folder or file cannot be written; None if it can."""
    effective = os.access in os.supports_effective_ids
    rights = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    if os.access(path, rights, effective_ids=effective):
        return None
    if sys.platform != "win32":
        with suppress(OSError):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return "Read-only file system"
    return "Permission denied"
