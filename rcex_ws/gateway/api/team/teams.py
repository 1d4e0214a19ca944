"""Teams: made, changed, archived and deleted by their members; who is let in and out."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rcex_ws.gateway.account.team.chats import TeamChat
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import (
    MemberRefs,
    PageOfTeam,
    TeamArea,
    chat_named,
    find_persons,
    own_chat,
    refuse_access,
)
from rcex_ws.gateway.api.team.chats import chat_body, list_of_chats
from rcex_ws.gateway.notices.team import join, leave, tell_group

__all__ = ["area"]

_Name = Annotated[str, Meta(min_length=1, max_length=250)]
_Description = Annotated[str, Meta(max_length=1000)]

area = TeamArea()


class NewTeam(Struct):
    """A team to make."""

    name: _Name
    public: bool = False
    description: _Description = ""
    members: MemberRefs = []


class TeamChange(Struct):
    """What to change of a team."""

    name: _Name | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    description: _Description | UnsetType = UNSET


class TeamMembers(Struct):
    """Whom to let in or out."""

    members: MemberRefs


@area.get("/teams")
def list_teams(ask: Ask[PageOfTeam, None]) -> Json:
    """List the teams of the caller, newest first."""
    return list_of_chats(ask, ("Team",), with_members=False)


@area.post("/teams", status=201)
def create_team(ask: Ask[None, NewTeam]) -> Json:
    """Make a team, which the caller is in."""
    body, chats = ask.body, ask.core.team.chats
    members = [*find_persons(ask, body.members), ask.caller.id]
    team = chats.add_team(members, body.name, body.description, is_public=body.public)
    tell_group(ask.core, team, "GroupJoined", team.members)
    return chat_body(ask.core, team, with_members=False)


@area.get("/teams/{chatId}")
def read_team(ask: Ask[None, None]) -> Json:
    """Read a team."""
    team = chat_named(ask, ask.path["chatId"], "chatId", "Team")
    if not team.is_public and ask.caller.id not in team.members:
        raise refuse_access("The user is not a member of the chat")
    return chat_body(ask.core, team, with_members=False)


@area.patch("/teams/{chatId}")
def change_team(ask: Ask[None, TeamChange]) -> Json:
    """Change the name, the description or the access of a team."""
    team, body = _own_team(ask), ask.body
    event: Literal["GroupRenamed", "GroupChanged"] = "GroupChanged"
    if not isinstance(body.name, UnsetType):
        event = "GroupRenamed"
        team.name = body.name
    if not isinstance(body.public, UnsetType):
        team.is_public = body.public
    if not isinstance(body.description, UnsetType):
        team.description = body.description
    _tell_change(ask, team, event)
    return chat_body(ask.core, team, with_members=False)


@area.delete("/teams/{chatId}")
def delete_team(ask: Ask[None, None]) -> None:
    """Delete a team with all that is in it."""
    team = _own_team(ask)
    ask.core.team.delete_chat(team)
    tell_group(ask.core, team, "GroupLeft", team.members)


@area.post("/teams/{chatId}/archive")
def archive_team(ask: Ask[None, None]) -> None:
    """Archive a team, which then takes no posts."""
    _archive(ask, is_archived=True)


@area.post("/teams/{chatId}/unarchive")
def unarchive_team(ask: Ask[None, None]) -> None:
    """Make an archived team active again."""
    _archive(ask, is_archived=False)


@area.post("/teams/{chatId}/add")
def add_members(ask: Ask[None, TeamMembers]) -> None:
    """Let people into a team."""
    team = _own_team(ask)
    join(ask.core, team, find_persons(ask, ask.body.members), ask.caller.id)


@area.post("/teams/{chatId}/remove")
def remove_members(ask: Ask[None, TeamMembers]) -> None:
    """Let people out of a team."""
    team = _own_team(ask)
    leave(ask.core, team, find_persons(ask, ask.body.members))


@area.post("/teams/{chatId}/join")
def join_team(ask: Ask[None, None]) -> None:
    """Join a public team."""
    team = chat_named(ask, ask.path["chatId"], "chatId", "Team")
    if not team.is_public and ask.caller.id not in team.members:
        raise refuse_access("The team is private")
    join(ask.core, team, [ask.caller.id], ask.caller.id)


@area.post("/teams/{chatId}/leave")
def leave_team(ask: Ask[None, None]) -> None:
    """Leave a team."""
    leave(ask.core, _own_team(ask), [ask.caller.id])


def _own_team(ask: Ask[None, object]) -> TeamChat:
    return own_chat(ask, None, "Team")


def _archive(ask: Ask[None, None], *, is_archived: bool) -> None:
    team = _own_team(ask)
    team.is_archived = is_archived
    _tell_change(ask, team, "GroupChanged")


def _tell_change(ask: Ask[None, object], team: TeamChat, event: Literal["GroupRenamed", "GroupChanged"]) -> None:
    ask.core.team.chats.note_change(team)
    tell_group(ask.core, team, event, team.members)
