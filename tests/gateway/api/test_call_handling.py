"""How calls are handled: kept and told."""

from __future__ import annotations

ACCOUNT = "/restapi/v1.0/account/~"
EXTENSION = f"{ACCOUNT}/extension/~"


def test_all_calls_are_forwarded_or_not(ada, bob):
    events = ada.subscribe(EXTENSION)
    for path in (f"{EXTENSION}/forward-all-calls", f"{ACCOUNT}/forward-all-calls"):
        assert ada.json("GET", path) == {"enabled": False}
        assert ada.json("PATCH", path, {"enabled": True}) == {"enabled": True}
        assert ada.json("GET", path) == {"enabled": True}
    assert [event["body"]["hints"] for event in events.take()] == [["AnsweringRules"]]
    assert bob.json("GET", f"{EXTENSION}/forward-all-calls") == {"enabled": False}
    assert bob.refused("PATCH", f"{ACCOUNT}/forward-all-calls", {"enabled": False}) == (403, "CMN-408")
    assert ada.refused("PATCH", f"{EXTENSION}/forward-all-calls", {"enabled": "no"}) == (400, "CMN-101")


def test_the_caller_id_is_kept(ada):
    before = ada.json("GET", f"{EXTENSION}/caller-id")
    assert before["byFeature"][0]["callerId"]["phoneInfo"] == {"phoneNumber": ada.extension.phone_number}
    after = ada.json("PUT", f"{EXTENSION}/caller-id", {"extensionNameForOutboundCalls": False})
    assert after == before | {"extensionNameForOutboundCalls": False}
    assert ada.json("GET", f"{EXTENSION}/caller-id") == after


def test_rules_are_added_changed_and_removed(ada, bob):
    rules = f"{EXTENSION}/answering-rule"
    built_in = [one["id"] for one in ada.json("GET", rules)["records"]]
    assert built_in == ["business-hours-rule", "after-hours-rule"]
    one = ada.json("POST", rules, {"name": "Lunch"})
    assert ada.json("PUT", f"{rules}/{one['id']}", {"enabled": False}) == one | {"enabled": False}
    assert ada.json("GET", f"{rules}/{one['id']}")["name"] == "Lunch"
    assert bob.refused("GET", f"{rules}/{one['id']}") == (404, "CMN-102")
    assert ada.json("DELETE", f"{rules}/{one['id']}") is None
    assert [one["id"] for one in ada.json("GET", rules)["records"]] == built_in
    assert ada.refused("DELETE", f"{rules}/after-hours-rule") == (403, "CMN-405")
