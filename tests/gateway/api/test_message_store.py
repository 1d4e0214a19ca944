"""The message store: each filter, several ids at once, deletion in two steps."""

from __future__ import annotations

import json

import pytest

from tests.gateway.api.test_sms import ADA, BOB, OUTSIDER, SMS, STORE, text_to

PAGER = "/restapi/v1.0/account/~/extension/~/company-pager"


@pytest.fixture
def ids(ada, bob):
    """The ids of what Ada has, by a word each."""
    found = {"sent": ada.json("POST", SMS, text_to(OUTSIDER))["id"]}
    found["again"] = ada.json("POST", SMS, text_to(OUTSIDER, text="again"))["id"]
    bob.json("POST", SMS, text_to(ADA, own=BOB, text="from Bob"))
    found["pager"] = ada.json("POST", PAGER, {"text": "p", "to": [{"extensionNumber": "102"}]})["id"]
    found["fax"] = ada.gateway.receive_fax(from_number=BOB)["id"]
    found["bob"] = ada.json("GET", STORE, messageType="SMS", direction="Inbound")["records"][0]["id"]
    return found


def listed(person, ids, **query) -> set[str]:
    names = {number: name for name, number in ids.items()}
    return {names[one["id"]] for one in person.json("GET", STORE, **query)["records"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"sent", "again", "bob", "pager", "fax"}),
        ({"messageType": "SMS"}, {"sent", "again", "bob"}),
        ({"messageType": ["Fax", "Pager"]}, {"pager", "fax"}),
        ({"direction": "Inbound"}, {"bob", "fax"}),
        ({"readStatus": "Unread"}, {"bob", "fax"}),
        ({"readStatus": ["Read", "Unread"], "direction": "Outbound"}, {"sent", "again", "pager"}),
        ({"phoneNumber": "(650) 555-0102"}, {"bob", "fax"}),
        ({"phoneNumber": OUTSIDER}, {"sent", "again"}),
        ({"distinctConversations": "true"}, {"again", "bob", "pager", "fax"}),
        ({"availability": "Deleted"}, set()),
        ({"dateFrom": "2020-01-01"}, {"sent", "again", "bob", "pager", "fax"}),
        ({"dateTo": "2020-01-01T00:00:00.000Z"}, set()),
        ({"dateFrom": "2999-01-01T00:00:00+01:00"}, set()),
    ],
)
def test_each_filter(ada, ids, query, expected):
    assert listed(ada, ids, **query) == expected


def test_a_conversation(ada, ids):
    conversation = ada.json("GET", f"{STORE}/{ids['sent']}")["conversationId"]
    assert listed(ada, ids, conversationId=conversation) == {"sent", "again"}


@pytest.mark.parametrize(
    "query",
    [
        {"dateFrom": "yesterday"},
        {"dateTo": ""},
        {"direction": "Sideways"},
        {"availability": "Gone"},
        {"messageType": "Letter"},
        {"readStatus": "read"},
        {"distinctConversations": "perhaps"},
    ],
)
def test_a_filter_that_is_none(ada, query):
    (name,) = query
    answer = ada.ask("GET", STORE, **query)
    assert (answer.status, f"[{name}" in answer.body.decode()) == (400, True)


def test_the_dates_at_the_ends_of_time(ada):
    assert ada.json("GET", STORE, dateFrom="0001-01-01T00:00:00+23:59", dateTo="9999-12-31T23:59:59-23:59")
    assert ada.json("GET", STORE, dateTo="0001-01-01T00:00:00+23:59")["records"] == []


def test_a_message_older_than_a_day_is_listed_from_its_own_date(ada, ids):
    old = ada.gateway.core.messages.get(ids["sent"])
    old.created -= 25 * 3600 * 1000
    created = ada.json("GET", f"{STORE}/{ids['sent']}")["creationTime"]
    assert "sent" not in listed(ada, ids)
    assert "sent" in listed(ada, ids, dateFrom=created)
    assert listed(ada, ids, dateTo=created) == {"sent"}


def parts_of(answer) -> list[dict]:
    assert answer.status == 207, answer.body
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    return [json.loads(part.partition("\r\n\r\n")[2]) for part in answer.body.decode().split(f"--{boundary}")[1:-1]]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_several_messages_are_marked_at_once(ada, ids, method):
    events = ada.subscribe(STORE)
    statuses, *bodies = parts_of(ada.ask(method, f"{STORE}/{ids['bob']},1,{ids['fax']}", {"readStatus": "Read"}))
    assert [one["status"] for one in statuses["response"]] == [200, 404, 200]
    assert [one.get("readStatus") for one in bodies] == ["Read", None, "Read"]
    assert [event["body"]["changes"][0]["updatedCount"] for event in events.take()] == [1, 1]
    assert listed(ada, ids, readStatus="Unread") == set()


def test_no_more_than_fifty_ids(ada, ids):
    many = ",".join([str(ids["bob"])] * 51)
    for method, body in (("GET", None), ("PUT", {"readStatus": "Read"}), ("DELETE", None)):
        assert ada.refused(method, f"{STORE}/{many}", body) == (400, "CMN-101")


def test_deletion_takes_two_steps_and_the_first_can_be_undone(ada, ids):
    one = f"{STORE}/{ids['bob']}"
    content = ada.json("GET", one)["attachments"][0]["uri"].removeprefix("http://gateway.test")
    ada.json("DELETE", one)
    assert "bob" not in listed(ada, ids)
    assert listed(ada, ids, availability="Deleted") == {"bob"}
    assert ada.json("PATCH", one, {"availability": "Alive"})["availability"] == "Alive"
    assert "bob" in listed(ada, ids)
    ada.json("DELETE", one)
    assert ada.ask("GET", content).status == 200
    ada.json("DELETE", one)
    assert ada.json("GET", one)["availability"] == "Purged"
    assert ada.refused("GET", content) == (404, "CMN-102")
    assert ada.refused("PATCH", one, {"availability": "Alive"}) == (400, "CMN-101")
    events = ada.subscribe(STORE)
    ada.json("DELETE", one)
    assert events.take() == []


def test_a_patch_deletes_and_purges(ada, ids):
    one = f"{STORE}/{ids['bob']}"
    for wanted in ("Deleted", "Deleted", "Purged"):
        assert ada.json("PATCH", one, {"availability": wanted})["availability"] == wanted


def test_deletion_at_once_and_of_one_type(ada, ids):
    ada.json("DELETE", f"{STORE}/{ids['bob']},{ids['fax']}", purge="true", type="Fax")
    assert listed(ada, ids, availability="Purged") == {"fax"}
    assert "bob" in listed(ada, ids)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({}, set()),
        ({"type": "SMS"}, {"pager", "fax"}),
        ({"dateTo": "2020-01-01"}, {"sent", "again", "bob", "pager", "fax"}),
    ],
)
def test_deletion_by_filter(ada, ids, query, left):
    ada.json("DELETE", STORE, **query)
    assert listed(ada, ids) == left


def test_deletion_of_conversations(ada, bob, ids):
    of = {name: ada.json("GET", f"{STORE}/{ids[name]}")["conversationId"] for name in ("sent", "bob")}
    ada.json("DELETE", STORE, conversationId=f"{of['sent']},{of['bob']}")
    assert listed(ada, ids) == {"pager", "fax"}
    assert len(bob.json("GET", STORE)["records"]) == 2


def test_two_pages(ada, ids):
    page = ada.json("GET", STORE, perPage=2, page=3)
    assert [one["id"] for one in page["records"]] == [ids["sent"]]
    assert (page["paging"]["totalPages"], page["paging"]["totalElements"]) == (3, 5)
