"""Adaptive cards."""

from __future__ import annotations

from typing import Any

from rcex_ws.gateway.account.team.items import TeamItem
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import TeamArea, own_item, refuse_access
from rcex_ws.gateway.api.team.posts import writable_chat
from rcex_ws.gateway.notices.team import post_in
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_ONE = "/adaptive-cards/{cardId}"
_SHORT = ("$schema", "type", "version")
"""The members of a card that the answers to POST and PUT have (RingCentral's AdaptiveCardShortInfo)."""

area = TeamArea()


@area.post("/chats/{chatId}/adaptive-cards")
def create_card(ask: Ask[None, dict[str, Any]]) -> Json:
    """Make an adaptive card, which is posted in its chat."""
    chat = writable_chat(ask)
    card = ask.core.team.items.add("AdaptiveCard", chat.id, ask.caller.id, _sent(ask))
    post_in(ask.core, chat, ask.caller.id, attachments=[{"id": card.id, "type": "AdaptiveCard"}])
    return _short_body(card)


@area.get(_ONE)
def read_card(ask: Ask[None, None]) -> Json:
    """Read an adaptive card."""
    card = own_item(ask, "AdaptiveCard", "cardId")
    return card.facts | _short_body(card)


@area.put(_ONE)
def change_card(ask: Ask[None, dict[str, Any]]) -> Json:
    """Replace one's own adaptive card."""
    card = _own_card(ask)
    card.facts = _sent(ask)
    ask.core.team.items.note_change(card, ask.caller.id)
    return _short_body(card)


@area.delete(_ONE)
def delete_card(ask: Ask[None, None]) -> None:
    """Delete one's own adaptive card."""
    ask.core.team.items.delete(_own_card(ask))


def _own_card(ask: Ask[Any, Any]) -> TeamItem:
    card = own_item(ask, "AdaptiveCard", "cardId")
    if card.creator_id != ask.caller.id:
        raise refuse_access("The card is somebody else's")
    return card


def _sent(ask: Ask[None, dict[str, Any]]) -> dict[str, Any]:
    if ask.body.get("type") != "AdaptiveCard":
        raise Problem(400, "CMN-101", "Parameter [type] value is invalid")
    return {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.3"} | ask.body


def _short_body(card: TeamItem) -> dict[str, Any]:
    return {
        "id": card.id,
        "creationTime": card.created,
        "lastModifiedTime": card.changed,
        **{name: card.facts[name] for name in _SHORT},
        "creator": {"id": card.creator_id},
        "chatIds": [card.chat_id],
    }
