"""Where the session survives the process: the protocol of a store, and the file store.

Only one process opens a store at a time: two that share a recovery token would steal each other's session.
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
    """Raised by `SessionStore.open` if the stored session cannot be read.

    The store is open all the same, and the extension begins a new session. What the old one missed cannot be known, so
    the extension reports a gap. The message names the file that keeps the content, and quotes nothing of it.
    """


@runtime_checkable
class SessionStore(Protocol):
    """Keeps one session. An extension never calls the methods concurrently.

    They may be cancelled when closing takes too long. A write that continues after that must neither undo a later one
    nor reach the store once another process has opened it.
    """

    async def open(self) -> StoredSession | None:
        """Open the store for this process and return its session; None only if it has none.

        Raises:
            ConfigurationError: another process uses it.
            SessionUnreadable: its session cannot be read. The store counts as open: it will be saved to and closed.
                Keep the content until the first save, so that a process killed before that leaves it to the next one.
        """
        ...

    async def save(self, session: StoredSession) -> None:
        """Replace the stored session by this one."""
        ...

    async def clear(self) -> None:
        """Delete the stored session."""
        ...

    async def close(self) -> None:
        """Close the store, so that another process can open it."""
        ...


class FileSessionStore:
    """Keeps the session in a file that only its owner can read (mode 0600), replaced atomically where possible.

    A lock file beside it is held while an extension uses the store; the system frees it when the process dies. No
    method waits for a slow disk once it is cancelled: pending writes are still made, in order, and the lock is freed
    after the last of them. A symbolic link is followed, and the lock file is beside its target.

    Args:
        path: the file; its folder is created if needed.
        wait: seconds to wait until another process has closed the store.
    """

    @checked
    def __init__(self, path: FilePath, *, wait: Wait = 0.0) -> None:
        self.path: Path = Path(path)
        self._wait = wait
        self._opened: _Opened | None = None

    async def open(self) -> StoredSession | None:
        """Lock the file and return its session; None if there is no file.

        Raises:
            ConfigurationError: another process or extension uses it; or it is unusable: it belongs to another user or
                another kind of store, cannot be read, written or locked, or is not a regular file.
            SessionUnreadable: it is locked, but its content is invalid; a copy is kept as `.bad`.
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
                    f"session_store: {self.path} is in use by another process, by another extension of this one, "
                    f"or by a write of this one that is not through; end that, wait for it with FileSessionStore(path, "
                    f"wait=seconds), or use another file"
                )
            await anyio.sleep(_RETRY_LOCK)  # a blocking lock could not be cancelled

    @checked
    async def save(self, session: StoredSession) -> None:
        """Write the session.

        Raises:
            ConfigurationError: the store is not open, or the file was replaced by something else.
            OSError: the file cannot be written.
        """
        data = SecretBytes(msgspec.json.encode(session))
        opened = self._in_use()
        await opened.thread.write(lambda: opened.file.save(data))

    async def clear(self) -> None:
        """Delete the file; raises the same errors as `save`."""
        opened = self._in_use()
        await opened.thread.write(opened.file.clear)

    async def close(self) -> None:
        """Unlock the file, once pending writes are done; does not wait for them."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.thread.when_done(opened.file.free)

    def _in_use(self) -> _Opened:
        if self._opened is None:
            raise ConfigurationError(f"session_store: {self.path} is not open, so it may belong to another process")
        return self._opened


class _Opened:
    """One use of the file, from open to the last write, which may come after the next use has begun.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.file = StateFile(path, what="session_store", kind=WEBSOCKET_SESSION)
        self.thread = FileThread(f"session store {path}")

    def load(self) -> StoredSession | None:
        """Read the file. If it is invalid, copy it aside; it also stays until the next save, to report the loss.

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
