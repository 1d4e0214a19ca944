"""Where the session survives the process: what is kept, and the file it is kept in.

A store is opened by one process at a time: two that share a recovery token would steal each other's session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio
import msgspec

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.files import WEBSOCKET_SESSION, FileThread, StateFile, Unreadable
from rcex_ws.options import FilePath, Wait, checked
from rcex_ws.secret import SecretBytes
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
    """Keep the session in a file that only its owner can read (mode 0600), replaced atomically where that can be.

    Beside it stands a lock file, held while an extension uses the store; the system frees it when a process dies. No
    method waits for a slow disk when it is cancelled: what was asked for is done in its order all the same, and the
    lock is freed when nothing can be written any more. A link is followed, and the lock lies beside what it leads to.

    Args:
        path: the file; its folder is made when needed.
        wait: seconds to wait for another process to leave it.
    """

    @checked
    def __init__(self, path: FilePath, *, wait: Wait = 0.0) -> None:
        self.path = Path(path)
        self._wait = wait
        self._opened: _Opened | None = None

    async def open(self) -> StoredSession | None:
        """Lock the file and read it; None when there is none.

        Raises:
            ConfigurationError: another process or extension has it; or it cannot be used: it is somebody else's, or of
                another store, or cannot be read, written or locked, or is no file.
            SessionUnreadable: it is locked, but cannot be read; its content is kept as `.bad`, too.
        """
        if self._opened is not None:
            raise ConfigurationError(
                f"session_store: {self.path} is in use by another extension of this process; give each one its own file"
            )
        opened = self._opened = _Opened(self.path)
        try:
            await opened.thread.do(opened.file.open)
            await self._lock(opened)
            return await opened.thread.do(opened.load)
        except SessionUnreadable:
            raise
        except BaseException:
            await self.close()
            raise

    async def _lock(self, opened: _Opened) -> None:
        give_up_at = anyio.current_time() + self._wait
        while not await opened.thread.do(opened.file.lock):
            if anyio.current_time() >= give_up_at:
                raise ConfigurationError(
                    f"session_store: {self.path} is in use by another process, or by a write of this one that is not "
                    f"through; stop it, wait for it with FileSessionStore(path, wait=seconds), or use another file"
                )
            await anyio.sleep(_RETRY_LOCK)  # a blocking lock could not be cancelled

    @checked
    async def save(self, session: StoredSession) -> None:
        """Write the session.

        Raises:
            ConfigurationError: it is not open, or the file has become something else.
            OSError: it cannot be written.
        """
        data = SecretBytes(msgspec.json.encode(session))
        opened = self._in_use()
        await opened.thread.write(lambda: opened.file.save(data))

    async def clear(self) -> None:
        """Delete the file; raises as `save`."""
        opened = self._in_use()
        await opened.thread.write(opened.file.clear)

    async def close(self) -> None:
        """Unlock the file: at once, or when what was asked for is written."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.thread.when_done(opened.file.free)

    def _in_use(self) -> _Opened:
        if self._opened is None:
            raise ConfigurationError(f"session_store: {self.path} is not open, so it may belong to another process")
        return self._opened


class _Opened:
    """What belongs to one time that the file is open, which ends with its last write: maybe after the next has begun.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.file = StateFile(path, what="session_store", kind=WEBSOCKET_SESSION)
        self.thread = FileThread(f"session store {path}")

    def load(self) -> StoredSession | None:
        """Read the file. What cannot be read is copied: it stays until the next save, to say that something is missing.

        Raises:
            SessionUnreadable: as `FileSessionStore.open` says.
        """
        try:
            return self.file.load(StoredSession)
        except Unreadable as exc:
            unreadable = exc
        try:
            kept = f"kept as {self.file.copy_aside()}"
        except OSError as exc:
            raise SessionUnreadable(f"{unreadable}, and could not be kept as .bad") from exc.with_traceback(None)
        raise SessionUnreadable(f"{unreadable}; {kept}")
