"""Chats of every type, conversations, everyone's chat, recent and favorite chats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from rcex_ws.gateway.account.team.chats import ChatType, TeamChat
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import (
    MemberRef,
    PageOfTeam,
    TeamArea,
    chat_named,
    find_persons,
    own_chat,
    page_of,
    refuse_access,
)
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.team import tell_group
from rcex_ws.gateway.problem import Problem

__all__ = ["area", "chat_body", "list_of_chats", "readable_chat"]

_MOST_IN_CONVERSATION = 16
"""15 besides the caller (RingCentral's API reference of "Create Conversation")."""

area = TeamArea()


class ChatQuery(PageOfTeam, rename="camel"):
    """Which chats to list."""

    type: list[ChatType] = field(default_factory=list[ChatType])


class RecentQuery(Struct, rename="camel"):
    """Which chats to list, those with the newest posts first."""

    type: list[ChatType] = field(default_factory=list[ChatType])
    record_count: Annotated[int, Meta(ge=1, le=250)] = 30


class ConversationMembers(Struct):
    """With whom to talk."""

    members: Annotated[list[MemberRef], Meta(max_length=_MOST_IN_CONVERSATION)] = []


class NamesOfEveryone(Struct):
    """The new name and description of everyone's chat."""

    name: Annotated[str, Meta(min_length=1, max_length=250)] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET


@area.get("/chats")
def list_chats(ask: Ask[ChatQuery, None]) -> Json:
    """List the chats of the caller, newest first."""
    return list_of_chats(ask, ask.query.type)


@area.get("/chats/{chatId}")
def read_chat(ask: Ask[None, None]) -> Json:
    """Read a chat; one that the caller is not in only if it is a public team."""
    return chat_body(ask.core, readable_chat(ask))


@area.get("/recent/chats")
def list_recent_chats(ask: Ask[RecentQuery, None]) -> Json:
    """List the chats of the caller, those with the newest posts first."""
    found = ask.core.team.chats.of(ask.caller.id, ask.query.type)
    found.sort(key=lambda chat: chat.active, reverse=True)
    return {"records": [chat_body(ask.core, chat) for chat in found[: ask.query.record_count]]}


@area.get("/favorites")
def list_favorite_chats(ask: Ask[PageOfTeam, None]) -> Json:
    """List the favorite chats of the caller."""
    mine = [one for one in ask.core.team.chats.of(ask.caller.id) if ask.caller.id in one.favorite_of]
    return {"records": [chat_body(ask.core, chat) for chat in mine[: ask.query.record_count]]}


@area.post("/chats/{chatId}/favorite")
def add_favorite_chat(ask: Ask[None, None]) -> None:
    """Put a chat among the favorites of the caller."""
    chat = own_chat(ask)
    if ask.caller.id not in chat.favorite_of:
        chat.favorite_of = [*chat.favorite_of, ask.caller.id]


@area.post("/chats/{chatId}/unfavorite")
def remove_favorite_chat(ask: Ask[None, None]) -> None:
    """Take a chat from the favorites of the caller."""
    chat = own_chat(ask)
    chat.favorite_of = [one for one in chat.favorite_of if one != ask.caller.id]


@area.get("/conversations")
def list_conversations(ask: Ask[PageOfTeam, None]) -> Json:
    """List the conversations of the caller, newest first."""
    return list_of_chats(ask, ("Personal", "Direct", "Group"))


@area.post("/conversations")
def open_conversation(ask: Ask[None, ConversationMembers]) -> Json:
    """Return the conversation of the caller with these people, which is made when it is first asked for."""
    members = {*find_persons(ask, ask.body.members), ask.caller.id}
    if len(members) > _MOST_IN_CONVERSATION:
        raise Problem(400, "CMN-101", "Parameter [members] value is invalid")
    before = ask.core.team.chats.of(ask.caller.id)
    chat = ask.core.team.chats.conversation(sorted(members))
    if chat not in before:
        tell_group(ask.core, chat, "GroupJoined", chat.members)
    return chat_body(ask.core, chat)


@area.get("/conversations/{chatId}")
def read_conversation(ask: Ask[None, None]) -> Json:
    """Read a conversation."""
    return chat_body(ask.core, own_chat(ask, None, "Personal", "Direct", "Group"))


@area.get("/everyone")
def read_everyone(ask: Ask[None, None]) -> Json:
    """Read everyone's chat."""
    return chat_body(ask.core, ask.core.team.chats.everyone, with_members=False)


@area.patch("/everyone")
def change_everyone(ask: Ask[None, NamesOfEveryone]) -> Json:
    """Change the name or the description of everyone's chat."""
    chat, body = ask.core.team.chats.everyone, ask.body
    event: Literal["GroupRenamed", "GroupChanged"] = "GroupChanged" if body.name is UNSET else "GroupRenamed"
    chat.name = chat.name if isinstance(body.name, UnsetType) else body.name
    chat.description = chat.description if isinstance(body.description, UnsetType) else body.description
    ask.core.team.chats.note_change(chat)
    tell_group(ask.core, chat, event, ask.core.team.chats.members(chat))
    return chat_body(ask.core, chat, with_members=False)


def list_of_chats(ask: Ask[Any, Any], types: Sequence[str], *, with_members: bool = True) -> dict[str, Any]:
    """Return a page of the caller's chats of these types; the query is a `PageOfTeam`."""
    page, navigation = page_of(ask.core.team.chats.of(ask.caller.id, types), ask.query)
    records = [chat_body(ask.core, chat, with_members=with_members) for chat in page]
    return {"records": records, "navigation": navigation}


def readable_chat(ask: Ask[Any, Any]) -> TeamChat:
    """Return the chat in the path: one that the caller is in, or a public team.

    Raises:
        Problem: 404 CMN-102 for an unknown chat, 403 for one of others.
    """
    chat = chat_named(ask, ask.path["chatId"])
    if not chat.is_public and not ask.core.team.chats.has_member(chat, ask.caller.id):
        raise refuse_access("The user is not a member of the chat")
    return chat


def chat_body(core: GatewayCore, chat: TeamChat, *, with_members: bool = True) -> dict[str, Any]:
    """Return the JSON form of a chat."""
    body: dict[str, Any] = {"id": chat.id, "type": chat.type}
    if chat.type in ("Team", "Everyone"):
        body |= {"name": chat.name, "description": chat.description}
    if chat.type == "Team":
        body |= {"public": chat.is_public, "status": "Archived" if chat.is_archived else "Active"}
    body |= {"creationTime": chat.created, "lastModifiedTime": chat.changed}
    return body | {"members": [{"id": one} for one in core.team.chats.members(chat)]} if with_members else body
