"""The queries of a store: one record, by id or another field, or all of a kind. None if there is none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rcex_ws.options import checked
from rcex_ws.slack.store.models import BotInfo, Channel, Team, User
from rcex_ws.slack.store.tables import CONVERSATION_KINDS, NEVER, Field, Kind, Tables

__all__ = ["Queries"]

T = TypeVar("T")


class Queries(ABC):
    """The queries of a store; every result is a snapshot."""

    @abstractmethod
    async def read(self, work: Callable[[Tables], T]) -> T:
        """Run work that only reads, on tables that do not change meanwhile; return its result."""

    @checked
    async def user(self, id_: str) -> User | None:
        """Return a user."""
        return await self.read(lambda tables: _user(tables.get("user", id_)))

    @checked
    async def user_by_name(self, name: str) -> User | None:
        """Return a user by short name."""
        return await self.read(lambda tables: _user(tables.find("user", "name", name)))

    @checked
    async def user_by_email(self, email: str) -> User | None:
        """Return a user by the e-mail address in the profile."""
        return await self.read(lambda tables: _user(tables.find("user", "email", email)))

    @checked
    async def user_by_bot_id(self, bot_id: str) -> User | None:
        """Return the bot user of a bot."""
        return await self.read(lambda tables: _user(tables.find("user", "bot_id", bot_id)))

    async def users(self) -> list[User]:
        """Return all users."""
        return await self.read(lambda tables: [User(record) for record in tables.all("user")])

    @checked
    async def channel(self, id_: str) -> Channel | None:
        """Return a public channel."""
        return await self.read(lambda tables: _conversation(tables, "channel", tables.get("channel", id_)))

    @checked
    async def channel_by_name(self, name: str) -> Channel | None:
        """Return a public channel by name, with or without #."""
        return await self.read(lambda tables: _find_conversation(tables, "channel", "name", name.removeprefix("#")))

    async def channels(self) -> list[Channel]:
        """Return all public channels."""
        return await self.read(lambda tables: _conversations(tables, "channel"))

    @checked
    async def group(self, id_: str) -> Channel | None:
        """Return a private group, or a multi-person direct message."""
        return await self.read(lambda tables: _conversation(tables, "group", tables.get("group", id_)))

    @checked
    async def group_by_name(self, name: str) -> Channel | None:
        """Return a private group by name."""
        return await self.read(lambda tables: _find_conversation(tables, "group", "name", name))

    async def groups(self) -> list[Channel]:
        """Return all private groups and multi-person direct messages."""
        return await self.read(lambda tables: _conversations(tables, "group"))

    @checked
    async def dm(self, id_: str) -> Channel | None:
        """Return a direct message."""
        return await self.read(lambda tables: _conversation(tables, "dm", tables.get("dm", id_)))

    @checked
    async def dm_by_name(self, name: str) -> Channel | None:
        """Return the direct message with the user of this name."""

        def work(tables: Tables) -> Channel | None:
            user = tables.find("user", "name", name)
            return None if user is None else _find_conversation(tables, "dm", "user", user["id"])

        return await self.read(work)

    @checked
    async def dm_by_user_id(self, user_id: str) -> Channel | None:
        """Return the direct message with a user."""
        return await self.read(lambda tables: _find_conversation(tables, "dm", "user", user_id))

    async def dms(self) -> list[Channel]:
        """Return all direct messages."""
        return await self.read(lambda tables: _conversations(tables, "dm"))

    @checked
    async def conversation(self, id_: str) -> Channel | None:
        """Return a channel, group or direct message."""

        def work(tables: Tables) -> Channel | None:
            kind = tables.kind_of(id_)
            return None if kind is None else _conversation(tables, kind, tables.get(kind, id_))

        return await self.read(work)

    @checked
    async def conversation_by_name(self, name: str) -> Channel | None:
        """Return a channel, or otherwise a group, by name."""

        def work(tables: Tables) -> Channel | None:
            channel = _find_conversation(tables, "channel", "name", name.removeprefix("#"))
            return channel or _find_conversation(tables, "group", "name", name)

        return await self.read(work)

    @checked
    async def bot(self, id_: str) -> BotInfo | None:
        """Return a bot."""
        return await self.read(lambda tables: _bot(tables.get("bot", id_)))

    @checked
    async def bot_by_name(self, name: str) -> BotInfo | None:
        """Return a bot by name."""
        return await self.read(lambda tables: _bot(tables.find("bot", "name", name)))

    @checked
    async def bot_by_user_id(self, user_id: str) -> BotInfo | None:
        """Return the bot behind a bot user."""

        def work(tables: Tables) -> BotInfo | None:
            user = _user(tables.get("user", user_id))
            return None if user is None or user.bot_id is None else _bot(tables.get("bot", user.bot_id))

        return await self.read(work)

    async def bots(self) -> list[BotInfo]:
        """Return all bots."""
        return await self.read(lambda tables: [BotInfo(record) for record in tables.all("bot")])

    @checked
    async def team(self, id_: str) -> Team | None:
        """Return a team."""

        def work(tables: Tables) -> Team | None:
            record = tables.get("team", id_)
            return None if record is None else Team(record)

        return await self.read(work)

    async def teams(self) -> list[Team]:
        """Return all teams: normally only the one we are connected to."""
        return await self.read(lambda tables: [Team(record) for record in tables.all("team")])

    @checked
    async def history(self, conversation_id: str) -> list[Mapping[str, Any]]:
        """Return the messages of a conversation, in the order of arrival; none if it is not known."""
        return await self.read(lambda tables: list[Mapping[str, Any]](tables.messages(conversation_id)))

    @checked
    async def message(self, conversation_id: str, ts: str) -> Mapping[str, Any] | None:
        """Return one message."""
        return await self.read(lambda tables: tables.message(conversation_id, ts))

    async def unread_count(self) -> int:
        """Count the unread messages of all conversations."""

        def work(tables: Tables) -> int:
            self_id = tables.note("self")
            return sum(
                tables.count_unread(record["id"], record.get("last_read") or NEVER, self_id)
                for kind in CONVERSATION_KINDS
                for record in tables.all(kind)
            )

        return await self.read(work)


def _user(record: Mapping[str, Any] | None) -> User | None:
    return None if record is None else User(record)


def _bot(record: Mapping[str, Any] | None) -> BotInfo | None:
    return None if record is None else BotInfo(record)


def _conversation(tables: Tables, kind: Kind, record: Mapping[str, Any] | None) -> Channel | None:
    if record is None:
        return None
    return Channel(record, kind, tables.messages(record["id"]), tables.note("self"))


def _find_conversation(tables: Tables, kind: Kind, field: Field, value: str) -> Channel | None:
    return _conversation(tables, kind, tables.find(kind, field, value))


def _conversations(tables: Tables, kind: Kind) -> list[Channel]:
    self_id = tables.note("self")
    return [Channel(record, kind, tables.messages(record["id"]), self_id) for record in tables.all(kind)]
