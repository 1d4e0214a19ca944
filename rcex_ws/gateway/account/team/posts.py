"""The posts in chats, with their threads and mentions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from rcex_ws.gateway.account.people import ExtensionDirectory
from rcex_ws.gateway.account.shelf import Shelf

__all__ = ["PostType", "TeamPost", "TeamPosts", "mentions_in"]

PostType = Literal["TextMessage", "PersonJoined", "PersonsAdded"]

_MOST_POSTS = 10_000
_MOST_SIZE = 2**26
_MENTION = re.compile(r"!\[:(Person|Team|File|Link|Event|Task|Note|Card)\]\((\w+)\)")
"""A mention in the text of a post (RingCentral's API reference of "Create Post")."""
_MOST_MENTIONS = 100


class TeamPost(Struct, kw_only=True):
    """One post.

    Args:
        id: the id.
        chat_id: the chat.
        creator_id: who has written it.
        type: the kind of post.
        text: the text.
        attachments: what is attached; a file has only its id here, its name and address come with the answer.
        added_ids: ids of those who were added to the team, for a post that says so.
        parent_id: the post that its thread belongs to, for a reply.
        thread_id: its thread, for a reply and for the post that the replies belong to.
        created: when it was written, as in answers.
        changed: when it was changed last.
    """

    id: str
    chat_id: str
    creator_id: str
    type: PostType = "TextMessage"
    text: str = ""
    attachments: list[dict[str, Any]] = []
    added_ids: list[str] = []
    parent_id: str | None = None
    thread_id: str | None = None
    created: str
    changed: str


class TeamPosts:
    """All posts.

    Args:
        moment: returns the present time as in answers.
        next_id: returns the next number of the account's team messaging.
    """

    def __init__(self, moment: Callable[[], str], next_id: Callable[[], int]) -> None:
        self._moment = moment
        self._next_id = next_id
        self._shelf = Shelf[TeamPost](_MOST_POSTS, _MOST_SIZE, lambda post: len(repr(post)))

    def __len__(self) -> int:
        return len(self._shelf)

    def get(self, chat_id: str, post_id: str) -> TeamPost | None:
        """Return the post with this id, if it is in this chat."""
        found = self._shelf.get(post_id)
        return found if found is not None and found.chat_id == chat_id else None

    def of(self, chat_id: str) -> Iterator[TeamPost]:
        """Yield the posts in a chat, newest first."""
        return (one for one in self._shelf.newest_first() if one.chat_id == chat_id)

    def thread(self, chat_id: str, thread_id: str) -> list[TeamPost]:
        """Return the replies of a thread, newest first."""
        return [one for one in self.of(chat_id) if one.thread_id == thread_id and one.parent_id is not None]

    def root_of(self, chat_id: str, thread_id: str) -> TeamPost | None:
        """Return the post that the replies of a thread belong to."""
        return next((one for one in self.of(chat_id) if one.thread_id == thread_id and one.parent_id is None), None)

    def add(
        self,
        chat_id: str,
        creator_id: str,
        text: str = "",
        *,
        kind: PostType = "TextMessage",
        attachments: Sequence[dict[str, Any]] = (),
        added_ids: Sequence[str] = (),
        reply_to: TeamPost | None = None,
    ) -> TeamPost:
        """Add a post.

        Args:
            chat_id: the chat.
            creator_id: who writes it.
            text: the text.
            kind: the kind of post.
            attachments: what is attached.
            added_ids: ids of those who are added to the team by it.
            reply_to: the post that it answers. The answer to an answer belongs to the same thread.
        """
        parent_id = None if reply_to is None else reply_to.parent_id or reply_to.id
        if reply_to is not None and reply_to.thread_id is None:
            reply_to.thread_id = str(self._next_id())
        moment = self._moment()
        post = TeamPost(
            id=str(self._next_id()),
            chat_id=chat_id,
            creator_id=creator_id,
            type=kind,
            text=text,
            attachments=list(attachments),
            added_ids=list(added_ids),
            parent_id=parent_id,
            thread_id=None if reply_to is None else reply_to.thread_id,
            created=moment,
            changed=moment,
        )
        self._shelf.put(post)
        return post

    def change(self, post: TeamPost, text: str) -> None:
        """Change the text of a post."""
        post.text, post.changed = text, self._moment()
        self._shelf.put(post)

    def delete(self, post: TeamPost) -> None:
        """Delete a post."""
        self._shelf.remove(post)

    def delete_of(self, chat_id: str) -> None:
        """Delete the posts in a chat."""
        self._shelf.fill([one for one in self._shelf if one.chat_id != chat_id])

    def saved(self) -> list[TeamPost]:
        """Return all posts, oldest first."""
        return list(self._shelf)

    def restore(self, posts: Iterable[TeamPost]) -> None:
        """Replace all posts by those that were saved."""
        self._shelf.fill(posts)


def mentions_in(
    text: str, people: ExtensionDirectory, name_of_chat: Callable[[str], str | None]
) -> list[dict[str, Any]]:
    """Return the mentions in a text, each once, in the form of a post's member `mentions`.

    Args:
        text: the text of a post; `![:Person](id)` mentions somebody.
        people: the extensions.
        name_of_chat: returns the name of the team with an id.
    """
    mentions: dict[tuple[str, str], dict[str, Any]] = {}
    for found in _MENTION.finditer(text):
        kind, one_id = found[1], found[2]
        person = people.by_id(one_id) if kind == "Person" else None
        name = person.name if person is not None else name_of_chat(one_id) if kind == "Team" else None
        mentions[kind, one_id] = {"id": one_id, "type": kind, "name": name or ""}
        if len(mentions) == _MOST_MENTIONS:
            break
    return list(mentions.values())
