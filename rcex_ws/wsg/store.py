"""Where the session survives the process: what is kept, and the file it is kept in.

A store is opened by one process at a time: two that share a recovery token would steal each other's session.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio
import msgspec

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.rest.file_thread import FileThread
from rcex_ws.rest.files import write_private
from rcex_ws.wsg.file_lock import FileLock
from rcex_ws.wsg.stored import StoredSession

__all__ = ["FileSessionStore", "SessionStore", "SessionUnreadable"]

_RETRY_LOCK = 0.1


class SessionUnreadable(RcexError):
    """Report, from `SessionStore.open`, that a session was kept and cannot be read.

    The store is taken all the same, and an extension goes on with a new session. What the old one missed cannot be
    known, so the extension reports a gap. The message says where the content lies, and quotes nothing of it.
    """


@runtime_checkable
class SessionStore(Protocol):
    """Keep one session; the methods are never called concurrently by one extension.

    They may be cancelled when closing takes too long. A write that goes on after that must neither undo a later one nor
    reach the store when it is another's.
    """

    async def open(self) -> StoredSession | None:
        """Take the store for this process and give what is kept; None only if nothing is.

        Raises:
            ConfigurationError: another process has it.
            SessionUnreadable: something is kept and cannot be read. The store is taken all the same, will be saved to,
                and is to be closed. Keep what cannot be read until then: who is killed before learns of it next time.
        """
        ...

    async def save(self, session: StoredSession) -> None:
        """Keep this session instead of the old one."""
        ...

    async def clear(self) -> None:
        """Forget the session."""
        ...

    async def close(self) -> None:
        """Leave the store to the next process."""
        ...


class FileSessionStore:
    """Keep the session in a file that only its owner can read (mode 0600), replaced atomically.

    Beside it stands a lock file, held while an extension uses the store; the system frees it when a process dies. No
    method waits for a slow disk when it is cancelled: what was asked for is done in its order all the same, and the
    lock is freed when nothing can be written any more.

    Args:
        path: the file; its folder is made when needed.
        wait: seconds to wait for another process to leave it.
    """

    def __init__(self, path: str | PathLike[str], *, wait: float = 0.0) -> None:
        self.path = Path(path)
        self._wait = wait
        self._opened: _Opened | None = None

    async def open(self) -> StoredSession | None:
        """Lock the file and read it; None when there is none.

        Raises:
            ConfigurationError: another process or extension has it, or it is a folder.
            SessionUnreadable: it is locked, but cannot be read; its content is kept as `.bad`, too.
        """
        if self._opened is not None:
            raise ConfigurationError(
                f"session_store: {self.path} is in use by another extension of this process; give each one its own file"
            )
        opened = self._opened = _Opened(self.path)
        try:
            await self._take(opened)
            return await opened.thread.do(self._load)
        except SessionUnreadable:
            raise
        except BaseException:
            await self.close()
            raise

    async def _take(self, opened: _Opened) -> None:
        give_up_at = anyio.current_time() + self._wait
        while not await opened.thread.do(opened.lock.take):
            if anyio.current_time() >= give_up_at:
                raise ConfigurationError(
                    f"session_store: {self.path} is in use by another process, or by a write of this one that is not "
                    f"through; stop it, wait for it with FileSessionStore(path, wait=seconds), or use another file"
                )
            await anyio.sleep(_RETRY_LOCK)  # a blocking lock could not be cancelled

    async def save(self, session: StoredSession) -> None:
        """Write the session."""
        data = msgspec.json.encode(session)
        await self._thread().write(lambda: write_private(self.path, data))

    async def clear(self) -> None:
        """Delete the file."""
        await self._thread().write(lambda: self.path.unlink(missing_ok=True))

    async def close(self) -> None:
        """Unlock the file: at once, or when what was asked for is written."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.thread.when_done(opened.lock.free)

    def _thread(self) -> FileThread:
        if self._opened is None:
            raise ConfigurationError(f"session_store: {self.path} is not open, so it may belong to another process")
        return self._opened.thread

    def _load(self) -> StoredSession | None:
        kept = self._read()
        if isinstance(kept, SessionUnreadable):
            raise kept  # here, where no local variable holds the content: tracebacks may show them
        return kept

    def _read(self) -> StoredSession | SessionUnreadable | None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError as exc:
            raise ConfigurationError(f"session_store: {self.path} is a folder, expected a file") from exc
        try:
            return msgspec.json.decode(data, type=StoredSession)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # their text could quote the token
            return self._keep_unreadable(data)

    def _keep_unreadable(self, data: bytes) -> SessionUnreadable:
        """Copy it for a human to look at. The file stays until the next save: it says that something is missing."""
        bad = self.path.with_name(self.path.name + ".bad")
        unreadable = f"session_store: {self.path} is unreadable"
        try:
            write_private(bad, data)
        except OSError as exc:
            error = SessionUnreadable(f"{unreadable}, and could not be kept as {bad.name}")
            error.__cause__ = exc.with_traceback(None)
            return error
        return SessionUnreadable(f"{unreadable}; kept as {bad.name}")


class _Opened:
    """What belongs to one time that the file is open, which ends with its last write: maybe after the next has begun.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.lock = FileLock(path.with_name(path.name + ".lock"))
        self.thread = FileThread(f"session store {path}")
