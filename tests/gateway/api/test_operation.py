"""What a handler's annotations promise: checked queries and bodies, found extensions, statuses."""

from __future__ import annotations

import pytest

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
PAGER = "/restapi/v1.0/account/~/extension/~/company-pager"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "text"),
        ({"text": "hi"}, "to"),
        ({"text": "", "to": []}, "text"),
        ({"text": 5, "to": []}, "text"),
        ({"text": "hi", "to": [5]}, "to[0]"),
    ],
)
def test_a_bad_body_is_refused_by_the_name_of_its_member(ada, body, name):
    answer = ada.ask("POST", PAGER, body)
    assert (answer.status, f"[{name}]" in answer.body.decode()) == (400, True)


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "9" * 5000, "1.5"])
def test_a_bad_query_is_refused_by_the_name_of_its_parameter(ada, value):
    answer = ada.ask("GET", STORE, perPage=value)
    assert (answer.status, "[perPage]" in answer.body.decode()) == (400, True)


def test_a_repeated_parameter_is_a_list_and_an_unknown_one_is_ignored(ada):
    ada.json("POST", PAGER, {"text": "hi", "to": [{"extensionNumber": "101"}]})
    assert len(ada.json("GET", STORE, messageType=["SMS", "Pager"], whatever=1)["records"]) == 1
    assert ada.json("GET", STORE, messageType=["SMS", "Fax"])["records"] == []


def test_another_account_is_not_found_before_anything_else(ada):
    path = PAGER.replace("account/~", "account/1")
    assert ada.refused("POST", path, {"nonsense": True}) == (404, "CMN-102")


def test_the_extension_of_somebody_else_may_be_read_but_not_used(ada, bob):
    path = f"/restapi/v1.0/account/~/extension/{bob.extension.id}"
    assert ada.json("GET", path)["extensionNumber"] == "102"
    assert ada.refused("GET", f"{path}/message-store") == (403, "CMN-404")


def test_a_notification_reaches_who_has_subscribed(ada, bob):
    events = bob.subscribe("/restapi/v1.0/account/~/extension/~/message-store")
    ada.json("POST", PAGER, {"text": "hi", "to": [{"extensionNumber": "102"}]})
    (event,) = events.take()
    assert event["body"]["changes"][0]["newCount"] == 1
    assert events.take() == []
