"""The commands by which messages come from outside, and by which what was sent is delivered or fails."""

from __future__ import annotations

import base64

import pytest

from rcex_ws.errors import ConfigurationError
from tests.gateway.api.test_sms import BOB, EXTENSION, INSTANT, OUTSIDER, SMS, STORE, text_to


def ordered(person, name, **members):
    return person.json("POST", f"/_gateway/{name}", members)["result"]


def test_a_text_comes(ada):
    instant, stored = ada.subscribe(INSTANT), ada.subscribe(STORE)
    got = ordered(ada, "receive_sms", text="hello", from_number="(415) 555 0100")
    assert (got["type"], got["direction"], got["subject"]) == ("SMS", "Inbound", "hello")
    assert got["from"] == {"phoneNumber": "+14155550100"}
    (event,) = instant.take()
    assert event["event"].endswith("/message-store/instant?type=SMS")
    assert (event["body"]["id"], event["body"]["subject"]) == (str(got["id"]), "hello")
    (event,) = stored.take()
    assert event["body"]["changes"][0]["newMessageIds"] == [got["id"]]
    assert ada.json("GET", f"{STORE}/{got['id']}")["subject"] == "hello"


@pytest.mark.parametrize("to", [{"to_number": "650 555 0102"}, {"extension": "102"}])
def test_it_comes_for_whom_it_is_meant_in_the_conversation_of_the_answer(bob, to):
    got = ordered(bob, "receive_sms", **to)
    assert got["to"] == [{"phoneNumber": BOB, "name": "Bob Central", "target": True}]
    answer = bob.json("POST", SMS, text_to(OUTSIDER, own=BOB))
    assert answer["conversationId"] == got["conversationId"]


def test_files_come_in_base64_or_as_bytes(ada):
    encoded = {"contentType": "image/png", "content": base64.b64encode(b"\x89PNG").decode(), "fileName": "a.png"}
    got = ordered(ada, "receive_sms", attachments=[encoded])
    assert [file["type"] for file in got["attachments"]] == ["MmsAttachment", "Text"]
    path = f"{STORE}/{got['id']}/content/{got['attachments'][0]['id']}"
    assert ada.ask("GET", path).body == b"\x89PNG"
    fax = ada.gateway.receive_fax(attachments=[{"contentType": "image/tiff", "content": b"II*"}])
    assert [file["contentType"] for file in fax["attachments"]] == ["image/tiff"]


def test_a_fax_comes(ada):
    whole = ada.subscribe(f"{EXTENSION}/fax?direction=Inbound")
    got = ordered(ada, "receive_fax")
    assert (got["faxPageCount"], got["attachments"][0]["type"]) == (1, "RenderedDocument")
    assert ada.ask("GET", f"{STORE}/{got['id']}/content/{got['attachments'][0]['id']}").body.startswith(b"%PDF")
    assert [event["body"]["id"] for event in whole.take()] == [got["id"]]


@pytest.mark.parametrize(
    ("transcription", "status", "kinds"),
    [
        (None, "NotAvailable", ["AudioRecording"]),
        ("Call me", "Completed", ["AudioRecording", "AudioTranscription"]),
    ],
)
def test_a_voicemail_comes(ada, transcription, status, kinds):
    whole = ada.subscribe(f"{EXTENSION}/voicemail")
    got = ordered(ada, "receive_voicemail", duration=9, transcription=transcription)
    assert (got["type"], got["vmTranscriptionStatus"]) == ("VoiceMail", status)
    assert [(file["type"], file["vmDuration"]) for file in got["attachments"]] == [(kind, 9) for kind in kinds]
    assert ada.ask("GET", f"{STORE}/{got['id']}/content/{got['attachments'][0]['id']}").body.startswith(b"\xff\xfb")
    assert [event["body"]["id"] for event in whole.take()] == [got["id"]]


def test_what_was_sent_is_delivered_or_fails(ada):
    sent = ada.json("POST", SMS, text_to(OUTSIDER))
    events = ada.subscribe(STORE)
    failed = ordered(ada, "set_message_status", message_id=sent["id"], status="DeliveryFailed", error_code="SMS-UP-410")
    assert (failed["messageStatus"], failed["deliveryErrorCode"]) == ("DeliveryFailed", "SMS-UP-410")
    assert failed["to"] == [{"phoneNumber": OUTSIDER, "messageStatus": "DeliveryFailed"}]
    assert [event["body"]["changes"] for event in events.take()] == [
        [{"type": "SMS", "newCount": 0, "updatedCount": 1}]
    ]
    ordered(ada, "set_message_status", message_id=sent["id"], status="Delivered")
    now = ada.json("GET", f"{STORE}/{sent['id']}")
    assert (now["messageStatus"], "deliveryErrorCode" in now) == ("Delivered", False)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("receive_sms", {"from_number": "nobody"}),
        ("receive_sms", {"to_number": OUTSIDER}),
        ("receive_sms", {"to_number": BOB, "extension": "102"}),
        ("receive_sms", {"text": "\ud800"}),
        ("receive_fax", {"extension": "999"}),
        ("receive_fax", {"attachments": [{"contentType": "a/b", "content": "!"}]}),
        ("receive_fax", {"attachments": [{"contentType": "a/b\n", "content": ""}]}),
        ("receive_fax", {"attachments": [{"contentType": "a/b", "content": "", "fileName": "\ud800"}]}),
        ("receive_voicemail", {"transcription": "\ud800"}),
        ("set_message_status", {"message_id": 1, "status": "Sent"}),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_argument(ada, name, members):
    with pytest.raises(ConfigurationError, match="|".join(members)):
        getattr(ada.gateway, name)(**members)
    assert ada.json("GET", STORE)["records"] == []


def test_what_has_come_was_not_sent(ada):
    got = ada.gateway.receive_sms()
    with pytest.raises(ConfigurationError, match="message_id"):
        ada.gateway.set_message_status(got["id"], "Delivered")
