"""Team messaging of the account as a whole. No I/O. Used by `rcex_ws.gateway.api.team` and `notices/team.py`."""

from __future__ import annotations

from typing import Any

import msgspec

from rcex_ws.gateway.account.people import ExtensionDirectory, ExtensionRecord
from rcex_ws.gateway.account.team.chats import TeamChat, TeamChats
from rcex_ws.gateway.account.team.items import TeamFile, TeamItem, TeamItems
from rcex_ws.gateway.account.team.posts import TeamPost, TeamPosts, mentions_in
from rcex_ws.gateway.clock import Clock, iso

__all__ = ["TeamMessaging"]

_FIRST_ID = 1_400_001


class _SavedTeam(msgspec.Struct, kw_only=True, rename="camel"):
    last_id: int
    chats: list[TeamChat]
    posts: list[TeamPost]
    items: list[TeamItem]
    files: list[TeamFile]


class TeamMessaging:
    """Team messaging of the account.

    Args:
        people: the extensions, which are its persons.
        clock: the source of its dates.

    Attributes:
        chats: who is in which chat.
        posts: the posts in them.
        items: notes, tasks, events, cards and files.
        since: when it was set up, as in answers.
    """

    def __init__(self, people: ExtensionDirectory, clock: Clock) -> None:
        self._people = people
        self._clock = clock
        self._last_id = _FIRST_ID
        self.since = self._moment()
        self.posts = TeamPosts(self._moment, self._next_id)
        self.items = TeamItems(self._moment, self._next_id)
        self.chats = TeamChats(people, self._moment, self._next_id, self._empty)

    def delete_chat(self, chat: TeamChat) -> None:
        """Delete a chat with all that is in it."""
        self.chats.delete(chat)
        self._empty(chat)

    def post_body(self, post: TeamPost, server: str) -> dict[str, Any]:
        """Return the JSON form of a post, with URIs below this base URL."""
        body: dict[str, Any] = {
            "id": post.id,
            "groupId": post.chat_id,
            "type": post.type,
            "text": post.text,
            "creatorId": post.creator_id,
            "addedPersonIds": post.added_ids or None,
            "creationTime": post.created,
            "lastModifiedTime": post.changed,
            "attachments": [self._attachment(one, server) for one in post.attachments] or None,
            "activity": None,
            "title": None,
            "iconUri": None,
            "iconEmoji": None,
            "mentions": self._mentions(post) or None,
        }
        if post.thread_id is not None:
            body |= {"threadId": post.thread_id}
            body |= {"isParent": True} if post.parent_id is None else {"parentPostId": post.parent_id}
        return body

    def file_body(self, file: TeamFile, server: str) -> dict[str, Any]:
        """Return the JSON form of a file, with URIs below this base URL."""
        content_uri = f"{server}/team-messaging/v1/files/{file.id}/content"
        return {"id": file.id, "type": "File", "name": file.name, "contentUri": content_uri}

    def person_body(self, person: ExtensionRecord, account_id: str) -> dict[str, Any]:
        """Return the JSON form of a person."""
        first, _, last = person.name.partition(" ")
        return {
            "id": person.id,
            "firstName": first,
            "lastName": last,
            "email": person.username,
            "companyId": account_id,
            "creationTime": self.since,
            "lastModifiedTime": self.since,
        }

    def may_read(self, file: TeamFile, person_id: str) -> bool:
        """Return whether somebody may read a file: its owner, and the members of the chats that it was posted in."""
        chats = [self.chats.get(one) for one in file.chat_ids]
        posted = any(one is not None and self.chats.has_member(one, person_id) for one in chats)
        return posted or file.creator_id == person_id

    def dump(self) -> dict[str, Any]:
        """Return all of it, ready for JSON; files are in Base64."""
        items, files = self.items.saved()
        state = _SavedTeam(
            last_id=self._last_id, chats=self.chats.saved(), posts=self.posts.saved(), items=items, files=files
        )
        saved: dict[str, Any] = msgspec.to_builtins(state)
        return saved

    def load(self, saved: dict[str, Any]) -> None:
        """Replace all of it by what `dump` has returned.

        Raises:
            msgspec.ValidationError: it is not what `dump` returns.
        """
        known = msgspec.convert(saved, _SavedTeam)
        self._last_id = max(self._last_id, known.last_id)
        self.chats.restore(known.chats)
        self.posts.restore(known.posts)
        self.items.restore(known.items, known.files)

    def _attachment(self, attached: dict[str, Any], server: str) -> dict[str, Any]:
        file = self.items.file(str(attached.get("id"))) if attached.get("type") == "File" else None
        return attached if file is None else self.file_body(file, server)

    def _mentions(self, post: TeamPost) -> list[dict[str, Any]]:
        def name_of_chat(chat_id: str) -> str | None:
            chat = self.chats.get(chat_id)
            return chat.name if chat is not None and self.chats.has_member(chat, post.creator_id) else None

        return mentions_in(post.text, self._people, name_of_chat)

    def _empty(self, chat: TeamChat) -> None:
        self.posts.delete_of(chat.id)
        self.items.delete_of(chat.id)

    def _moment(self) -> str:
        return iso(self._clock.wall())

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
