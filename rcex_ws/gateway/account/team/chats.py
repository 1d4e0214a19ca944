"""The chats of the account, and who is in them. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from rcex_ws.gateway.account.people import ExtensionDirectory
from rcex_ws.gateway.account.shelf import Shelf

__all__ = ["ChatType", "TeamChat", "TeamChats"]

ChatType = Literal["Personal", "Direct", "Group", "Team", "Everyone"]

_MOST_CHATS = 2_000
_MOST_SIZE = 2**24


class TeamChat(Struct, kw_only=True):
    """One chat.

    Args:
        id: the id.
        type: the kind of chat.
        members: ids of its members; of everyone's chat none, since all are in it.
        name: the name of a team.
        description: the description of a team.
        is_public: whether anybody may join the team.
        is_archived: whether the team takes no more posts.
        favorite_of: ids of those who have it among their favorites.
        created: when it was made, as in answers.
        changed: when it was changed last.
        active: a number that is higher, the later the last post was.
    """

    id: str
    type: ChatType
    members: list[str]
    name: str = ""
    description: str = ""
    is_public: bool = False
    is_archived: bool = False
    favorite_of: list[str] = []
    created: str
    changed: str
    active: int


class TeamChats:
    """All chats.

    Args:
        people: the extensions; everyone's chat has all of them.
        moment: returns the present time as in answers.
        next_id: returns the next number of the account's team messaging.
        on_dropped: called with each chat that is dropped because there are too many.
    """

    def __init__(
        self,
        people: ExtensionDirectory,
        moment: Callable[[], str],
        next_id: Callable[[], int],
        on_dropped: Callable[[TeamChat], None],
    ) -> None:
        self._people = people
        self._moment = moment
        self._next_id = next_id
        self._on_dropped = on_dropped
        self._shelf = Shelf[TeamChat](_MOST_CHATS, _MOST_SIZE, lambda chat: len(repr(chat)))
        self.everyone = self._new("Everyone", [], name="Everyone")

    def get(self, chat_id: str) -> TeamChat | None:
        """Return the chat with this id."""
        return self.everyone if chat_id == self.everyone.id else self._shelf.get(chat_id)

    def members(self, chat: TeamChat) -> list[str]:
        """Return the ids of the members of a chat."""
        return [one.id for one in self._people.extensions] if chat is self.everyone else list(chat.members)

    def has_member(self, chat: TeamChat, person_id: str) -> bool:
        """Return whether somebody is in a chat."""
        return chat is self.everyone or person_id in chat.members

    def of(self, person_id: str, types: Sequence[str] = ()) -> list[TeamChat]:
        """Return the chats that somebody is in, the newest first.

        Args:
            person_id: whose chats.
            types: of which types, all if empty.
        """
        self.conversation([person_id])  # at RingCentral everybody has a chat with oneself
        return [one for one in self._all() if self.has_member(one, person_id) and (not types or one.type in types)]

    def conversation(self, member_ids: Sequence[str]) -> TeamChat:
        """Return the conversation of these people, which is made when it is first asked for."""
        members = sorted(set(member_ids))
        kind: ChatType = "Personal" if len(members) == 1 else "Direct" if len(members) == 2 else "Group"
        found = (one for one in self._shelf if one.type == kind and one.members == members)
        return next(found, None) or self._add(self._new(kind, members))

    def add_team(self, member_ids: Sequence[str], name: str, description: str, *, is_public: bool) -> TeamChat:
        """Make a team."""
        team = self._new("Team", sorted(set(member_ids)), name=name)
        team.description, team.is_public = description, is_public
        return self._add(team)

    def note_change(self, chat: TeamChat) -> None:
        """Note that a chat has been changed."""
        chat.changed = self._moment()
        if chat is not self.everyone:
            self._put(chat)

    def note_post(self, chat: TeamChat) -> None:
        """Note that there is a new post in a chat."""
        chat.active = self._next_id()

    def delete(self, chat: TeamChat) -> None:
        """Delete a chat."""
        self._shelf.remove(chat)

    def saved(self) -> list[TeamChat]:
        """Return all chats, everyone's first."""
        return [self.everyone, *self._shelf]

    def restore(self, chats: Sequence[TeamChat]) -> None:
        """Replace all chats by those that were saved."""
        self.everyone = next((one for one in chats if one.type == "Everyone"), self.everyone)
        self._shelf.fill(one for one in chats if one.type != "Everyone")

    def _all(self) -> Iterator[TeamChat]:
        yield from self._shelf.newest_first()
        yield self.everyone

    def _new(self, kind: ChatType, members: list[str], name: str = "") -> TeamChat:
        moment, number = self._moment(), self._next_id()
        return TeamChat(
            id=str(number), type=kind, members=members, name=name, created=moment, changed=moment, active=number
        )

    def _add(self, chat: TeamChat) -> TeamChat:
        self._put(chat)
        return chat

    def _put(self, chat: TeamChat) -> None:
        for dropped in self._shelf.put(chat):
            self._on_dropped(dropped)
