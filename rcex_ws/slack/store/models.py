"""What a store gives: snapshots of users, conversations, bots and teams. No behaviour, no way back into the store.

Each is a read-only mapping of the properties as Slack sent them - more than are named here - with the well-known ones
as typed attributes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from rcex_ws.slack.store.tables import NEVER, Kind, field_of, is_unread

__all__ = ["BotInfo", "Channel", "Record", "Team", "User"]


class Record(Mapping[str, Any]):
    """One object of Slack's API, as it was when it was asked for.

    Nested objects are shared with the store: read them, change them only in what `to_dict` gives.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._properties = properties

    def __getitem__(self, name: str) -> Any:
        return self._properties[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.name!r}>"

    @property
    def id(self) -> str:
        """Slack's id."""
        return str(self._properties["id"])

    @property
    def name(self) -> str | None:
        """The short name, without # or @; None for direct messages."""
        return self._text("name")

    def to_dict(self) -> dict[str, Any]:
        """Give a copy of the API's properties, and nothing else."""
        return copy.deepcopy(dict(self._properties))

    def _text(self, name: str) -> str | None:
        value = self._properties.get(name)
        return value if isinstance(value, str) else None

    def _flag(self, name: str) -> bool:
        return bool(self._properties.get(name))

    def _object(self, name: str) -> Mapping[str, Any]:
        return self._properties.get(name) or {}


class User(Record):
    """A member of the team; `prefs` are known of ourselves only."""

    @property
    def real_name(self) -> str | None:
        """The full name."""
        return self._text("real_name")

    @property
    def presence(self) -> str | None:
        """The presence, "active" or "away"; None when nobody said."""
        return self._text("presence")

    @property
    def email(self) -> str | None:
        """The address of the profile."""
        return field_of(self, "email")

    @property
    def bot_id(self) -> str | None:
        """The bot behind a bot user."""
        return field_of(self, "bot_id")

    @property
    def is_bot(self) -> bool:
        """Whether this is a bot user."""
        return self._flag("is_bot")

    @property
    def deleted(self) -> bool:
        """Whether the account is deactivated."""
        return self._flag("deleted")

    @property
    def profile(self) -> Mapping[str, Any]:
        """The profile; empty when it is not known."""
        return self._object("profile")

    @property
    def prefs(self) -> Mapping[str, Any]:
        """The preferences; empty when they are not known."""
        return self._object("prefs")


class BotInfo(Record):
    """An integration that posts."""

    @property
    def deleted(self) -> bool:
        """Whether it was removed."""
        return self._flag("deleted")

    @property
    def icons(self) -> Mapping[str, Any]:
        """Its pictures by size."""
        return self._object("icons") if isinstance(self.get("icons"), dict) else {}


class Team(Record):
    """A workspace."""

    @property
    def domain(self) -> str | None:
        """The first part of its host name."""
        return self._text("domain")

    @property
    def url(self) -> str | None:
        """Its address; known after it was changed."""
        return self._text("url")

    @property
    def prefs(self) -> Mapping[str, Any]:
        """The preferences; empty when they are not known."""
        return self._object("prefs")


class Channel(Record):
    """A conversation: public channel, private group, direct message, or direct message of several.

    The property `unread_count` of the mapping is what Slack sent once; the attribute is counted here.

    Args:
        properties: as Slack sent them.
        kind: under which the store keeps it.
        history: its messages as far as the store holds them, in the order in which they came.
        self_id: who we are.

    Attributes:
        history: see above; a message is the JSON object that Slack sent, with the reactions it has now.
    """

    def __init__(
        self, properties: Mapping[str, Any], kind: Kind, history: Sequence[Mapping[str, Any]], self_id: str | None
    ) -> None:
        super().__init__(properties)
        self._kind = kind
        self._self_id = self_id
        self.history = history

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channel):
            return NotImplemented
        return (self._kind, self._properties, self.history, self._self_id) == (
            other._kind,
            other._properties,
            other.history,
            other._self_id,
        )

    __hash__ = None  # type: ignore[assignment] # pyright: ignore[reportAssignmentType] - as for every mapping

    @property
    def type(self) -> Literal["channel", "group", "dm", "mpdm"]:
        """What kind of conversation it is."""
        if self._kind == "dm":
            return "dm"
        if self._flag("is_mpim"):
            return "mpdm"
        return "group" if self._kind == "group" else "channel"

    @property
    def user(self) -> str | None:
        """The id of the other one in a direct message."""
        return self._text("user")

    @property
    def members(self) -> tuple[str, ...]:
        """The ids of the members, each once; empty when they are not known."""
        return tuple(self._properties.get("members") or ())

    @property
    def is_archived(self) -> bool:
        """Whether nobody can write any more."""
        return self._flag("is_archived")

    @property
    def is_member(self) -> bool:
        """Whether we are in it."""
        return self._flag("is_member")

    @property
    def is_open(self) -> bool:
        """Whether a direct message or group is shown."""
        return self._flag("is_open")

    @property
    def last_read(self) -> str:
        """The timestamp up to which we have read."""
        return self._text("last_read") or NEVER

    @cached_property
    def unread_count(self) -> int:
        """How many messages of the history came after `last_read`, without hidden ones and our own."""
        return sum(is_unread(message, self.last_read, self._self_id) for message in self.history)

    @cached_property
    def latest(self) -> Mapping[str, Any] | None:
        """The newest message of the history that is not hidden."""
        return max((one for one in self.history if not one.get("hidden")), key=lambda one: one["ts"], default=None)

    def message(self, ts: str) -> Mapping[str, Any] | None:
        """Give the message of the history with this timestamp."""
        return next((one for one in self.history if one["ts"] == ts), None)
