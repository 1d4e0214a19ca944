"""RingCentral's JavaScript SDK (`@ringcentral/sdk`, `@ringcentral/subscriptions`) survives a loss at our gateway."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway

NODE = Path(__file__).parent / "node"


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    # As for test_npm_client.py, which is what this one has inside.
    return {"coalesce": False, "single_use_wstoken": False}


@pytest.mark.timeout(90)
def test_login_subscribe_event_loss_recovery_event(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/@ringcentral/subscriptions").is_dir(), "the npm package @ringcentral/subscriptions")

    steps = run_peer(str(node), NODE / "sdk.mjs")

    names = ["login", "rest", "subscribed", "event", "lost", "recovered", "event", "revoked"]
    assert [step["step"] for step in steps] == names
    login, rest, subscribed, before, _, _, after, _ = steps
    assert login["loggedIn"] is True
    assert rest["extensionNumber"] == "101"
    for event in (before, after):
        assert event["subscriptionId"] == subscribed["id"]
        assert event["type"] == "Pager"

    log = gateway.log()
    kinds = [entry["kind"] for entry in log]
    assert [kinds.count(kind) for kind in ("connect", "cut", "recovered", "subscribe")] == [2, 1, 1, 1]
    assert [entry["uuid"] for entry in log if entry["kind"] == "notification"] == [before["uuid"], after["uuid"]]
    assert [entry["status"] for entry in log if entry.get("path") == "/restapi/oauth/revoke"] == [200]


@pytest.mark.timeout(90)
def test_the_calls_of_its_documentation(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/@ringcentral/sdk").is_dir(), "the npm package @ringcentral/sdk")

    steps = run_peer(str(node), NODE / "sdk_paths.mjs", gateway.users[1].password)

    names = ["code", "messages", "message-store", "team", "refused", "refreshed", "logout", "discovered", "others"]
    assert [step["step"] for step in steps] == names
    code, messages, store, team, refused, refreshed, logout, discovered, others = steps

    assert (code["state"], code["wrong"]["status"], code["loggedIn"]) == ("xyz", 400, True)
    assert code["ttl"] == [600, 1200]
    assert messages["extensionNumber"] == "102"  # as its loginHint said
    one, two = messages["texts"]
    assert [one["subject"], two["subject"]] == ["one", "two"]
    assert (messages["mms"]["type"], messages["mms"]["conversationId"]) == ("SMS", one["conversationId"])
    assert (messages["content"], messages["signed"]) == ("some plain text", "some plain text")
    assert (messages["fax"]["type"], messages["fax"]["faxPageCount"]) == ("Fax", 1)

    assert store["batch"] == [[200, "one"], [200, "two"], [404, None]]
    assert (store["marked"], store["unread"][-1], store["gone"]) == ("Unread", one["id"], 204)
    assert (store["presence"], store["callLog"]["page"]) == ("Busy", 1)
    assert (team["chat"], team["post"]) == ("Personal", "better")
    # What it makes of a refusal is the text of ours.
    assert refused["unknown"] == {"status": 404, "message": "Resource for parameter [messageId] is not found"}
    assert refused["invalid"] == {"status": 400, "message": "Parameter [from] value is invalid"}

    assert (refreshed["changed"], refreshed["old"]) == (True, 401)
    assert (logout["loggedIn"], logout["happened"].count("refreshSuccess")) == (False, 2)
    assert "logoutSuccess" in logout["happened"]
    assert discovered["extensionNumber"] == "101"
    assert (others["password"], others["jwt"], others["token"]) == ("102", "102", "102")
