"""The published JavaScript client (`@rc-ex/core` + `@rc-ex/ws`) goes through its main job with our gateway."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway

NODE = Path(__file__).parent / "node"
PICTURE = "\x89PNG\r\n"


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


@pytest.mark.timeout(90)
def test_its_own_paths_for_two_users(
    gateway: Gateway, run_peer: Callable[..., list[dict[str, Any]]], need: Callable[[bool, str], None]
) -> None:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/.installed").is_file(), "the npm client")

    steps = run_peer(str(node), NODE / "paths.mjs")

    own, other = gateway.users[:2]
    names = ["subscribed", "sent", "multipart over the WebSocket", "sent as JSON", "message-store", "content"]
    names += ["changed", "batch", "calls", "presence", "team", "recovered", "revoked"]
    assert [step["step"] for step in steps] == names
    _, sent, multipart, as_json, store, content, changed, batch, calls, presence, team, recovered, _ = steps

    assert [sent[name]["type"] for name in ("sms", "mms", "fax")] == ["SMS", "SMS", "Fax"]
    assert (sent["sms"]["from"]["phoneNumber"], sent["sms"]["subject"]) == (own.phone_number, "an SMS")
    assert sent["sms"]["conversation"] == sent["mms"]["conversation"] == as_json["sms"]["conversation"]
    assert (sent["fax"]["faxPageCount"], sent["fax"]["faxResolution"]) == (1, "High")
    # A fault of this client, which an application must not take for one of its own.
    assert (multipart["status"], multipart["errorCode"]) == (400, "CMN-101")
    assert store["records"] == [as_json["sms"]["id"], sent["fax"]["id"]]
    assert (store["paging"]["totalElements"], content["content"]) == (4, PICTURE)
    assert (changed["inbox"], changed["marks"]) == (["SMS", "Fax", "SMS", "SMS"], ["Read", "Unread"])
    assert (changed["deleted"], changed["sync"]) == ("Deleted", "FSync")

    # It finds the end of the frame's meta by the name of the boundary.
    assert batch["statuses"] == [207, 207]
    over_websocket, over_https = (parts(body) for body in batch["bodies"])
    assert over_websocket == over_https
    assert [one["status"] for one in over_https[0]["response"]] == [200, 200, 404]
    assert over_https[1:3] == [sent["sms"], sent["mms"]]
    assert over_https[3]["errorCode"] == "CMN-102"

    assert (calls["ringing"], calls["active"], calls["ofAccount"], calls["sync"]) == ("+14155550100", 1, 1, 1)
    assert (calls["one"], calls["record"]["result"]) == (calls["record"]["id"], "Accepted")
    assert calls["record"]["from"]["phoneNumber"] == "+14155550100"
    assert (presence["changed"]["presenceStatus"], presence["changed"]["message"]) == ("Busy", "away")
    assert (presence["event"]["userStatus"], presence["ofAll"]) == ("Busy", 2)

    assert (team["event"]["creatorId"], team["event"]["threadId"]) == (other.id, team["threadId"])
    assert (team["edited"], team["file"], team["posts"]) == ("a better question", PICTURE, ["", "an answer"])
    assert (team["person"], team["chats"]) == ("Bob", [team["event"]["groupId"]])
    assert (team["note"], team["task"]) == ("Active", "Completed")

    assert recovered["state"] == "Successful"
    # Where the machine is slow, the first one is lost, see above.
    assert recovered["texts"] in (recovered["sent"], recovered["sent"][1:])
    via = {(entry["path"].rpartition("/")[2], entry["via"]) for entry in gateway.log() if entry["kind"] == "request"}
    assert {("presence", "websocket"), ("call-log", "websocket"), ("posts", "websocket"), ("fax", "https")} <= via


def parts(body: str) -> list[Any]:
    """Return what the parts of a batch answer hold, as JSON."""
    boundary = body.partition("\r\n")[0]
    return [json.loads(part.partition("\r\n\r\n")[2]) for part in body.split(boundary)[1:-1]]
