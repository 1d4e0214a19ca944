"""Where the session survives the process: what is kept, and the file it is kept in.

A store is opened by one process at a time: two that share a recovery token would steal each other's session.
"""

from __future__ import annotations

import logging
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

from rcex_ws.errors import ConfigurationError
from rcex_ws.home import close_in_children
from rcex_ws.rest.files import set_aside, write_private
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import SubscriptionInfo

__all__ = ["FileSessionStore", "SessionStore", "StoredSession"]

logger = logging.getLogger("rcex_ws.wsg")

_RETRY_LOCK = 0.1


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
        """Take the store for this process and give what is kept.

        Raises:
            ConfigurationError: another process has it.
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
        """Lock the file and read it; None when there is none, or an unreadable one, which is set aside as `.bad`."""
        if self._lock is not None:
            raise ConfigurationError(
                f"session_store: {self.path} is in use by another extension of this process; give each one its own file"
            )
        try:
            return await self._lock_and_load()
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
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=StoredSession)
        except FileNotFoundError:
            return None
        except IsADirectoryError as exc:
            raise ConfigurationError(f"session_store: {self.path} is a folder, expected a file") from exc
        except (msgspec.DecodeError, UnicodeDecodeError):  # their text could quote the token: not logged
            logger.warning("the session file %s is unreadable; kept as %s", self.path, set_aside(self.path).name)
            return None


def _lock_file(descriptor: int) -> None:
    """Lock a file for this process; raise `OSError` when another one has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
