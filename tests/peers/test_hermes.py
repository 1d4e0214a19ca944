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
