"""The model in a file: it survives the process, also one that is killed. All work is done in one worker thread."""

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
    """Keep the model in an SQLite file that only its owner can read (mode 0600); opened when first used.

    One event is one transaction: a killed process leaves the model after some event, never in the middle of one.
    (When the machine loses power the last events may be missing: the file is not synced for each.)

    Several processes may use one file: each transaction sees what the others have done, and a message that two of them
    add stands there once. One writes at a time; who waits longer than `busy_timeout` gets a `DataStoreError` that
    can be tried again, and nothing of his event has happened.

    Args:
        path: the file; its folder is made when needed.
        max_history: most messages kept per conversation; the oldest are dropped, and do not count as unread any more.
        busy_timeout: seconds to wait for another process; a cancellation is heard after them.
        clock: seconds that never go back; typing expires by it. Typing is not kept in the file.
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
        self.path = Path(path)
        self._max_history = max_history
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._one_at_a_time: anyio.CapacityLimiter | None = None

    async def read(self, work: Callable[[Tables], T]) -> T:
        """Run the work on the file as it is now.

        Raises:
            DataStoreError: the store is closed, or the file cannot be used.
        """
        check_work(work)
        return await self._in_worker(lambda: self._transact("BEGIN", work))

    async def write(self, work: Callable[[Tables], T]) -> T:
        """Run the work as one transaction.

        Raises:
            DataStoreError: the store is closed, or the file cannot be used.
        """
        check_work(work)
        # To take the lock when the first write comes could fail in the middle, without waiting.
        return await self._in_worker(lambda: self._transact("BEGIN IMMEDIATE", work))

    async def aclose(self) -> None:
        """Close the file, after the work that was begun."""
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
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # the rest says more than we need
            raise DataStoreError(f"{self.path}: {exc}", retryable=code in _BUSY) from exc

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise DataStoreError(f"{self.path}: the store is closed")
        if self._connection is not None:
            return self._connection
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_if_exists(self.path, "data store")
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        # The limiter gives the connection to one thread at a time, not always the same one.
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            # First, since the change to WAL is written into the file, also into one that is not ours.
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
        if connection.in_transaction:  # SQLite ends it by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
    return result
