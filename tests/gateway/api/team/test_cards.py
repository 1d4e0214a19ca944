"""Adaptive cards."""

from __future__ import annotations

from tests.gateway.api.team.conftest import CHATS, POSTS, TEAM

CARD = {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "hi"}]}


def test_a_card_is_posted_read_replaced_and_deleted(ada, bob, direct):
    events = bob.subscribe(POSTS)
    card = ada.json("POST", f"{CHATS}/{direct}/adaptive-cards", CARD)
    one = f"{TEAM}/adaptive-cards/{card['id']}"
    assert (card["version"], card["chatIds"], "body" in card) == ("1.4", [direct], False)
    assert events.take()[0]["body"]["attachments"] == [{"id": card["id"], "type": "AdaptiveCard"}]
    assert bob.json("GET", one) == CARD | card
    assert bob.refused("PUT", one, CARD) == (403, "CMN-408")
    assert ada.json("PUT", one, {"type": "AdaptiveCard"})["version"] == "1.3"
    assert "body" not in bob.json("GET", one)
    assert ada.refused("PUT", one, {"type": "Card"}) == (400, "CMN-101")
    ada.json("DELETE", one)
    assert ada.refused("GET", one) == (404, "CMN-102")
