"""Faxes between colleagues, their options, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.gateway.api.test_sms import BOB, FORM, OUTSIDER, multipart

EXTENSION = "/restapi/v1.0/account/~/extension/~"
FAX = f"{EXTENSION}/fax"
STORE = f"{EXTENSION}/message-store"
MIXED = {"content-type": "multipart/mixed; boundary=b"}


@pytest.mark.parametrize("headers", [FORM, MIXED])
def test_a_colleague_gets_the_fax(ada, bob, headers):
    whole = bob.subscribe(f"{EXTENSION}/fax?direction=Inbound")
    stored = bob.subscribe(f"{STORE}?type=Fax")
    wanted = {"to": [{"phoneNumber": BOB}], "faxResolution": "Low", "coverIndex": 7, "coverPageText": "See below"}
    sent = json.loads(ada.ask("POST", FAX, multipart(wanted, b"1", b"2"), headers=headers).body)
    facts = {"faxResolution": "Low", "faxPageCount": 3, "coverIndex": 7, "coverPageText": "See below"}
    assert facts.items() <= sent.items()
    (got,) = bob.json("GET", STORE, messageType="Fax")["records"]
    assert facts.items() <= got.items()
    assert (got["direction"], got["from"]["name"]) == ("Inbound", "Ada Ring")
    assert [event["body"]["id"] for event in whole.take()] == [got["id"]]
    assert [event["body"]["changes"][0]["newMessageIds"] for event in stored.take()] == [[got["id"]]]
    assert bob.ask("GET", got["attachments"][1]["uri"].removeprefix("http://gateway.test")).body == b"2"


def test_a_form_field_may_be_a_number(ada):
    body = multipart({"to": [{"phoneNumber": OUTSIDER}]}, b"1")
    body = b'--b\r\nContent-Disposition: form-data; name="coverIndex"\r\n\r\n0\r\n' + body
    sent = json.loads(ada.ask("POST", FAX, body, headers=FORM).body)
    assert (sent["coverIndex"], sent["faxPageCount"]) == (0, 1)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"to": []},
        {"to": [{"phoneNumber": "nobody"}]},
        {"to": [{"phoneNumber": OUTSIDER}], "faxResolution": "Odd"},
        {"to": [{"phoneNumber": OUTSIDER}], "coverIndex": -1},
        {"to": [{"phoneNumber": OUTSIDER}], "coverPageText": "x" * 1025},
    ],
)
def test_what_a_fax_cannot_be(ada, wanted):
    assert ada.ask("POST", FAX, multipart(wanted, b"1"), headers=FORM).status == 400
