"""The address book: contacts, and what has changed since a token."""

from __future__ import annotations

import pytest

BOOK = "/restapi/v1.0/account/~/extension/~/address-book"
CONTACTS = f"{BOOK}/contact"
SYNC = f"{BOOK}-sync"


def test_a_contact_is_added_changed_and_deleted(ada, bob):
    one = ada.json("POST", CONTACTS, {"firstName": "Charles", "businessPhone": "+442071234567"})
    path = f"{CONTACTS}/{one['id']}"
    assert one["availability"] == "Alive"
    assert one["uri"].startswith("http://gateway.test/restapi/v1.0/account/37439510/extension/")
    assert ada.json("GET", path) == one
    assert ada.json("PATCH", path, {"lastName": "Babbage"})["firstName"] == "Charles"
    assert "firstName" not in ada.json("PUT", path, {"lastName": "Babbage"})
    assert bob.refused("GET", path) == (404, "CMN-102")
    assert ada.json("DELETE", path) is None
    assert ada.refused("GET", path) == (404, "CMN-102")


def test_contacts_are_found_and_sorted(ada):
    for first, last, phone in (("Charles", "Babbage", "+1"), ("alan", "Turing", "+2"), ("Grace", "Hopper", "+3")):
        ada.json("POST", CONTACTS, {"firstName": first, "lastName": last, "mobilePhone": phone})

    def found(**query):
        return [one["lastName"] for one in ada.json("GET", CONTACTS, **query)["records"]]

    assert found(startsWith="A") == ["Turing"]
    assert found(startsWith="h") == ["Hopper"]
    assert found(phoneNumber=["+1", "+3"]) == ["Babbage", "Hopper"]
    assert found(sortBy="FirstName") == ["Turing", "Babbage", "Hopper"]
    assert found(sortBy="LastName", perPage=1, page=3) == ["Turing"]
    assert ada.refused("GET", CONTACTS, sortBy="Shoe") == (400, "CMN-101")


def test_a_token_brings_what_has_changed_since(ada):
    kept, gone = (ada.json("POST", CONTACTS, {"firstName": name})["id"] for name in ("Ann", "Ben"))
    whole = ada.json("GET", SYNC, syncType="FSync", perPage=1)
    assert [one["id"] for one in whole["records"]] == [kept]
    assert ada.json("GET", SYNC, perPage=1, pageId=whole["nextPageId"])["records"][0]["id"] == gone
    token = whole["syncInfo"]["syncToken"]
    assert ada.json("GET", SYNC, syncType="ISync", syncToken=token)["records"] == []
    ada.json("PATCH", f"{CONTACTS}/{kept}", {"notes": "x"})
    ada.json("DELETE", f"{CONTACTS}/{gone}")
    changed = ada.json("GET", SYNC, syncType="ISync", syncToken=token)["records"]
    assert {one["id"]: one["availability"] for one in changed} == {kept: "Alive", gone: "Deleted"}


@pytest.mark.parametrize("token", ["", "x", "9" * 30])
def test_a_token_that_is_none_is_refused(ada, token):
    assert ada.refused("GET", SYNC, syncType="ISync", syncToken=token) == (400, "CMN-101")


def test_a_contact_that_is_too_long_is_refused(ada):
    address = {f"x{number}": "y" * 999 for number in range(20)}
    assert ada.refused("POST", CONTACTS, {"homeAddress": address}) == (400, "CMN-101")
    assert ada.refused("POST", CONTACTS, {"firstName": "y" * 1001}) == (400, "CMN-101")
