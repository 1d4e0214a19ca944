"""The store in a file, which survives even a killed process. All work is done in one worker thread at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from rcex_ws.errors import ConfigurationError
from rcex_ws.files import check_if_exists
from rcex_ws.options import Count, FilePath, Wait, checked
from rcex_ws.slack.store.base import DataStore, check_work
from rcex_ws.slack.store.errors import DataStoreError
from rcex_ws.slack.store.sqlite_tables import SQLiteTables, prepare
from rcex_ws.slack.store.tables import Tables

__all__ = ["SQLiteDataStore"]

T = TypeVar("T")

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SQLiteDataStore(DataStore):
    """A data store in an SQLite file that only its owner can read (mode 0600); opened when first used.

    Each event is one transaction: if the process is killed, the model is as it was after some event, never in the
    middle of one. (After a power failure the last events may be missing: the file is not synced for each.)

    Several processes may use one file: each transaction sees the changes of the others, and a message that two of them
    add is stored once. Only one process writes at a time; one that waits longer than `busy_timeout` gets a retryable
    `DataStoreError`, and its event has changed nothing.

    Args:
        path: the file; its folder is created if needed.
        max_history: most messages kept per conversation; the oldest are dropped, and do not count as unread any more.
        busy_timeout: seconds to wait for another process; a cancellation takes effect only after that wait.
        clock: returns seconds that never go back; typing expires by it, and is not kept in the file.
    """

    @checked
    def __init__(
        self,
        path: FilePath,
        *,
        max_history: Count = 1000,
        busy_timeout: Wait = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock=clock)
        self.path: Path = Path(path)
        self._max_history = max_history
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._one_at_a_time: anyio.CapacityLimiter | None = None

    async def read(self, work: Callable[[Tables], T]) -> T:
        """Run the work in a transaction that reads.

        Raises:
            DataStoreError: the store is closed, or the file cannot be used.
        """
        check_work(work)
        return await self._in_worker(lambda: self._transact("BEGIN", work))

    async def write(self, work: Callable[[Tables], T]) -> T:
        """Run the work in a transaction that writes.

        Raises:
            DataStoreError: the store is closed, or the file cannot be used.
        """
        check_work(work)
        # IMMEDIATE, since a lock taken by the first write could fail in the middle, without waiting.
        return await self._in_worker(lambda: self._transact("BEGIN IMMEDIATE", work))

    async def aclose(self) -> None:
        """Close the file, after the work in progress."""
        with anyio.CancelScope(shield=True):
            await self._in_worker(self._close)

    async def _in_worker(self, work: Callable[[], T]) -> T:
        if self._one_at_a_time is None:
            self._one_at_a_time = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(work, limiter=self._one_at_a_time)

    def _transact(self, begin: str, work: Callable[[Tables], T]) -> T:
        try:
            connection = self._open()
            return _in_transaction(connection, begin, lambda: work(SQLiteTables(connection, self._max_history)))
        except ConfigurationError as exc:
            raise DataStoreError(str(exc)) from None
        except (sqlite3.Error, OSError) as exc:
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # the higher bits hold the extended code
            raise DataStoreError(f"{self.path}: {exc}", retryable=code in _BUSY) from exc

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise DataStoreError(f"{self.path}: the store is closed")
        if self._connection is not None:
            return self._connection
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_if_exists(self.path, "data store")
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        # The limiter lets one thread at a time use the connection, but not always the same one.
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            # Checked first, since switching to WAL writes into the file, even into one that is not ours.
            _in_transaction(connection, "BEGIN IMMEDIATE", lambda: prepare(connection, str(self.path)))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _in_transaction(connection: sqlite3.Connection, begin: str, work: Callable[[], T]) -> T:
    connection.execute(begin)
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
    return result
