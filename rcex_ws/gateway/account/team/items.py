"""What is attached to posts: notes, tasks, calendar events, adaptive cards and files. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from rcex_ws.gateway.account.shelf import Shelf

__all__ = ["ItemKind", "TeamFile", "TeamItem", "TeamItems"]

ItemKind = Literal["Note", "Task", "Event", "AdaptiveCard"]

_MOST_ITEMS = 10_000
_MOST_SIZE = 2**26
_MOST_BYTES = 2**28


class TeamItem(Struct, kw_only=True):
    """A note, a task, a calendar event or an adaptive card.

    Args:
        id: the id.
        kind: what it is.
        chat_id: the chat.
        creator_id: who has made it.
        facts: the members of its JSON form that its maker has set.
        status: "Draft" or "Active" for a note, "Pending", "InProgress" or "Completed" for a task.
        locked_by: who edits a note at present.
        changed_by: who has changed it last.
        created: when it was made, as in answers.
        changed: when it was changed last.
    """

    id: str
    kind: ItemKind
    chat_id: str
    creator_id: str
    facts: dict[str, Any]
    status: str = ""
    locked_by: str | None = None
    changed_by: str
    created: str
    changed: str


class TeamFile(Struct, kw_only=True):
    """An uploaded file, which its owner and the members of the chats may read that it was posted in."""

    id: str
    chat_ids: list[str] = []
    creator_id: str
    name: str
    content_type: str
    content: bytes


class TeamItems:
    """All notes, tasks, events, cards and files.

    Args:
        moment: returns the present time as in answers.
        next_id: returns the next number of the account's team messaging.
    """

    def __init__(self, moment: Callable[[], str], next_id: Callable[[], int]) -> None:
        self._moment = moment
        self._next_id = next_id
        self._shelf = Shelf[TeamItem](_MOST_ITEMS, _MOST_SIZE, lambda item: len(repr(item)))
        self._files = Shelf[TeamFile](_MOST_ITEMS, _MOST_BYTES, lambda file: len(file.content) + len(file.name))

    def get(self, kind: ItemKind, item_id: str) -> TeamItem | None:
        """Return the item of this kind with this id."""
        found = self._shelf.get(item_id)
        return found if found is not None and found.kind == kind else None

    def of(self, kind: ItemKind, *chat_ids: str) -> list[TeamItem]:
        """Return the items of this kind in these chats, newest first."""
        return [one for one in self._shelf.newest_first() if one.kind == kind and one.chat_id in chat_ids]

    def add(
        self, kind: ItemKind, chat_id: str, creator_id: str, facts: Mapping[str, Any], *, status: str = ""
    ) -> TeamItem:
        """Add an item; see `TeamItem` for the arguments."""
        moment = self._moment()
        item = TeamItem(
            id=str(self._next_id()),
            kind=kind,
            chat_id=chat_id,
            creator_id=creator_id,
            facts=dict(facts),
            status=status,
            changed_by=creator_id,
            created=moment,
            changed=moment,
        )
        self._shelf.put(item)
        return item

    def note_change(self, item: TeamItem, by: str) -> None:
        """Note that somebody has changed an item."""
        item.changed, item.changed_by = self._moment(), by
        self._shelf.put(item)

    def delete(self, item: TeamItem) -> None:
        """Delete an item."""
        self._shelf.remove(item)

    def add_file(self, creator_id: str, name: str, content_type: str, content: bytes) -> TeamFile:
        """Add a file, which is in no chat yet."""
        file = TeamFile(
            id=str(self._next_id()),
            creator_id=creator_id,
            name=name,
            content_type=content_type,
            content=content,
        )
        self._files.put(file)
        return file

    def file(self, file_id: str) -> TeamFile | None:
        """Return the file with this id."""
        return self._files.get(file_id)

    def delete_of(self, chat_id: str) -> None:
        """Delete what is in a chat; files stay, for those who have uploaded them."""
        self._shelf.fill([one for one in self._shelf if one.chat_id != chat_id])
        for file in self._files:
            file.chat_ids = [one for one in file.chat_ids if one != chat_id]

    def saved(self) -> tuple[list[TeamItem], list[TeamFile]]:
        """Return all items and all files, oldest first."""
        return list(self._shelf), list(self._files)

    def restore(self, items: Iterable[TeamItem], files: Iterable[TeamFile]) -> None:
        """Replace all items and files by those that were saved."""
        self._shelf.fill(items)
        self._files.fill(files)
