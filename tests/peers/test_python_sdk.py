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


@pytest.mark.timeout(90)
def test_both_are_connected_in_one_process(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    need((PYTHON / ".venv/.installed").is_file(), "the ringcentral package")

    connected, both, away, recovered, ended = run_peer(sys.executable, PYTHON / "beside.py")

    assert connected["websockets"].startswith("15.")
    log = gateway.log()
    kinds = [entry["kind"] for entry in log]
    assert [kinds.count(kind) for kind in ("token", "subscribe", "recovered")] == [2, 2, 1]
    got = {both["theirs"], both["ours"], away["theirs"], recovered["ours"], ended["ours"]}
    assert len(got) == 5
    assert got <= {entry["uuid"] for entry in log if entry["kind"] == "notification"}  # theirs is kept after its end
    assert (away["status"], away["via"]) == (200, "https")
    assert away["state"] != "READY"
    assert (recovered["via"], ended["via"], ended["left"]) == ("websocket", "websocket", 0)


@pytest.mark.timeout(90)
def test_the_calls_of_its_samples(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    need((PYTHON / ".venv/.installed").is_file(), "the ringcentral package")

    steps = run_peer(PYTHON / ".venv/bin/python", PYTHON / "samples.py")

    names = ["sent", "read", "refused", "presence", "calls", "events", "code"]
    assert [step["step"] for step in steps] == names
    sent, read, refused, presence, calls, events, code = steps
    assert sent["status"] == "Delivered"
    assert [one["contentType"] for one in sent["mms"]["attachments"]] == ["image/jpeg", "text/plain", "text/plain"]
    for fax in (sent["fax"], sent["mixed"]):
        assert (fax["type"], fax["faxPageCount"], fax["coverPageText"]) == ("Fax", 2, "cover")
    assert read["types"] == ["Fax", "Fax", "SMS", "SMS"]
    assert read["files"] == ["ffd8ffe0"] * 3
    assert (read["marked"], read["deleted"]) == ("Read", 204)
    assert read["batch"] == [[200, "Deleted"], *[[200, "Alive"]] * 3]
    assert refused["status"] == 404  # somebody else's message
    assert (presence["before"], presence["changed"]) == ("Available", ["Busy", "DoNotAcceptAnyCalls"])
    assert (presence["others"], presence["account"]) == (["Busy", "Available"], 2)
    assert (calls["log"], calls["company"], calls["sync"]) == (["Missed"], 1, [1, 0])
    assert (events["sms"], events["presence"]) == ("from a colleague", "Available")
    assert (code["state"], code["who"], code["refreshed"]) == ("a b", "101", True)
