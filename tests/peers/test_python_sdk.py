"""The published Python client (`ringcentral` 0.9.2) logs in, calls REST and gets a notification from our gateway."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway

PYTHON = Path(__file__).parent / "python"


@pytest.mark.timeout(90)
def test_login_rest_notification(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    python = PYTHON / ".venv/bin/python"
    need((PYTHON / ".venv/.installed").is_file(), "the ringcentral package")

    own, other = (user.phone_number for user in gateway.users[:2])

    steps = run_peer(python, PYTHON / "main.py", own, other)

    assert [step["step"] for step in steps] == ["login", "rest", "texts", "connected", "subscribed", "event", "revoked"]
    login, _, texts, connected, subscribed, event, revoked = steps
    assert login["logged_in"] is True
    assert (texts["sms"]["type"], texts["sms"]["to"][0]["phoneNumber"]) == ("SMS", other)
    assert texts["mms"]["conversationId"] == texts["sms"]["conversationId"]
    assert bytes.fromhex(texts["picture"]) == b"\x89PNG\r\n"
    assert connected["details"]["recoveryBufferSize"] == 100
    assert event["subscriptionId"] == subscribed["id"]
    assert event["type"] == "Pager"
    assert revoked["access_token"] == ""

    log = gateway.log()
    assert [entry["uuid"] for entry in log if entry["kind"] == "notification"] == [event["uuid"]]
    requests = [
        (entry["method"], entry["path"].rstrip("/"), entry["via"]) for entry in log if entry["kind"] == "request"
    ]
    assert ("POST", "/restapi/v1.0/subscription", "websocket") in requests
    assert ("GET", "/restapi/v1.0/account/~/extension/~", "https") in requests


@pytest.mark.timeout(90)
def test_it_hosts_the_extension(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    need((PYTHON / ".venv/.installed").is_file(), "the ringcentral package")

    steps = run_peer(sys.executable, PYTHON / "hosted.py")

    login, refreshed, event, rest, logged_in = steps
    assert login["module"].startswith("15.")
    assert refreshed["by_sdk"] is True
    assert event["type"] == "Pager"
    assert rest["via"] == "websocket"
    assert logged_in["still"] is True  # closing our client does not end the SDK's session
    kinds = [entry["kind"] for entry in gateway.log()]
    assert [kinds.count(kind) for kind in ("token", "refresh", "recovered")] == [1, 2, 1]
