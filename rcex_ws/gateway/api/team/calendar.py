"""Calendar events, of a chat or of the caller alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rcex_ws.gateway.account.team.chats import TeamChat
from rcex_ws.gateway.account.team.items import TeamItem
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import PageOfTeam, TeamArea, own_chat, own_item, page_of
from rcex_ws.gateway.api.team.posts import writable_chat
from rcex_ws.gateway.api.team.tasks import Color
from rcex_ws.gateway.notices.team import post_in

__all__ = ["area"]

_ONE = "/events/{eventId}"

area = TeamArea()


class CalendarEvent(Struct, rename="camel", kw_only=True):
    """A calendar event, without its id and its creator."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    start_time: datetime
    end_time: datetime
    all_day: bool = False
    recurrence: dict[str, Any] | UnsetType = UNSET
    color: Color = "Black"
    location: Annotated[str, Meta(max_length=1000)] = ""
    description: Annotated[str, Meta(max_length=102_400)] = ""


@area.get("/events")
def list_own_events(ask: Ask[PageOfTeam, None]) -> Json:
    """List the events in all chats of the caller, newest first."""
    return _page(ask, ask.core.team.chats.of(ask.caller.id))


@area.post("/events")
def create_own_event(ask: Ask[None, CalendarEvent]) -> Json:
    """Make an event of the caller alone."""
    return _create(ask, ask.core.team.chats.conversation([ask.caller.id]))


@area.get("/groups/{chatId}/events")
def list_events(ask: Ask[PageOfTeam, None]) -> Json:
    """List the events in a chat, newest first."""
    return _page(ask, [own_chat(ask)])


@area.post("/groups/{chatId}/events")
def create_event(ask: Ask[None, CalendarEvent]) -> Json:
    """Make an event, which is posted in its chat."""
    return _create(ask, writable_chat(ask))


@area.get(_ONE)
def read_event(ask: Ask[None, None]) -> Json:
    """Read an event."""
    return _event_body(own_item(ask, "Event", "eventId"))


@area.put(_ONE)
def change_event(ask: Ask[None, CalendarEvent]) -> Json:
    """Replace an event."""
    event = own_item(ask, "Event", "eventId")
    event.facts = msgspec.to_builtins(ask.body)
    ask.core.team.items.note_change(event, ask.caller.id)
    return _event_body(event)


@area.delete(_ONE)
def delete_event(ask: Ask[None, None]) -> None:
    """Delete an event."""
    ask.core.team.items.delete(own_item(ask, "Event", "eventId"))


def _create(ask: Ask[None, CalendarEvent], chat: TeamChat) -> Json:
    event = ask.core.team.items.add("Event", chat.id, ask.caller.id, msgspec.to_builtins(ask.body))
    post_in(ask.core, chat, ask.caller.id, attachments=[_event_body(event) | {"type": "Event"}])
    return _event_body(event)


def _page(ask: Ask[PageOfTeam, None], chats: list[TeamChat]) -> Json:
    page, navigation = page_of(ask.core.team.items.of("Event", *(chat.id for chat in chats)), ask.query)
    return {"records": [_event_body(one) for one in page], "navigation": navigation}


def _event_body(event: TeamItem) -> dict[str, Any]:
    return {"id": event.id, "creatorId": event.creator_id, **event.facts}
