"""Where the session survives the process: what is kept, and the file it is kept in.

A store is opened by one process at a time: two that share a recovery token would steal each other's session.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.home import close_in_children
from rcex_ws.rest.files import write_private
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import SubscriptionInfo

__all__ = ["FileSessionStore", "SessionStore", "SessionUnreadable", "StoredSession"]

_RETRY_LOCK = 0.1


class SessionUnreadable(RcexError):
    """Report, from `SessionStore.open`, that a session was kept and cannot be read.

    The store is taken all the same, and an extension goes on with a new session. What the old one missed cannot be
    known, so the extension reports a gap. The message says where the content lies, and quotes nothing of it.
    """


class StoredSession(Struct, kw_only=True, rename="camel", frozen=True):
    """What is kept of a session.

    Attributes:
        wsc: its recovery token.
        subscription: what was subscribed, as the server describes it; None if nothing was.
        event_filters: what was subscribed, as the application asked for it.
        last_frame_at: wall-clock seconds since the epoch of the last inbound frame.
        recovery_timeout: seconds the server keeps the session.
        clean: the process had delivered all it got and closed.
        uuids: the newest notifications it got, oldest first.
    """

    wsc: Wsc
    subscription: SubscriptionInfo | None = None
    event_filters: tuple[str, ...] = ()
    last_frame_at: float
    recovery_timeout: float
    clean: bool
    uuids: list[str] = []


@runtime_checkable
class SessionStore(Protocol):
    """Keep one session; the methods are never called concurrently by one extension."""

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

    Beside it stands a lock file, held while an extension uses the store; the system frees it when a process dies.

    Args:
        path: the file; its folder is made when needed.
        wait: seconds to wait for another process to leave it.
    """

    def __init__(self, path: str | PathLike[str], *, wait: float = 0.0) -> None:
        self.path = Path(path)
        self._wait = wait
        self._lock: int | None = None
        close_in_children(self)

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the lock while it is held."""
        return () if self._lock is None else (self._lock,)

    async def open(self) -> StoredSession | None:
        """Lock the file and read it; None when there is none.

        Raises:
            ConfigurationError: another process or extension has it, or it is a folder.
            SessionUnreadable: it is locked, but cannot be read; its content is kept as `.bad`, too.
        """
        if self._lock is not None:
            raise ConfigurationError(
                f"session_store: {self.path} is in use by another extension of this process; give each one its own file"
            )
        try:
            return await self._lock_and_load()
        except SessionUnreadable:
            raise
        except BaseException:
            await self.close()
            raise

    async def _lock_and_load(self) -> StoredSession | None:
        give_up_at = anyio.current_time() + self._wait
        while not await anyio.to_thread.run_sync(self._try_lock):
            if anyio.current_time() < give_up_at:
                await anyio.sleep(_RETRY_LOCK)  # a blocking lock could not be cancelled
                continue
            raise ConfigurationError(
                f"session_store: {self.path} is in use by another process; stop it, wait for it with "
                f"FileSessionStore(path, wait=seconds), or use another file"
            )
        return await anyio.to_thread.run_sync(self._load)

    async def save(self, session: StoredSession) -> None:
        """Write the session."""
        await anyio.to_thread.run_sync(write_private, self.path, msgspec.json.encode(session))

    async def clear(self) -> None:
        """Delete the file."""
        await anyio.to_thread.run_sync(lambda: self.path.unlink(missing_ok=True))

    async def close(self) -> None:
        """Unlock the file."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            os.close(lock)

    def _try_lock(self) -> bool:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock_file(lock)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

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


def _lock_file(descriptor: int) -> None:
    """Lock a file for this process; raise `OSError` when another one has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
