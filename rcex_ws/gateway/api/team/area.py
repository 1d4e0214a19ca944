"""What the handlers of team messaging share: where each path is served, paging, and which chat a request is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Protocol, TypeVar

from msgspec import Meta, Struct

from rcex_ws.gateway.account.team.chats import ChatType, TeamChat
from rcex_ws.gateway.account.team.items import ItemKind, TeamItem
from rcex_ws.gateway.api.operation import Ask, RestArea
from rcex_ws.gateway.problem import Problem

__all__ = [
    "MemberRef",
    "MemberRefs",
    "PageOfTeam",
    "TeamArea",
    "chat_named",
    "find_persons",
    "own_chat",
    "own_item",
    "page_of",
    "refuse_access",
]

_ROOT = "/team-messaging/v1"
_OLDER_ROOT = "/restapi/v1.0/glip"

_OTHER_NAMES = {
    "/chats/{chatId}/posts": {"glip_group": f"{_OLDER_ROOT}/groups/{{chatId}}/posts"},
    "/chats/{chatId}/posts/{postId}": {"glip_group": f"{_OLDER_ROOT}/groups/{{chatId}}/posts/{{postId}}"},
    "/groups/{chatId}/events": {
        "chat": f"{_ROOT}/chats/{{chatId}}/events",
        "glip_chat": f"{_OLDER_ROOT}/chats/{{chatId}}/events",
    },
}
"""Where a path is served beside its place below both roots: a chat was called a group once, and is here and there.

The keys distinguish the names of the operations, which are unique in the OpenAPI document.
"""

_MOST_RECORDS = 250
_MOST_MEMBERS = 250
_LONGEST_ID = 40

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class _Numbered(Protocol):
    """What a page lists: its ids are whole numbers that rise."""

    @property
    def id(self) -> str:
        """The id."""
        ...


_T = TypeVar("_T", bound=_Numbered)


class PageOfTeam(Struct, rename="camel"):
    """Which page of a list."""

    record_count: Annotated[int, Meta(ge=1, le=_MOST_RECORDS)] = 30
    page_token: Annotated[str, Meta(max_length=_LONGEST_ID)] | None = None


class MemberRef(Struct):
    """Somebody, by id or by e-mail address."""

    id: Annotated[str, Meta(max_length=_LONGEST_ID)] | int | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None


MemberRefs = Annotated[list[MemberRef], Meta(max_length=_MOST_MEMBERS)]


class TeamArea(RestArea):
    """Operations of team messaging, each served under all its paths; those are given without their root."""

    def __init__(self) -> None:
        super().__init__("Team Messaging", permission="TeamMessaging")

    def add(self, method: str, path: str, **options: Any) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of an operation under the present path, the older one, and any other names of it."""

        def register(handler: _Handler) -> _Handler:
            RestArea.add(self, method, _ROOT + path, **options)(handler)
            for prefix, full in {"glip": _OLDER_ROOT + path, **_OTHER_NAMES.get(path, {})}.items():
                RestArea.add(self, method, full, **options)(_renamed(handler, f"{prefix}_{handler.__name__}"))
            return handler

        return register


def _renamed(handler: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(handler)
    def same(*args: Any) -> Any:
        return handler(*args)

    same.__name__ = name
    return same


def page_of(records: Sequence[_T], query: PageOfTeam) -> tuple[list[_T], dict[str, str]]:
    """Return one page of records, newest first, and the member `navigation` that goes with it.

    `prevPageToken` leads to older records, as public programs expect that read all pages; `nextPageToken` leads back.

    Raises:
        Problem: 400 CMN-101 for a token that was not given out.
    """
    page = list(records)
    if query.page_token is not None:
        way, _, text = query.page_token.partition("-")
        if way not in ("older", "newer") or not text.isdecimal():
            raise Problem(400, "CMN-101", "Parameter [pageToken] value is invalid")
        limit = int(text)
        older = way == "older"
        page = [one for one in records if (int(one.id) < limit if older else int(one.id) > limit)]
        page = page[: query.record_count] if older else page[-query.record_count :]
    page = page[: query.record_count]
    navigation: dict[str, str] = {}
    if page and page[-1] is not records[-1]:
        navigation["prevPageToken"] = f"older-{page[-1].id}"
    if page and page[0] is not records[0]:
        navigation["nextPageToken"] = f"newer-{page[0].id}"
    return page, navigation


def chat_named(ask: Ask[Any, Any], chat_id: str, parameter: str = "chatId", *types: ChatType) -> TeamChat:
    """Return a chat, whoever is in it.

    Args:
        ask: the request.
        chat_id: the id.
        parameter: which parameter it comes from.
        types: the types that it may have, any if none is given.

    Raises:
        Problem: 404 CMN-102 for an unknown chat, or one of another type.
    """
    chat = ask.core.team.chats.get(chat_id)
    if chat is None or (types and chat.type not in types):
        raise Problem(404, "CMN-102", f"Resource for parameter [{parameter}] is not found")
    return chat


def own_chat(ask: Ask[Any, Any], chat_id: str | None = None, *types: ChatType) -> TeamChat:
    """Return a chat that the caller is in, by default the one in the path.

    Raises:
        Problem: 404 CMN-102 for an unknown chat, 403 for one of others.
    """
    chat = chat_named(ask, ask.path["chatId"] if chat_id is None else chat_id, "chatId", *types)
    if not ask.core.team.chats.has_member(chat, ask.caller.id):
        raise refuse_access("The user is not a member of the chat")
    return chat


def own_item(ask: Ask[Any, Any], kind: ItemKind, parameter: str) -> TeamItem:
    """Return the note, task, event or card that a parameter of the path names.

    Raises:
        Problem: 404 CMN-102 for an unknown one, 403 for one in a chat that the caller is not in.
    """
    item = ask.core.team.items.get(kind, ask.path[parameter])
    if item is None:
        raise Problem(404, "CMN-102", f"Resource for parameter [{parameter}] is not found")
    own_chat(ask, item.chat_id)
    return item


def refuse_access(message: str) -> Problem:
    """Return the refusal of what only others may see or do. Which code RingCentral's has, is not known."""
    return Problem(403, "CMN-408", message)


def find_persons(ask: Ask[Any, Any], members: Sequence[MemberRef]) -> list[str]:
    """Return the ids of people who are named in a body.

    Raises:
        Problem: 400 CMN-101 if there is somebody unknown among them.
    """
    return [_find_person(ask, one) for one in members]


def _find_person(ask: Ask[Any, Any], member: MemberRef) -> str:
    people = ask.core.people
    if member.id is not None:
        found = people.by_id(str(member.id))
    else:
        found = next((one for one in people.extensions if one.username == member.email), None)
    if found is None:
        raise Problem(400, "CMN-101", "Parameter [members] value is invalid")
    return found.id
