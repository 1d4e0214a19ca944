"""The published JavaScript client (`@rc-ex/core` + `@rc-ex/ws`) goes through its main job with our gateway."""

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
    # This client loses what comes in one segment with ConnectionDetails, for it attaches its listener a turn too late;
    # and it opens every WebSocket with one and the same wstoken while that is young.
    return {"coalesce": False, "single_use_wstoken": False}


@pytest.mark.timeout(90)
def test_login_rest_subscribe_event_loss_recovery_event_revoke(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/.installed").is_file(), "the npm client")

    steps = run_peer(str(node), NODE / "main.mjs")

    names = ["login", "installed", "rest", "subscribed", "event", "lost", "recovered", "event", "revoked"]
    assert [step["step"] for step in steps] == names
    login, installed, _, subscribed, before, lost, recovered, after, revoked = steps
    assert login["tokenType"] == "bearer"
    assert installed["maxActiveRequests"] == 10
    assert lost["cut"] == 200
    assert recovered["recoveryState"] == "Successful"
    assert recovered["id"] == subscribed["id"]
    for event in (before, after):
        assert event["subscriptionId"] == subscribed["id"]
        assert event["type"] == "Pager"

    log = gateway.log()
    kinds = [entry["kind"] for entry in log]
    assert (kinds.count("cut"), kinds.count("recovered")) == (1, 1)
    requests = [(entry["method"], entry["path"], entry["via"]) for entry in log if entry["kind"] == "request"]
    assert [via for _, path, via in requests if path.endswith("/company-pager")] == ["websocket", "https", "websocket"]
    assert ("DELETE", f"/restapi/v1.0/subscription/{subscribed['id']}", "websocket") in requests
    assert requests[-1] == ("POST", "/restapi/oauth/revoke", "https")

    sent = [entry["uuid"] for entry in log if entry["kind"] == "notification" and entry["state"] == "sent"]
    assert len(sent) == 3
    # Where the machine is slow, the replayed one reaches this client together with ConnectionDetails, and it is lost.
    assert revoked["notified"] in (sent, [sent[0], sent[2]])
    assert (before["uuid"], after["uuid"]) == (sent[0], sent[2])
