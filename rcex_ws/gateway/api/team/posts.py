"""Posts of a chat, and the replies of a thread."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from rcex_ws.gateway.account.team.chats import TeamChat
from rcex_ws.gateway.account.team.posts import TeamPost
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import PageOfTeam, TeamArea, own_chat, page_of, refuse_access
from rcex_ws.gateway.notices.team import post_in, tell_post, tell_removal
from rcex_ws.gateway.problem import Problem

__all__ = ["area", "writable_chat"]

_POSTS = "/chats/{chatId}/posts"
_ONE = f"{_POSTS}/{{postId}}"
_Text = Annotated[str, Meta(max_length=10_000)]
"""RingCentral's API reference, of "Create Post"."""
_Id = Annotated[str, Meta(max_length=40)] | int
"""Clients send ids as numbers, too."""

area = TeamArea()


class NewPost(Struct, rename="camel"):
    """A post to write: a text, attachments or both."""

    text: _Text = ""
    attachments: Annotated[list[dict[str, Any]], Meta(max_length=25)] = []
    parent_post_id: _Id | None = None
    thread_id: _Id | None = None


class PostChange(Struct):
    """The new text of a post."""

    text: Annotated[_Text, Meta(min_length=1)]


@area.get(_POSTS)
def list_posts(ask: Ask[PageOfTeam, None]) -> Json:
    """List the posts in a chat, newest first."""
    return _page(ask, list(ask.core.team.posts.of(own_chat(ask).id)))


@area.get("/chats/{chatId}/threads/{threadId}/posts")
def list_thread(ask: Ask[PageOfTeam, None]) -> Json:
    """List the replies of a thread, newest first."""
    chat, posts = own_chat(ask), ask.core.team.posts
    if posts.root_of(chat.id, ask.path["threadId"]) is None:
        raise Problem(404, "CMN-102", "Resource for parameter [threadId] is not found")
    return _page(ask, posts.thread(chat.id, ask.path["threadId"]))


@area.post(_POSTS)
def create_post(ask: Ask[None, NewPost]) -> Json:
    """Write a post; with `parentPostId` or `threadId` it is a reply in a thread."""
    chat, body = writable_chat(ask), ask.body
    if not body.text and not body.attachments:
        raise Problem(400, "CMN-101", "Parameter [text] value is invalid")
    reply_to = _parent(ask, chat)
    attachments = [_attachment(ask, chat, one) for one in body.attachments]
    post = post_in(ask.core, chat, ask.caller.id, body.text, attachments=attachments, reply_to=reply_to)
    return ask.core.team.post_body(post, ask.server)


@area.get(_ONE)
def read_post(ask: Ask[None, None]) -> Json:
    """Read a post."""
    return ask.core.team.post_body(_post(ask, own_chat(ask)), ask.server)


@area.patch(_ONE)
def change_post(ask: Ask[None, PostChange]) -> Json:
    """Change the text of one's own post."""
    chat = writable_chat(ask)
    post = _own_post(ask, chat)
    ask.core.team.posts.change(post, ask.body.text)
    tell_post(ask.core, chat, post, "PostChanged")
    return ask.core.team.post_body(post, ask.server)


@area.delete(_ONE)
def delete_post(ask: Ask[None, None]) -> None:
    """Delete one's own post."""
    chat = own_chat(ask)
    post = _own_post(ask, chat)
    ask.core.team.posts.delete(post)
    tell_removal(ask.core, chat, post)


def writable_chat(ask: Ask[Any, Any], chat_id: str | None = None) -> TeamChat:
    """Return a chat that the caller may post in, by default the one in the path.

    Raises:
        Problem: 404 CMN-102 for an unknown chat, 403 for one of others and for an archived team.
    """
    chat = own_chat(ask, chat_id)
    if chat.is_archived:
        raise refuse_access("The team is archived")
    return chat


def _page(ask: Ask[PageOfTeam, None], posts: list[TeamPost]) -> Json:
    page, navigation = page_of(posts, ask.query)
    return {"records": [ask.core.team.post_body(one, ask.server) for one in page], "navigation": navigation}


def _post(ask: Ask[Any, Any], chat: TeamChat) -> TeamPost:
    post = ask.core.team.posts.get(chat.id, ask.path["postId"])
    if post is None:
        raise Problem(404, "CMN-102", "Resource for parameter [postId] is not found")
    return post


def _own_post(ask: Ask[Any, Any], chat: TeamChat) -> TeamPost:
    post = _post(ask, chat)
    if post.creator_id != ask.caller.id:
        raise refuse_access("The post is somebody else's")
    return post


def _parent(ask: Ask[None, NewPost], chat: TeamChat) -> TeamPost | None:
    """Return the post that a new one answers."""
    posts, parent_id, thread_id = ask.core.team.posts, ask.body.parent_post_id, ask.body.thread_id
    if parent_id is not None:
        name, found = "parentPostId", posts.get(chat.id, str(parent_id))
    elif thread_id is not None:
        name, found = "threadId", posts.root_of(chat.id, str(thread_id))
    else:
        return None
    if found is None:
        raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid")
    return found


def _attachment(ask: Ask[None, NewPost], chat: TeamChat, sent: dict[str, Any]) -> dict[str, Any]:
    """Return an attachment as it is kept: a file that the caller may post, or the members of a card as they are."""
    if sent.get("type", "Card") != "File":
        return {"type": "Card"} | sent
    file = ask.core.team.items.file(str(sent.get("id")))
    if file is None or not ask.core.team.may_read(file, ask.caller.id):
        raise Problem(400, "CMN-101", "Parameter [attachments.id] value is invalid")
    file.chat_ids = list({*file.chat_ids, chat.id})
    return {"id": file.id, "type": "File"}
