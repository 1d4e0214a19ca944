"""One change of the model: what rules may do to the tables, with the checks that keep the model consistent.

Used by the built-in rules, by rules that an application registers, and by the store's own `set`, `upsert`, `remove`.
"""

from __future__ import annotations

from typing import Any

from rcex_ws.slack.store.fields import Fields
from rcex_ws.slack.store.tables import CONVERSATION_KINDS, Kind, Tables

__all__ = ["StoreChange"]


class StoreChange:
    """An atomic change of the model.

    Args:
        tables: the tables to change.
        self_id: the id of our own user; None if it is not known.
        team_id: the id of the team we are connected to; None if it is not known.

    Attributes:
        tables: as given, for what has no method here.
        typing: (conversation, user) for each user who started to type; the store keeps them outside the tables.
    """

    def __init__(self, tables: Tables, *, self_id: str | None, team_id: str | None) -> None:
        self.tables = tables
        self.self_id = self_id
        self.team_id = team_id
        self.typing: list[tuple[str, str]] = []

    def conversation(self, id_: str) -> tuple[Kind, dict[str, Any]] | None:
        """Return the kind and the record of a channel, group or dm; None if it is not known."""
        kind = self.tables.kind_of(id_)
        record = None if kind is None else self.tables.get(kind, id_)
        return None if kind is None or record is None else (kind, record)

    def set(self, kind: Kind, record: Fields) -> None:
        """Replace the record with this id, or add it; the history of a conversation is cleared."""
        id_ = _check_record(kind, record)
        if kind in CONVERSATION_KINDS:
            self._pop_other_kind(kind, id_)
            self.tables.forget(id_)
        self.tables.put(kind, id_, record.data)
        self._keep_latest(kind, id_, record)

    def upsert(self, kind: Kind, record: Fields) -> None:
        """Merge a record into the one with its id, property by property, or add it."""
        id_ = _check_record(kind, record)
        known = self.tables.get(kind, id_)
        if known is None and kind in CONVERSATION_KINDS:
            known = self._pop_other_kind(kind, id_)
        self.tables.put(kind, id_, record.data if known is None else {**known, **record.data})
        self._keep_latest(kind, id_, record)

    def update(self, kind: Kind, id_: str | None, **properties: object) -> None:
        """Set properties of a record, if it is known."""
        record = None if id_ is None else self.tables.get(kind, id_)
        if id_ is not None and record is not None:
            self.tables.put(kind, id_, {**record, **properties})

    def update_conversation(self, id_: str, **properties: object) -> None:
        """Set properties of a channel, group or dm, if it is known."""
        kind = self.tables.kind_of(id_)
        if kind is not None:
            self.update(kind, id_, **properties)

    def set_pref(self, kind: Kind, id_: str | None, name: str, value: object) -> None:
        """Set one preference of a user or team, if it is known."""
        record = None if id_ is None else self.tables.get(kind, id_)
        if record is not None:
            prefs: dict[str, Any] = record.get("prefs") or {}
            self.update(kind, id_, prefs={**prefs, name: value})

    def remove(self, kind: Kind, id_: str) -> None:
        """Remove a record, and the messages of a conversation with it, if it is known."""
        if self.tables.get(kind, id_) is None:
            return
        self.tables.delete(kind, id_)
        if kind in CONVERSATION_KINDS:
            self.tables.forget(id_)

    def add_member(self, conversation_id: str, user_id: str | None) -> None:
        """Add a member to a conversation, unless present; set `is_member` if it is our own user."""
        known = self.conversation(conversation_id)
        if known is not None and user_id is not None:
            kind, record = known
            members: list[str] = record.get("members") or []
            if user_id not in members:
                self.update(kind, conversation_id, members=[*members, user_id])
            if user_id == self.self_id:
                self.update(kind, conversation_id, is_member=True)

    def remove_member(self, conversation_id: str, user_id: str | None) -> None:
        """Remove a member from a conversation, if present; clear `is_member` if it is our own user."""
        known = self.conversation(conversation_id)
        if known is not None and user_id is not None:
            kind, record = known
            members: list[str] = record.get("members") or []
            if user_id in members:
                self.update(kind, conversation_id, members=[one for one in members if one != user_id])
            if user_id == self.self_id:
                self.update(kind, conversation_id, is_member=False)

    def add_message(self, conversation_id: str, message: Fields) -> None:
        """Append a message to the history of a known conversation, unless one with its timestamp is there."""
        check_message(message)
        if self.tables.kind_of(conversation_id) is not None:
            self.tables.append(conversation_id, message.data)

    def merge_message(self, conversation_id: str, message: Fields) -> None:
        """Merge a message into the one with its timestamp, if there is one."""
        check_message(message)
        known = self.tables.message(conversation_id, message.key("ts"))
        if known is not None:
            self.tables.replace(conversation_id, {**known, **message.data})

    def replace_message(self, conversation_id: str, message: Fields) -> None:
        """Replace the message with the same timestamp, if there is one."""
        check_message(message)
        self.tables.replace(conversation_id, message.data)

    def _pop_other_kind(self, kind: Kind, id_: str) -> dict[str, Any] | None:
        """Remove and return the record of a conversation of another kind (Slack turns channels into groups)."""
        former = self.tables.kind_of(id_)
        if former is None or former == kind:
            return None
        record = self.tables.get(former, id_)
        self.tables.delete(former, id_)
        return record

    def _keep_latest(self, kind: Kind, id_: str, record: Fields) -> None:
        # With the option simple_latest of rtm.start it is only a timestamp.
        if kind in CONVERSATION_KINDS and not isinstance(record.data.get("latest"), str):
            latest = record.optional_nested("latest")
            if latest is not None:
                self.add_message(id_, latest)


def check_message(message: Fields) -> None:
    """Check the fields of a message that the model relies on.

    Raises:
        DataStoreError: a field is missing or of the wrong type.
    """
    message.key("ts")
    message.optional_text("user")
    message.optional_text("subtype")
    if "reactions" in message.data:
        for reaction in message.each("reactions"):
            reaction.text("name")
            reaction.number("count")
            reaction.keys("users")


def _check_record(kind: Kind, record: Fields) -> str:
    """Check the properties of a record that the model relies on; return its id."""
    record.optional_text("name")
    if kind == "user":
        profile = record.optional_nested("profile")
        if profile is not None:
            profile.optional_text("email")
            profile.optional_text("bot_id")
    if kind in ("user", "team"):
        record.optional_nested("prefs")
    if kind in CONVERSATION_KINDS:
        record.optional_text("user")
        record.optional_key("last_read")
        if record.data.get("members") is not None:
            record.data["members"] = record.keys("members")  # a copy of the caller's, see `copy_json`
    return record.key("id")
