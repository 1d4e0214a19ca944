"""The tables that a store keeps, as the rules see them: plain, synchronous, the same in memory and in SQLite.

A record is the JSON object as Slack sends it. Who gets one from a table must not change it: the rules put a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

__all__ = ["CONVERSATION_KINDS", "KINDS", "NEVER", "Field", "Kind", "Tables", "field_of", "is_unread"]

Kind = Literal["user", "channel", "group", "dm", "bot", "team"]
Field = Literal["name", "email", "bot_id", "user"]

CONVERSATION_KINDS: tuple[Kind, ...] = ("channel", "group", "dm")
KINDS: tuple[Kind, ...] = ("user", *CONVERSATION_KINDS, "bot", "team")

#: The `last_read` of a conversation in which nothing was read.
NEVER = "0000000000.000000"


def field_of(record: Mapping[str, Any], field: Field) -> str | None:
    """Give what a record is found by; None when it has none."""
    if field in ("email", "bot_id"):
        record = record.get("profile") or {}
    value = record.get(field)
    return value if isinstance(value, str) else None


def is_unread(message: Mapping[str, Any], last_read: str, self_id: str | None) -> bool:
    """Tell whether a message of the history counts as unread.

    Timestamps compare as strings, as everywhere in Slack's clients. The JavaScript original counts our own
    messages too; nobody has to read what he wrote himself.
    """
    if message["ts"] <= last_read or message.get("hidden"):
        return False
    return self_id is None or message.get("user") != self_id


class Tables(Protocol):
    """Keep records by kind and id, and the messages of each conversation in the order in which they came."""

    def note(self, name: str) -> str | None:
        """Give a note; None when there is none."""
        ...

    def set_note(self, name: str, value: str) -> None:
        """Keep a note: who we are ("self") and where ("team")."""
        ...

    def get(self, kind: Kind, id_: str) -> dict[str, Any] | None:
        """Give a record."""
        ...

    def find(self, kind: Kind, field: Field, value: str) -> dict[str, Any] | None:
        """Give the oldest record with this value in a field, see `field_of`."""
        ...

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Give all records of a kind, oldest first."""
        ...

    def kind_of(self, conversation_id: str) -> Kind | None:
        """Give the kind of a conversation; None when it is not known."""
        ...

    def put(self, kind: Kind, id_: str, record: dict[str, Any]) -> None:
        """Keep a record; one that is there already is replaced at its place."""
        ...

    def delete(self, kind: Kind, id_: str) -> None:
        """Forget a record, not its messages."""
        ...

    def delete_all(self, kind: Kind) -> None:
        """Forget all records of a kind, and the messages of these conversations."""
        ...

    def clear(self) -> None:
        """Forget all, notes too."""
        ...

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        """Give the history, oldest first."""
        ...

    def message(self, conversation_id: str, ts: str) -> dict[str, Any] | None:
        """Give one message."""
        ...

    def count_unread(self, conversation_id: str, last_read: str, self_id: str | None) -> int:
        """Count by `is_unread`."""
        ...

    def append(self, conversation_id: str, message: dict[str, Any]) -> None:
        """Add a message at the end, unless one with its timestamp is there; drop the oldest beyond the bound."""
        ...

    def replace(self, conversation_id: str, message: dict[str, Any]) -> None:
        """Put a message in the place of the one with its timestamp; nothing when there is none."""
        ...

    def remove(self, conversation_id: str, ts: str) -> None:
        """Remove a message; nothing when it is not there."""
        ...

    def forget(self, conversation_id: str) -> None:
        """Remove all messages of a conversation."""
        ...
