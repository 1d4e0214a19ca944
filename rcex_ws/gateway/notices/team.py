"""The notifications of team messaging, to the members of a chat, under its present and its older filters.

Used by `api/team` and by the commands. Bodies: RingCentral's definitions of GlipPostEvent and GlipGroupsEvent. Only who
has joined a chat gets GroupJoined, only who has left it GroupLeft; the others get GroupChanged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from rcex_ws.gateway.account.team.chats import TeamChat
from rcex_ws.gateway.account.team.posts import TeamPost
from rcex_ws.gateway.core import Body, GatewayCore
from rcex_ws.gateway.filters import EventFilter

__all__ = ["group_body", "join", "leave", "post_in", "tell_group", "tell_post", "tell_removal"]

_POSTS = ("/team-messaging/v1/posts", "/restapi/v1.0/glip/posts")
_GROUPS = ("/team-messaging/v1/chats", "/team-messaging/v1/groups", "/restapi/v1.0/glip/groups")
"""RingCentral's documentation names all three; which of them it grants, is not known."""

_OLDER_TYPES = {
    "Personal": "PersonalChat",
    "Direct": "PrivateChat",
    "Group": "Group",
    "Team": "Team",
    "Everyone": "Team",
}

GroupEvent = Literal["GroupJoined", "GroupLeft", "GroupChanged", "GroupRenamed"]


def group_body(core: GatewayCore, chat: TeamChat) -> dict[str, Any]:
    """Return the JSON form of a chat in notifications, and in answers of the older paths."""
    team = {"name": chat.name, "description": chat.description, "status": "Archived" if chat.is_archived else "Active"}
    return {
        "id": chat.id,
        "type": _OLDER_TYPES[chat.type],
        **(team if chat.type in ("Team", "Everyone") else {}),
        "isPublic": chat.is_public,
        "members": core.team.chats.members(chat),
        "creationTime": chat.created,
        "lastModifiedTime": chat.changed,
    }


def post_in(core: GatewayCore, chat: TeamChat, creator_id: str, text: str = "", **details: Any) -> TeamPost:
    """Add a post to a chat and tell its members; for the details see `TeamPosts.add`."""
    post = core.team.posts.add(chat.id, creator_id, text, **details)
    core.team.chats.note_post(chat)
    tell_post(core, chat, post, "PostAdded")
    return post


def tell_post(core: GatewayCore, chat: TeamChat, post: TeamPost, event: Literal["PostAdded", "PostChanged"]) -> None:
    """Tell the members of a chat of a new or changed post; its author is told, too."""

    def body(_: EventFilter, server: str) -> Mapping[str, Any]:
        return core.team.post_body(post, server) | {"eventType": event}

    _tell(core, _POSTS, body, core.team.chats.members(chat))


def tell_removal(core: GatewayCore, chat: TeamChat, post: TeamPost) -> None:
    """Tell the members of a chat that a post is gone: only its id is said."""
    _tell(core, _POSTS, {"id": post.id, "eventType": "PostRemoved"}, core.team.chats.members(chat))


def tell_group(core: GatewayCore, chat: TeamChat, event: GroupEvent, audience: Collection[str]) -> None:
    """Tell these people what has happened to a chat."""
    _tell(core, _GROUPS, group_body(core, chat) | {"eventType": event}, audience)


def join(core: GatewayCore, chat: TeamChat, ids: Sequence[str], by: str) -> None:
    """Let people into a team, with the post that says so; who is in it already is passed over."""
    before = core.team.chats.members(chat)
    new = [one for one in dict.fromkeys(ids) if one not in before]
    if not new:
        return
    chat.members = sorted([*before, *new])
    core.team.chats.note_change(chat)
    tell_group(core, chat, "GroupJoined", new)
    tell_group(core, chat, "GroupChanged", before)
    if new == [by]:
        post_in(core, chat, by, kind="PersonJoined")
    else:
        post_in(core, chat, by, kind="PersonsAdded", added_ids=new)


def leave(core: GatewayCore, chat: TeamChat, ids: Sequence[str]) -> None:
    """Let people out of a team; who is not in it is passed over."""
    gone = [one for one in dict.fromkeys(ids) if one in chat.members]
    if not gone:
        return
    chat.members = [one for one in chat.members if one not in gone]
    chat.favorite_of = [one for one in chat.favorite_of if one not in gone]
    core.team.chats.note_change(chat)
    tell_group(core, chat, "GroupLeft", gone)
    tell_group(core, chat, "GroupChanged", chat.members)


def _tell(core: GatewayCore, events: Sequence[str], body: Body, audience: Collection[str]) -> None:
    for event in events:
        core.publish(event, body, audience=audience)
