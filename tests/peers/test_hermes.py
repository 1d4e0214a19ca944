"""A published chat agent with a WebSocket loop of its own (`hermes-ringcentral`) survives a loss at our gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway

HERMES = Path(__file__).parent / "hermes"


@pytest.mark.timeout(90)
def test_login_subscribe_event_loss_return_event(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    python = HERMES / ".venv/bin/python"
    need((HERMES / ".venv/.installed").is_file(), "the hermes-ringcentral package")

    steps = run_peer(python, HERMES / "main.py")

    assert [step["step"] for step in steps] == ["login", "subscribed", "event", "lost", "back", "event"]
    login, subscribed, before, lost, back, after = steps
    assert (login["owner_id"], login["extensionNumber"]) == (gateway.users[0].id, "101")
    for answer in (subscribed, back):
        assert (answer["state"], answer["status"]) == ("ws_subscription_confirmed", 200)
    assert lost["cut"] == 1
    for number, event in enumerate((before, after), 1):
        # Its own posts it knows by `creatorId`, and drops them.
        assert event["post"] == event["sent"] | {"eventType": "PostAdded"}
        assert (event["post"]["creatorId"], event["post"]["text"]) == (gateway.users[1].id, f"number {number}")

    # It never recovers a session: it comes back with a new one, and subscribes anew.
    log = gateway.log()
    assert [entry["recovering"] for entry in log if entry["kind"] == "connect"] == [False, False]
    assert len([entry for entry in log if entry["kind"] == "subscribe"]) == 2


@pytest.mark.timeout(90)
def test_every_call_of_its_client_does_what_the_agent_expects(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    python = HERMES / ".venv/bin/python"
    need((HERMES / ".venv/.installed").is_file(), "the hermes-ringcentral package")

    steps = run_peer(python, HERMES / "team.py")

    assert [step for step in steps if step["status"] not in (200, 204) or step["result"] in (None, False)] == []
    results = {step["step"]: step["result"] for step in steps}
    assert results["not called"] == []

    me, colleague = gateway.users[:2]
    assert (results["get_own_extension"]["id"], results["get_own_extension"]["name"]) == (int(me.id), me.name)
    assert results["search_directory"] == [results["search_directory"][0] | {"id": colleague.id, "type": "User"}]
    assert results["get_person"]["firstName"] == results["search_directory"][0]["firstName"] == "Bob"

    asked, answered, more, theirs = (step["result"] for step in steps if step["step"] == "send_post")
    assert (answered["parentPostId"], more["threadId"]) == (asked["id"], answered["threadId"])
    assert (asked["creatorId"], theirs["creatorId"]) == (me.id, colleague.id)
    assert [one["id"] for one in theirs["attachments"]] == [results["upload_file"][0]["id"]]
    assert results["update_post"]["text"] == "better question"
    (newest, second), seen_by_colleague = (step["result"] for step in steps if step["step"] == "list_posts")
    assert (newest["attachments"], second["text"]) == (results["upload_file"], "more")
    assert [post["text"] for post in results["list_legacy_group_posts"]] == ["", "more", "answer", "better question"]
    assert [post["id"] for post in seen_by_colleague] == [post["id"] for post in results["list_legacy_group_posts"]]
    assert (results["upload_file"][0]["name"], results["file"]) == ("a b.txt", "bytes")

    assert [chat["id"] for chat in results["list_chats"]] == [results["get_chat"]["id"]]
    recent, recent_teams = (step["result"] for step in steps if step["step"] == "list_recent_chats")
    assert (recent[0], recent_teams) == (results["get_chat"], [])
    assert results["create_or_find_dm"]["type"] == "Direct"
    assert [member["id"] for member in results["get_chat"]["members"]] == [me.id, colleague.id]

    assert results["get_event"]["title"] == results["update_event"]["title"] == "Retro"
    assert [event["id"] for event in results["list_events"]] == [results["create_event"]["id"]]
    assert results["get_adaptive_card"]["version"] == results["update_adaptive_card"]["version"] == "1.5"
    assert [note["id"] for note in results["list_notes"]] == [results["create_note"]["id"]]
    assert (results["list_notes"][0]["status"], results["get_note"]["body"]) == ("Active", "more")
    assert results["create_websocket_token"]["uri"] == gateway.ws_uri
