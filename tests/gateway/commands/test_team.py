"""Somebody else writes a post, so that a bot can be tried with one login."""

from __future__ import annotations

import json

import pytest

from rcex_ws.errors import ConfigurationError
from tests.gateway.api.conftest import Person, ada, app, bob, gateway_options, runner

__all__ = ["ada", "app", "bob", "gateway_options", "runner"]

TEAM = "/team-messaging/v1"


def test_a_colleague_writes_to_the_first_user(app, ada: Person):
    events = ada.subscribe(f"{TEAM}/posts")
    post = app.receive_post("hi")
    (event,) = events.take()
    assert event["body"]["text"] == "hi"
    assert (event["body"]["id"], event["body"]["creatorId"]) == (post["id"], "62264425017")
    chat = ada.json("GET", f"{TEAM}/chats/{post['groupId']}")
    assert chat["type"] == "Direct"
    ada.json("POST", f"{TEAM}/chats/{chat['id']}/posts", {"text": "hi yourself"})
    assert app.receive_post("again")["groupId"] == chat["id"]


def test_the_first_user_writes_to_a_colleague(app, bob: Person):
    events = bob.subscribe(f"{TEAM}/posts")
    app.receive_post("hi", from_extension="101", to="102")
    assert [event["body"]["creatorId"] for event in events.take()] == ["62264425016"]


def test_the_author_joins_a_team(app, ada: Person):
    team = ada.json("POST", f"{TEAM}/teams", {"name": "Ops"})["id"]
    events = ada.subscribe(f"{TEAM}/posts")
    app.receive_post("hi", chat_id=team)
    assert [event["body"]["type"] for event in events.take()] == ["PersonJoined", "TextMessage"]


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"text": "x" * 10_001}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x", "chat_id": "1"}, "chat_id"),
        ({"text": "x", "from_extension": "999"}, "from_extension"),
        ({"text": "x", "to": "999"}, "to"),
    ],
)
def test_a_wrong_order_is_refused_by_the_name_of_its_argument(app, ada: Person, order, named):
    with pytest.raises(ConfigurationError, match=f"^{named}"):
        app.receive_post(**order)
    answer = ada.ask("POST", "/_gateway/receive_post", order)
    assert (answer.status, named in json.loads(answer.body)["message"]) == (400, True)


def test_nobody_writes_into_a_conversation_of_others(app, ada: Person):
    own = ada.json("POST", f"{TEAM}/conversations")["id"]
    with pytest.raises(ConfigurationError, match="chat_id"):
        app.receive_post("hi", chat_id=own)
