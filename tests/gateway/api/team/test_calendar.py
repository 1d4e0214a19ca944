"""Calendar events."""

from __future__ import annotations

import pytest

from tests.gateway.api.team.conftest import GLIP, POSTS, TEAM

EVENT = {"title": "Review", "startTime": "2030-01-02T10:00:00Z", "endTime": "2030-01-02T11:00:00Z"}


@pytest.mark.parametrize("root", [f"{TEAM}/groups", f"{TEAM}/chats", f"{GLIP}/groups"])
def test_an_event_of_a_chat(ada, bob, direct, root):
    posts = bob.subscribe(POSTS)
    event = ada.json("POST", f"{root}/{direct}/events", EVENT | {"location": "Room 1"})
    one = f"{TEAM}/events/{event['id']}"
    assert event.items() >= EVENT.items()
    assert (event["creatorId"], event["allDay"], event["color"]) == (ada.extension.id, False, "Black")
    assert posts.take()[0]["body"]["attachments"] == [event | {"type": "Event"}]
    assert bob.json("GET", f"{root}/{direct}/events")["records"] == [event]
    assert bob.json("GET", f"{TEAM}/events")["records"] == [event]
    assert bob.json("PUT", one, EVENT | {"title": "Retro"})["location"] == ""
    assert ada.json("GET", one)["title"] == "Retro"
    ada.json("DELETE", one)
    assert ada.refused("GET", one) == (404, "CMN-102")


def test_an_event_of_ones_own(ada, bob):
    event = ada.json("POST", f"{TEAM}/events", EVENT)
    assert ada.json("GET", f"{TEAM}/events")["records"] == [event]
    assert bob.json("GET", f"{TEAM}/events")["records"] == []
    assert bob.refused("GET", f"{TEAM}/events/{event['id']}") == (403, "CMN-408")
    assert ada.refused("POST", f"{TEAM}/events", EVENT | {"startTime": "soon"}) == (400, "CMN-101")
