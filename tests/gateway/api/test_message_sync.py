"""Synchronization: all at first, then what has changed."""

from __future__ import annotations

import base64

import pytest

from tests.gateway.api.test_sms import ADA, BOB, OUTSIDER, SMS, STORE, text_to

SYNC = "/restapi/v1.0/account/~/extension/~/message-sync"


def ids_of(answer) -> list[int]:
    return [one["id"] for one in answer["records"]]


def later(person, answer):
    return person.json("GET", SYNC, syncType="ISync", syncToken=answer["syncInfo"]["syncToken"])


def test_only_what_has_changed_comes_again(ada, bob):
    first, second = (ada.json("POST", SMS, text_to(OUTSIDER))["id"] for _ in range(2))
    full = ada.json("GET", SYNC)
    assert (ids_of(full), full["syncInfo"]["syncType"]) == ([second, first], "FSync")
    nothing = later(ada, full)
    assert (ids_of(nothing), nothing["syncInfo"]["syncType"]) == ([], "ISync")
    bob.json("POST", SMS, text_to(ADA, own=BOB))
    ada.json("DELETE", f"{STORE}/{first}")
    ada.json("PUT", f"{STORE}/{second}", {"readStatus": "Unread"})
    changed = later(ada, nothing)
    found = {one["id"]: (one["availability"], one["readStatus"]) for one in changed["records"]}
    assert (found[first], found[second], len(found)) == (("Deleted", "Read"), ("Alive", "Unread"), 3)
    assert ids_of(later(ada, changed)) == []
    assert len(ids_of(later(ada, full))) == 3


def test_the_token_remembers_the_filters(ada):
    full = ada.json("GET", SYNC, messageType="Fax", direction="Inbound")
    ada.json("POST", SMS, text_to(OUTSIDER))
    fax = ada.gateway.receive_fax()
    assert ids_of(later(ada, full)) == [fax["id"]]


def test_older_records_are_left_out_and_said_to_exist(ada):
    for _ in range(3):
        ada.json("POST", SMS, text_to(OUTSIDER))
    some = ada.json("GET", SYNC, recordCount=2)
    assert (len(some["records"]), some["syncInfo"]["olderRecordsExist"]) == (2, True)
    one = ada.json("GET", SYNC, distinctConversations="true")
    assert (len(one["records"]), one["syncInfo"]["olderRecordsExist"]) == (1, False)


@pytest.mark.parametrize("token", [None, "", "x", "\u00fc", base64.b64encode(b"[-1, [], [], []]").decode()])
def test_a_token_that_is_none(ada, token):
    query = {} if token is None else {"syncToken": token}
    assert ada.refused("GET", SYNC, syncType="ISync", **query) == (400, "CMN-101")
