"""The tables of a store, as rules and queries use them: synchronous, and the same in memory and in SQLite.

A record is the JSON object that Slack sent. Nobody may change one that a table has returned: rules put a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

__all__ = ["CONVERSATION_KINDS", "KINDS", "NEVER", "Field", "Kind", "Tables", "field_of", "is_unread"]

Kind = Literal["user", "channel", "group", "dm", "bot", "team"]
"""What a record is of: user, channel, group, dm, bot or team."""
Field = Literal["name", "email", "bot_id", "user"]

CONVERSATION_KINDS: tuple[Kind, ...] = ("channel", "group", "dm")
KINDS: tuple[Kind, ...] = ("user", *CONVERSATION_KINDS, "bot", "team")

#: The `last_read` of a conversation in which nothing has been read.
NEVER = "0000000000.000000"


def field_of(record: Mapping[str, Any], field: Field) -> str | None:
    """Return the value of a searchable field; None if the record has none."""
    if field in ("email", "bot_id"):
        record = record.get("profile") or {}
    value = record.get(field)
    return value if isinstance(value, str) else None


def is_unread(message: Mapping[str, Any], last_read: str, self_id: str | None) -> bool:
    """Return whether a message of the history counts as unread.

    Timestamps are compared as strings, as in all of Slack's clients. Unlike the JavaScript original this does not count
    our own messages.
    """
    if message["ts"] <= last_read or message.get("hidden"):
        return False
    return self_id is None or message.get("user") != self_id


class Tables(Protocol):
    """Records by kind and id, and the messages of each conversation in the order of arrival."""

    def note(self, name: str) -> str | None:
        """Return a note; None if there is none."""
        ...

    def set_note(self, name: str, value: str) -> None:
        """Store a note: the id of our own user ("self") or of the team ("team")."""
        ...

    def get(self, kind: Kind, id_: str) -> dict[str, Any] | None:
        """Return a record; None if it is not known."""
        ...

    def find(self, kind: Kind, field: Field, value: str) -> dict[str, Any] | None:
        """Return the oldest record with this value in a field, see `field_of`; None if there is none."""
        ...

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Return all records of a kind, oldest first."""
        ...

    def kind_of(self, conversation_id: str) -> Kind | None:
        """Return the kind of a conversation; None if it is not known."""
        ...

    def put(self, kind: Kind, id_: str, record: dict[str, Any]) -> None:
        """Store a record; one with the same id is replaced in its place."""
        ...

    def delete(self, kind: Kind, id_: str) -> None:
        """Remove a record, but not its messages."""
        ...

    def delete_all(self, kind: Kind) -> None:
        """Remove all records of a kind, and the messages of these conversations."""
        ...

    def clear(self) -> None:
        """Remove everything, including notes."""
        ...

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        """Return the history of a conversation, oldest first."""
        ...

    def message(self, conversation_id: str, ts: str) -> dict[str, Any] | None:
        """Return one message; None if it is not there."""
        ...

    def count_unread(self, conversation_id: str, last_read: str, self_id: str | None) -> int:
        """Count the unread messages of a conversation, by `is_unread`."""
        ...

    def append(self, conversation_id: str, message: dict[str, Any]) -> None:
        """Append a message, unless one with its timestamp is there; drop the oldest beyond the maximum."""
        ...

    def replace(self, conversation_id: str, message: dict[str, Any]) -> None:
        """Replace the message with the same timestamp, if there is one."""
        ...

    def remove(self, conversation_id: str, ts: str) -> None:
        """Remove a message, if it is there."""
        ...

    def forget(self, conversation_id: str) -> None:
        """Remove all messages of a conversation."""
        ...
