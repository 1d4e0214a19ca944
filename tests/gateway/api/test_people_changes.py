"""Extensions: listed, changed, added and removed, and who is told of it."""

from __future__ import annotations

import pytest

ACCOUNT = "/restapi/v1.0/account/~"
EXTENSION = f"{ACCOUNT}/extension/~"
FILTERS = (f"{ACCOUNT}/extension", EXTENSION, f"{ACCOUNT}/directory/entries")


def test_the_extensions_are_listed_by_pages_and_filters(ada):
    page = ada.json("GET", f"{ACCOUNT}/extension", perPage=1)
    assert [one["extensionNumber"] for one in page["records"]] == ["101"]
    assert page["paging"]["totalElements"] == 2
    assert "page=2" in page["navigation"]["nextPage"]["uri"]
    for query, numbers in (
        ({"page": 2, "perPage": 1}, ["102"]),
        ({"extensionNumber": "102"}, ["102"]),
        ({"email": "ada@gateway.invalid"}, ["101"]),
        ({"type": ["Department"]}, []),
        ({"type": ["User"], "status": "Enabled"}, ["101", "102"]),
    ):
        found = ada.json("GET", f"{ACCOUNT}/extension", **query)["records"]
        assert [one["extensionNumber"] for one in found] == numbers


def test_a_changed_contact_is_read_back_and_told(ada, bob):
    mine, theirs = ada.subscribe(*FILTERS), bob.subscribe(*FILTERS)
    changed = ada.json(
        "PUT", EXTENSION, {"contact": {"firstName": "Grace", "department": "Navy"}, "status": "Disabled"}
    )
    assert (changed["name"], changed["status"]) == ("Grace Ring", "Disabled")
    contact = ada.json("GET", EXTENSION)["contact"]
    assert (contact["firstName"], contact["lastName"], contact["department"]) == ("Grace", "Ring", "Navy")
    events = {one["event"]: one["body"] for one in mine.take()}
    change = {"extensionId": ada.extension.id, "eventType": "Update", "hints": ["ExtensionInfo"]}
    assert events == {
        "/restapi/v1.0/account/37439510/extension": {"extensions": [change]},
        ada.extension.uri: change,
        "/restapi/v1.0/account/37439510/directory/entries": {
            "entries": [{"id": ada.extension.id, "eventType": "Update"}]
        },
    }
    assert len(theirs.take()) == 2  # not of an extension that is not theirs


def test_only_an_administrator_changes_others(ada, bob):
    path = f"{ACCOUNT}/extension"
    assert ada.json("PUT", f"{path}/{bob.extension.id}", {"contact": {"lastName": "C"}})["name"] == "Bob C"
    assert bob.refused("PUT", f"{path}/{ada.extension.id}", {}) == (403, "CMN-404")
    assert bob.refused("POST", path, {"contact": {}}) == (403, "CMN-408")
    assert bob.refused("DELETE", f"{path}/{ada.extension.id}") == (403, "CMN-408")


def test_an_extension_comes_and_goes_with_its_logins(ada, app):
    events = ada.subscribe(f"{ACCOUNT}/extension")
    new = ada.json("POST", f"{ACCOUNT}/extension", {"contact": {"firstName": "Eve", "email": "eve@example.com"}})
    assert (new["extensionNumber"], new["contact"]["email"]) == ("103", "eve@example.com")
    eve = app.core.people.by_id("103")
    login = app.core.oauth.log_in(eve)
    left = app.core.subscriptions.create(eve, [EXTENSION])
    assert ada.json("DELETE", f"{ACCOUNT}/extension/{eve.id}") is None
    assert not login.alive(app.core.clock.now())
    assert left not in app.core.subscriptions.live()
    assert ada.refused("GET", f"{ACCOUNT}/extension/{eve.id}") == (404, "CMN-102")
    kinds = [event["body"]["extensions"][0]["eventType"] for event in events.take()]
    assert kinds == ["Create", "Delete"]
    assert ada.refused("DELETE", EXTENSION) == (403, "CMN-408")


@pytest.mark.parametrize(
    "body",
    [
        {"contact": {"firstName": 5}},
        {"extensionNumber": "102"},
        {"extensionNumber": "1O1"},
        {"status": "Asleep"},
        {"regionalSettings": {"x": "y" * 70_000}},
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(ada, body):
    before = ada.json("GET", EXTENSION)
    assert ada.refused("PUT", EXTENSION, body) == (400, "CMN-101")
    assert ada.json("GET", EXTENSION) == before


def test_a_number_that_is_taken_is_not_given_again(ada):
    assert ada.refused("POST", f"{ACCOUNT}/extension", {"contact": {}, "extensionNumber": "101"}) == (400, "CMN-101")


def test_who_is_added_gets_nothing_of_who_was_removed(ada, app):
    first = ada.json("POST", f"{ACCOUNT}/extension", {"contact": {"firstName": "Old"}})["id"]
    app.receive_sms("private", extension=str(first))
    ada.json("DELETE", f"{ACCOUNT}/extension/{first}")
    app.core.people.load(app.core.people.dump())  # nor after a restart
    second = ada.json("POST", f"{ACCOUNT}/extension", {"contact": {"firstName": "New"}})["id"]
    assert second > first
    assert list(app.core.messages.of(str(second))) == []


def test_extensions_that_come_and_go_leave_no_presence_behind(ada, app):
    one = ada.json("POST", f"{ACCOUNT}/extension", {"contact": {"firstName": "New"}})["id"]
    ada.json("PUT", f"{EXTENSION}/presence", {"userStatus": "Busy"})
    assert str(one) in app.core.presence.dump()["watched"]
    ada.json("DELETE", f"{ACCOUNT}/extension/{one}")
    assert str(one) not in app.core.presence.dump()["watched"]
