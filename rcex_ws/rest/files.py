"""Write a small private file so that a reader sees the old content or the new one, never a half.

Used by the token store and by the session store of `rcex_ws.wsg`; blocking, so they call it in a `FileThread`.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["set_aside", "write_private"]


def write_private(path: Path, data: bytes) -> None:
    """Replace the file by one with this content, readable by its owner only.

    A missing folder is made. After a crash at any moment the file holds the old content or the new.

    Raises:
        OSError: the folder cannot be made or written; the old content is still there.
    """
    import tempfile  # brings in what packs and unpacks files

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def set_aside(path: Path) -> Path:
    """Rename an unreadable file to `<name>.bad`, for a human to look at, and return the new path."""
    bad = path.with_name(path.name + ".bad")
    os.replace(path, bad)
    return bad
