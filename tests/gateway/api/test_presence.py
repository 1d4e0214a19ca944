"""Presence of others and of the account, and what follows from a change."""

from __future__ import annotations

import json

import pytest

from rcex_ws.gateway.account.presence import PresenceBoard

ACCOUNT = "/restapi/v1.0/account/~"
PRESENCE = f"{ACCOUNT}/extension/~/presence"


def test_the_presence_of_the_account_has_everybody(app, ada):
    app.ring()
    answer = ada.json("GET", f"{ACCOUNT}/presence", detailedTelephonyState="true", perPage=10)
    first, second = answer["records"]
    assert (first["telephonyStatus"], second["telephonyStatus"]) == ("Ringing", "NoCall")
    assert (len(first["activeCalls"]), second["activeCalls"]) == (1, [])
    assert answer["paging"]["totalElements"] == 2
    assert "activeCalls" not in ada.json("GET", f"{ACCOUNT}/presence")["records"][0]


def test_several_are_read_at_once(ada, bob):
    answer = ada.ask("GET", f"{ACCOUNT}/extension/101,102,103/presence")
    assert answer.status == 207
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    parts = [part.partition("\r\n\r\n")[2] for part in answer.body.decode().split(f"--{boundary}")[1:-1]]
    first, *bodies = map(json.loads, parts)
    assert [one["status"] for one in first["response"]] == [200, 200, 404]
    assert first["response"][1]["href"].endswith("/extension/102/presence")
    assert [body.get("extension", {}).get("extensionNumber") for body in bodies] == ["101", "102", None]


@pytest.mark.parametrize(
    ("wanted", "follows"),
    [
        ({"dndStatus": "DoNotAcceptAnyCalls"}, {"dndStatusPersonal": "DoNotAcceptAnyCalls", "presenceStatus": "Busy"}),
        ({"acceptCallQueueCalls": False}, {"dndStatus": "DoNotAcceptDepartmentCalls", "presenceStatus": "Available"}),
        ({"dndStatusPersonal": "DoNotAcceptAnyCalls"}, {"dndStatus": "TakeDepartmentCallsOnly"}),
        ({"dndStatus": "Unknown"}, {"dndStatusPersonal": "TakeAllCalls"}),
        ({"userStatus": "Offline", "dndStatus": "DoNotAcceptAnyCalls"}, {"presenceStatus": "Offline"}),
    ],
    ids=str,
)
def test_what_follows_from_a_setting(ada, wanted, follows):
    assert ada.json("PUT", PRESENCE, wanted).items() >= (wanted | follows).items()


def test_only_a_change_of_dnd_is_told_as_one(ada):
    events = ada.subscribe(f"{PRESENCE}/dnd")
    ada.json("PUT", PRESENCE, {"userStatus": "Busy"})
    assert events.take() == []
    ada.json("PUT", PRESENCE, {"dndStatus": "DoNotAcceptAnyCalls"})
    (event,) = events.take()
    assert event["body"]["dndStatus"] == "DoNotAcceptAnyCalls"


def test_a_detailed_filter_gets_details_only_if_it_says_true(ada):
    events = ada.subscribe(f"{PRESENCE}?detailedTelephonyState=false")
    ada.json("PUT", PRESENCE, {"message": "At lunch"})
    body = events.take()[0]["body"]
    assert "activeCalls" not in body
    assert "message" not in body


def test_favorites_are_extensions_of_the_account(ada):
    path = f"{ACCOUNT}/extension/~/favorite"
    assert ada.json("GET", path)["records"] == []
    assert ada.refused("PUT", path, {"records": [{"extensionId": "9"}]}) == (404, "CMN-102")
    saved = ada.json("PUT", path, {"records": [{"extensionId": "102"}, {"extensionId": "102"}]})
    assert [one["id"] for one in saved["records"]] == [1]
    assert ada.json("GET", path) == saved


def test_settings_outlive_a_restart(app, ada):
    ada.json("PUT", PRESENCE, {"userStatus": "Busy", "message": "In a call"})
    app.watch_lines(["102"])
    again = PresenceBoard(app.core.calls.telephony_status)
    again.load(app.core.presence.dump())
    assert again.of(ada.extension) == app.core.presence.of(ada.extension)
    assert again.watched(ada.extension.id).lines == app.core.presence.watched(ada.extension.id).lines != []
