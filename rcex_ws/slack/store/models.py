"""What queries return: snapshots of users, conversations, bots and teams, without behaviour or a link to the store.

Each is a read-only mapping of all properties as Slack sent them, with the well-known ones as typed attributes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from rcex_ws.slack.store.tables import NEVER, Kind, field_of, is_unread

__all__ = ["BotInfo", "Channel", "Record", "Team", "User"]


class Record(Mapping[str, Any]):
    """An object of Slack's API, as it was at the time of the query.

    Nested objects are shared with the store: do not change them, except in what `to_dict` returns.
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
        """The id that Slack gave it."""
        return str(self._properties["id"])

    @property
    def name(self) -> str | None:
        """The short name, without # or @; None for direct messages."""
        return self._text("name")

    def to_dict(self) -> dict[str, Any]:
        """Return a deep copy of the properties."""
        return copy.deepcopy(dict(self._properties))

    def _text(self, name: str) -> str | None:
        value = self._properties.get(name)
        return value if isinstance(value, str) else None

    def _flag(self, name: str) -> bool:
        return bool(self._properties.get(name))

    def _object(self, name: str) -> Mapping[str, Any]:
        return self._properties.get(name) or {}


class User(Record):
    """A member of the team; `prefs` are known only for our own user."""

    @property
    def real_name(self) -> str | None:
        """The full name."""
        return self._text("real_name")

    @property
    def presence(self) -> str | None:
        """The presence, "active" or "away"; None if it is not known."""
        return self._text("presence")

    @property
    def email(self) -> str | None:
        """The e-mail address in the profile."""
        return field_of(self, "email")

    @property
    def bot_id(self) -> str | None:
        """The id of the bot behind a bot user."""
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
        """The profile; empty if it is not known."""
        return self._object("profile")

    @property
    def prefs(self) -> Mapping[str, Any]:
        """The preferences; empty if they are not known."""
        return self._object("prefs")


class BotInfo(Record):
    """A bot: an integration that posts messages."""

    @property
    def deleted(self) -> bool:
        """Whether it was removed."""
        return self._flag("deleted")

    @property
    def icons(self) -> Mapping[str, Any]:
        """Its icons by size."""
        return self._object("icons") if isinstance(self.get("icons"), dict) else {}


class Team(Record):
    """A workspace."""

    @property
    def domain(self) -> str | None:
        """The first label of its host name."""
        return self._text("domain")

    @property
    def url(self) -> str | None:
        """Its URL; known only after it has changed."""
        return self._text("url")

    @property
    def prefs(self) -> Mapping[str, Any]:
        """The preferences; empty if they are not known."""
        return self._object("prefs")


class Channel(Record):
    """A conversation: public channel, private group, direct message, or multi-person direct message.

    The item "unread_count" of the mapping is what Slack once sent; the attribute is counted from the history.

    Args:
        properties: as Slack sent them.
        kind: the kind under which the store keeps it.
        history: its messages, as far as the store has them, in the order of arrival.
        self_id: the id of our own user.

    Attributes:
        history: as given; each message is the JSON object that Slack sent, with its current reactions.
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
        """The type of the conversation."""
        if self._kind == "dm":
            return "dm"
        if self._flag("is_mpim"):
            return "mpdm"
        return "group" if self._kind == "group" else "channel"

    @property
    def user(self) -> str | None:
        """The id of the other user in a direct message."""
        return self._text("user")

    @property
    def members(self) -> tuple[str, ...]:
        """The ids of the members, without duplicates; empty if they are not known."""
        return tuple(self._properties.get("members") or ())

    @property
    def is_archived(self) -> bool:
        """Whether it is archived, so that nobody can write any more."""
        return self._flag("is_archived")

    @property
    def is_member(self) -> bool:
        """Whether our own user is a member."""
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
        """The number of messages in the history after `last_read`, except hidden ones and our own."""
        return sum(is_unread(message, self.last_read, self._self_id) for message in self.history)

    @cached_property
    def latest(self) -> Mapping[str, Any] | None:
        """The newest message of the history that is not hidden; None if there is none."""
        return max((one for one in self.history if not one.get("hidden")), key=lambda one: one["ts"], default=None)

    def message(self, ts: str) -> Mapping[str, Any] | None:
        """Return the message of the history with this timestamp; None if there is none."""
        return next((one for one in self.history if one["ts"] == ts), None)
