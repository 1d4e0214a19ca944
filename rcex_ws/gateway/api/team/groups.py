"""Chats in their older form: `/restapi/v1.0/glip/groups`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.api.team.area import MemberRefs, PageOfTeam, find_persons, page_of
from rcex_ws.gateway.api.team.chats import readable_chat
from rcex_ws.gateway.notices.team import group_body, tell_group

__all__ = ["area"]

_GROUPS = "/restapi/v1.0/glip/groups"

area = RestArea("Team Messaging", permission="TeamMessaging")


class NewGroup(Struct, rename="camel"):
    """A team or a conversation to make."""

    type: Literal["PrivateChat", "Group", "Team", "PersonalChat"]
    name: Annotated[str, Meta(min_length=1, max_length=250)] = "Team"
    description: Annotated[str, Meta(max_length=1000)] = ""
    is_public: bool = False
    members: MemberRefs = []


@area.get(_GROUPS)
def list_groups(ask: Ask[PageOfTeam, None]) -> Json:
    """List the chats of the caller in their older form, newest first."""
    page, navigation = page_of(ask.core.team.chats.of(ask.caller.id), ask.query)
    return {"records": [group_body(ask.core, chat) for chat in page], "navigation": navigation}


@area.post(_GROUPS, status=201)
def create_group(ask: Ask[None, NewGroup]) -> Json:
    """Make a team, or return the conversation of these people."""
    body, chats = ask.body, ask.core.team.chats
    members = [*find_persons(ask, body.members), ask.caller.id]
    if body.type == "Team":
        chat = chats.add_team(members, body.name, body.description, is_public=body.is_public)
    else:
        chat = chats.conversation(members)
    tell_group(ask.core, chat, "GroupJoined", chat.members)
    return group_body(ask.core, chat)


@area.get(f"{_GROUPS}/{{chatId}}")
def read_group(ask: Ask[None, None]) -> Json:
    """Read a chat in its older form."""
    return group_body(ask.core, readable_chat(ask))
