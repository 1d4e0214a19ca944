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
        # It leaves its subscriptions behind: the second one is also kept for the session that it has given up.
        assert len(event["sent"]) == number
        assert (event["post"]["id"], event["post"]["text"]) == (str(number), f"number {number}")

    # It never recovers a session: it comes back with a new one, and subscribes anew.
    log = gateway.log()
    assert [entry["recovering"] for entry in log if entry["kind"] == "connect"] == [False, False]
    assert len([entry for entry in log if entry["kind"] == "subscribe"]) == 2


@pytest.mark.timeout(90)
def test_every_call_of_team_messaging_does_what_the_agent_expects(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    python = HERMES / ".venv/bin/python"
    need((HERMES / ".venv/.installed").is_file(), "the hermes-ringcentral package")

    steps = run_peer(python, HERMES / "team.py")

    assert [step for step in steps if step["status"] not in (200, 204) or step["result"] in (None, False)] == []
    results = {step["step"]: step["result"] for step in steps}
    asked, answered, more = (step["result"] for step in steps if step["step"] == "send_post")
    assert (answered["parentPostId"], more["threadId"]) == (asked["id"], answered["threadId"])
    assert results["update_post"]["text"] == "better question"
    newest, second = results["list_posts"]
    assert (newest["attachments"], second["text"]) == (results["upload_file"], "more")
    assert [post["text"] for post in results["list_legacy_group_posts"]] == ["", "more", "answer", "better question"]
    assert [chat["id"] for chat in results["list_chats"]] == [results["get_chat"]["id"]]
    assert results["list_recent_chats"][0] == results["get_chat"]
    assert [member["id"] for member in results["get_chat"]["members"]] == [user.id for user in gateway.users]
    assert results["get_event"]["title"] == "Retro"
    assert (results["get_adaptive_card"]["version"], results["get_note"]["body"]) == ("1.5", "more")
    assert [note["status"] for note in results["list_notes"]] == ["Active"]
