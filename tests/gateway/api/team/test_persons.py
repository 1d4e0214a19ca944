"""Persons and the company."""

from __future__ import annotations

from tests.gateway.api.team.conftest import GLIP, TEAM


def test_a_person_is_an_extension(ada, bob):
    person = ada.json("GET", f"{TEAM}/persons/{bob.extension.id}")
    assert (person["id"], person["firstName"], person["lastName"]) == (bob.extension.id, "Bob", "Central")
    assert bob.json("GET", f"{GLIP}/persons/~") == person
    assert ada.json("GET", f"{TEAM}/companies/~")["id"] == person["companyId"]
    assert ada.json("GET", f"{TEAM}/companies/{person['companyId']}")["domain"] == "gateway.invalid"
    assert ada.refused("GET", f"{TEAM}/persons/1") == (404, "CMN-102")
    assert ada.refused("GET", f"{TEAM}/companies/1") == (404, "CMN-102")
