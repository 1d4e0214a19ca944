"""The tables in SQLite: schema and statements. Called inside a transaction, in the store's worker thread.

Bodies are JSON in ASCII, so that everything that Slack sends, even half a surrogate pair, is read back unchanged. Texts
written by people are stored as bytes for the same reason.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from rcex_ws.readers import read_json
from rcex_ws.slack.store.errors import DataStoreError
from rcex_ws.slack.store.tables import CONVERSATION_KINDS, Field, Kind, field_of

__all__ = ["SQLiteTables", "prepare"]

#: Identifies our files: "RCEX".
_APPLICATION = 0x52434558
_VERSION = 1

_SCHEMA = (
    "CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # The sequence number keeps the order of first appearance, as a dict does.
    """CREATE TABLE record (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL,
        name BLOB, email BLOB, bot_id BLOB, user BLOB, body TEXT NOT NULL,
        UNIQUE (id, kind))""",
    "CREATE INDEX record_name ON record (kind, name)",
    "CREATE INDEX record_email ON record (kind, email) WHERE email IS NOT NULL",
    "CREATE INDEX record_bot_id ON record (kind, bot_id) WHERE bot_id IS NOT NULL",
    "CREATE INDEX record_user ON record (kind, user) WHERE user IS NOT NULL",
    """CREATE TABLE message (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL, ts TEXT NOT NULL,
        user BLOB, hidden INTEGER NOT NULL, body TEXT NOT NULL,
        UNIQUE (conversation, ts))""",
    "CREATE INDEX message_seq ON message (conversation, seq)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)

_FIND: dict[Field, str] = {
    "name": "SELECT body FROM record WHERE kind = ? AND name = ? ORDER BY seq LIMIT 1",
    "email": "SELECT body FROM record WHERE kind = ? AND email = ? ORDER BY seq LIMIT 1",
    "bot_id": "SELECT body FROM record WHERE kind = ? AND bot_id = ? ORDER BY seq LIMIT 1",
    "user": "SELECT body FROM record WHERE kind = ? AND user = ? ORDER BY seq LIMIT 1",
}


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Create the tables in a new file; called inside a transaction.

    Raises:
        DataStoreError: the file belongs to another program, or to another version of the schema.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (_APPLICATION, _VERSION):
        return
    if application == _APPLICATION:
        raise DataStoreError(f"{path}: the store is of version {version}, expected {_VERSION}; use another file")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise DataStoreError(f"{path}: the database belongs to another program; use another file")
    for statement in _SCHEMA:
        connection.execute(statement)


class SQLiteTables:
    """Tables in an SQLite database.

    Args:
        connection: in autocommit mode; the caller begins and ends the transactions.
        max_history: most messages per conversation.
    """

    def __init__(self, connection: sqlite3.Connection, max_history: int) -> None:
        self._run = connection.execute
        self._max_history = max_history

    def note(self, name: str) -> str | None:
        """See `Tables`."""
        row = self._run("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def set_note(self, name: str, value: str) -> None:
        """See `Tables`."""
        self._run("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, value))

    def get(self, kind: Kind, id_: str) -> dict[str, Any] | None:
        """See `Tables`."""
        return _first(self._run("SELECT body FROM record WHERE id = ? AND kind = ?", (_key(id_), kind)))

    def find(self, kind: Kind, field: Field, value: str) -> dict[str, Any] | None:
        """See `Tables`."""
        return _first(self._run(_FIND[field], (kind, _blob(value))))

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """See `Tables`."""
        return _every(self._run("SELECT body FROM record WHERE kind = ? ORDER BY seq", (kind,)))

    def kind_of(self, conversation_id: str) -> Kind | None:
        """See `Tables`."""
        rows = self._run("SELECT kind FROM record WHERE id = ?", (_key(conversation_id),))
        return next((kind for (kind,) in rows if kind in CONVERSATION_KINDS), None)

    def put(self, kind: Kind, id_: str, record: dict[str, Any]) -> None:
        """See `Tables`."""
        name, user = _blob(field_of(record, "name")), _blob(field_of(record, "user"))
        email, bot_id = _blob(field_of(record, "email")), _blob(field_of(record, "bot_id"))
        self._run(
            "INSERT INTO record (kind, id, name, email, bot_id, user, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id, kind) DO UPDATE SET name = excluded.name, email = excluded.email,"
            " bot_id = excluded.bot_id, user = excluded.user, body = excluded.body",
            (kind, id_, name, email, bot_id, user, json.dumps(record)),
        )

    def delete(self, kind: Kind, id_: str) -> None:
        """See `Tables`."""
        self._run("DELETE FROM record WHERE id = ? AND kind = ?", (_key(id_), kind))

    def delete_all(self, kind: Kind) -> None:
        """See `Tables`."""
        if kind in CONVERSATION_KINDS:
            self._run("DELETE FROM message WHERE conversation IN (SELECT id FROM record WHERE kind = ?)", (kind,))
        self._run("DELETE FROM record WHERE kind = ?", (kind,))

    def clear(self) -> None:
        """See `Tables`."""
        for table in ("note", "record", "message"):
            self._run(f"DELETE FROM {table}")  # noqa: S608 - constant names

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        """See `Tables`."""
        key = _key(conversation_id)
        return _every(self._run("SELECT body FROM message WHERE conversation = ? ORDER BY seq", (key,)))

    def message(self, conversation_id: str, ts: str) -> dict[str, Any] | None:
        """See `Tables`."""
        key = _key(conversation_id), _key(ts)
        return _first(self._run("SELECT body FROM message WHERE conversation = ? AND ts = ?", key))

    def count_unread(self, conversation_id: str, last_read: str, self_id: str | None) -> int:
        """See `Tables`; the statement does what `is_unread` does."""
        own = _blob(self_id)
        rows = self._run(
            "SELECT count(*) FROM message WHERE conversation = ? AND ts > ? AND NOT hidden"
            " AND (? IS NULL OR user IS NOT ?)",
            (conversation_id, last_read, own, own),
        )
        return int(rows.fetchone()[0])

    def append(self, conversation_id: str, message: dict[str, Any]) -> None:
        """See `Tables`."""
        added = self._run(
            "INSERT OR IGNORE INTO message (conversation, ts, user, hidden, body) VALUES (?, ?, ?, ?, ?)",
            (conversation_id, message["ts"], *_columns(message)),
        )
        if added.rowcount:
            self._run(
                "DELETE FROM message WHERE conversation = ? AND seq <= (SELECT seq FROM message"
                " WHERE conversation = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (conversation_id, conversation_id, self._max_history),
            )

    def replace(self, conversation_id: str, message: dict[str, Any]) -> None:
        """See `Tables`."""
        self._run(
            "UPDATE message SET user = ?, hidden = ?, body = ? WHERE conversation = ? AND ts = ?",
            (*_columns(message), conversation_id, message["ts"]),
        )

    def remove(self, conversation_id: str, ts: str) -> None:
        """See `Tables`."""
        self._run("DELETE FROM message WHERE conversation = ? AND ts = ?", (conversation_id, ts))

    def forget(self, conversation_id: str) -> None:
        """See `Tables`."""
        self._run("DELETE FROM message WHERE conversation = ?", (conversation_id,))


def _columns(message: dict[str, Any]) -> tuple[bytes | None, bool, str]:
    return _blob(field_of(message, "user")), bool(message.get("hidden")), json.dumps(message)


def _blob(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _key(key: str) -> str:
    """Return a key that SQLite accepts: the application may pass half a surrogate pair, which no id contains."""
    return key.encode("utf-8", "replace").decode()


def _first(rows: sqlite3.Cursor) -> dict[str, Any] | None:
    row = rows.fetchone()
    return None if row is None else _decode(row[0])


def _every(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    return [_decode(body) for (body,) in rows]


def _decode(body: str) -> dict[str, Any]:
    record: dict[str, Any] = read_json(body.encode())
    return record
