"""The account: its data, numbers, devices and permissions."""

from __future__ import annotations

import pytest

ACCOUNT = "/restapi/v1.0/account/~"
EXTENSION = f"{ACCOUNT}/extension/~"


def test_the_account_describes_itself(ada):
    account = ada.json("GET", ACCOUNT)
    assert account["id"] == 37439510
    assert account["operator"]["extensionNumber"] == "101"
    assert ada.json("GET", f"{ACCOUNT}/service-info")["serviceFeatures"]
    assert ada.json("GET", f"{ACCOUNT}/company-info")["mainNumber"] == account["mainNumber"]
    assert ada.json("GET", f"{ACCOUNT}/business-address")["company"]


def test_an_extension_sends_texts_from_its_own_number(ada, bob):
    numbers = ada.json("GET", f"{EXTENSION}/phone-number")["records"]
    senders = [one["phoneNumber"] for one in numbers if "SmsSender" in one["features"]]
    assert senders == [ada.extension.phone_number]
    direct = ada.json("GET", f"{EXTENSION}/phone-number", usageType="DirectNumber")["records"]
    assert [one["phoneNumber"] for one in direct] == senders
    all_numbers = ada.json("GET", f"{ACCOUNT}/phone-number")["records"]
    assert len(all_numbers) == 3
    assert {one.get("extension", {}).get("id") for one in all_numbers} >= {int(bob.extension.id)}
    one = all_numbers[0]
    assert ada.json("GET", f"{ACCOUNT}/phone-number/{one['id']}") == one
    assert ada.refused("GET", f"{ACCOUNT}/phone-number/5") == (404, "CMN-102")


def test_everybody_has_a_phone(ada):
    assert len(ada.json("GET", f"{ACCOUNT}/device")["records"]) == 2
    (own,) = ada.json("GET", f"{EXTENSION}/device")["records"]
    assert own["extension"]["extensionNumber"] == "101"


def test_the_application_says_what_it_may_do(ada, app):
    app.core.apps.first.permissions = ["ReadAccounts", "ReadClientInfo"]
    profile = ada.json("GET", f"{EXTENSION}/authz-profile")
    assert [one["permission"]["id"] for one in profile["permissions"]] == ["ReadAccounts", "ReadClientInfo"]
    check = f"{EXTENSION}/authz-profile/check"
    assert ada.json("GET", check, permissionId="ReadAccounts")["successful"] is True
    assert ada.json("GET", check, permissionId="SMS")["successful"] is False
    client = ada.json("GET", "/restapi/v1.0/client-info")["client"]
    assert client["appId"] == app.core.apps.first.client_id


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"searchString": "ada"}, ["101"]),
        ({"searchString": "CENTRAL bob"}, ["102"]),
        ({"searchString": "1650555010"}, ["101", "102"]),
        ({"searchString": "102", "searchFields": ["extensionNumber"]}, ["102"]),
        ({"searchString": "ada", "searchFields": ["lastName"]}, []),
        ({"extensionType": "Department"}, []),
        ({"extensionTypes": ["User"], "perPage": 1, "page": 2}, ["102"]),
        ({}, ["101", "102"]),
    ],
)
def test_the_directory_is_searched(ada, query, numbers):
    found = ada.json("POST", f"{ACCOUNT}/directory/entries/search", query)
    assert [one["extensionNumber"] for one in found["records"]] == numbers
    assert {one["type"] for one in found["records"]} <= {"User"}


def test_the_directory_is_listed_and_read(ada, bob):
    listed = ada.json("GET", f"{ACCOUNT}/directory/entries")
    assert listed["paging"]["totalElements"] == 2
    entry = ada.json("GET", f"{ACCOUNT}/directory/entries/{bob.extension.id}")
    assert (entry["firstName"], entry["lastName"]) == ("Bob", "Central")
    assert entry in listed["records"]
    assert ada.json("GET", f"{ACCOUNT}/directory/entries", type="Bot")["records"] == []
    assert ada.refused("GET", f"{ACCOUNT}/directory/entries/9") == (404, "CMN-102")


@pytest.mark.parametrize("name", ["country", "state", "timezone", "language", "permission", "fax-cover-page"])
def test_each_dictionary_has_entries(ada, name):
    records = ada.json("GET", f"/restapi/v1.0/dictionary/{name}")["records"]
    assert records
    if name != "fax-cover-page":
        assert ada.json("GET", f"/restapi/v1.0/dictionary/{name}/{records[0]['id']}") == records[0]


def test_what_is_in_no_dictionary_is_not_found(ada):
    assert ada.refused("GET", "/restapi/v1.0/dictionary/planet") == (404, "CMN-102")
    assert ada.refused("GET", "/restapi/v1.0/dictionary/country/0") == (404, "CMN-102")
