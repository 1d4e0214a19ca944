"""Text messages: who gets them, how they look, which events there are, and what is refused."""

from __future__ import annotations

import json

import pytest

EXTENSION = "/restapi/v1.0/account/~/extension/~"
SMS = f"{EXTENSION}/sms"
MMS = f"{EXTENSION}/mms"
STORE = f"{EXTENSION}/message-store"
INSTANT = f"{STORE}/instant?type=SMS"
ADA, BOB, OUTSIDER = "+16505550101", "+16505550102", "+16505550199"
FORM = {"content-type": "multipart/form-data; boundary=b"}


def text_to(*numbers: str, text: str = "hi", own: str = ADA) -> dict:
    return {"from": {"phoneNumber": own}, "to": [{"phoneNumber": one} for one in numbers], "text": text}


def multipart(request: dict, *files: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="json"; filename="request.json"\r\n'
    body = head + b"Content-Type: application/json\r\n\r\n" + json.dumps(request).encode() + b"\r\n"
    for file in files:
        body += b'--b\r\nContent-Disposition: form-data; name="attachment"; filename="a.png"\r\n'
        body += b"Content-Type: image/png\r\n\r\n" + file + b"\r\n"
    return body + b"--b--\r\n"


def test_a_text_is_answered_as_ringcentral_does(ada):
    sent = ada.json("POST", SMS, text_to(OUTSIDER))
    assert sent["uri"].endswith(f"/message-store/{sent['id']}")
    assert sent["from"] == {"phoneNumber": ADA, "name": "Ada Ring"}
    assert sent["to"] == [{"phoneNumber": OUTSIDER, "messageStatus": "Sent"}]
    expected = {
        "type": "SMS",
        "direction": "Outbound",
        "subject": "hi",
        "readStatus": "Read",
        "messageStatus": "Sent",
        "availability": "Alive",
        "priority": "Normal",
    }
    assert expected.items() <= sent.items()
    assert sent["conversation"] == {"id": str(sent["conversationId"])}
    (text,) = sent["attachments"]
    assert (text["type"], text["contentType"]) == ("Text", "text/plain")
    assert ada.ask("GET", text["uri"].removeprefix("http://gateway.test")).body == b"hi"
    assert ada.json("GET", f"{STORE}/{sent['id']}") == sent


@pytest.mark.parametrize("number", [BOB, "16505550102", "(650) 555-0102"])
def test_a_colleague_gets_it_in_the_same_conversation(ada, bob, number):
    stored, instant = bob.subscribe(f"{STORE}?type=SMS&direction=Inbound"), bob.subscribe(INSTANT)
    sent = ada.json("POST", SMS, text_to(number))
    (got,) = bob.json("GET", STORE)["records"]
    assert (got["direction"], got["readStatus"], got["messageStatus"]) == ("Inbound", "Unread", "Received")
    assert got["to"] == [{"phoneNumber": BOB, "name": "Bob Central", "target": True}]
    (event,) = stored.take()
    changes = [{"type": "SMS", "newCount": 1, "updatedCount": 0, "newMessageIds": [got["id"]]}]
    assert event["body"]["changes"] == changes
    (event,) = instant.take()
    body = event["body"]
    assert (body["id"], body["ownerId"], body["subject"]) == (str(got["id"]), bob.extension.id, "hi")
    assert body["from"]["phoneNumber"] == ADA
    answer = bob.json("POST", SMS, text_to(ADA, own=BOB))
    assert answer["conversationId"] == got["conversationId"] == sent["conversationId"]
    assert bob.json("POST", SMS, text_to(OUTSIDER, own=BOB))["conversationId"] != sent["conversationId"]


def test_the_sender_is_told_of_what_is_sent_and_nobody_else(ada, bob):
    own, others = ada.subscribe(STORE), bob.subscribe(STORE, INSTANT)
    sent = ada.json("POST", SMS, text_to(OUTSIDER))
    assert [event["body"]["changes"][0]["newMessageIds"] for event in own.take()] == [[sent["id"]]]
    assert others.take() == []


def test_threads_are_to_be_synchronized_when_a_text_comes_or_goes(ada, bob):
    threads = "/restapi/v1.0/account/~/message-threads"
    at_ada = ada.subscribe(f"{threads}/sync", f"{threads}/entries/sync")
    at_bob = bob.subscribe(f"{threads}/sync")
    ada.json("POST", SMS, text_to(OUTSIDER))
    assert [list(event["body"]) for event in at_ada.take()] == [["lastModifiedTime"]] * 2
    assert at_bob.take() == []


@pytest.mark.parametrize("path", [SMS, MMS])
def test_files_come_along(ada, bob, path):
    answer = ada.ask("POST", path, multipart(text_to(BOB), b"\x89PNG", b"2"), headers=FORM)
    sent = json.loads(answer.body)
    assert answer.status == 200, sent
    assert [file["type"] for file in sent["attachments"]] == ["MmsAttachment", "MmsAttachment", "Text"]
    (got,) = bob.json("GET", STORE)["records"]
    file = got["attachments"][0]
    assert (file["contentType"], file["fileName"], file["size"]) == ("image/png", "a.png", 4)
    read = bob.ask("GET", file["uri"].removeprefix("http://gateway.test"))
    assert (read.body, read.headers["content-type"]) == (b"\x89PNG", "image/png")


def test_a_form_may_have_a_field_for_each_member(ada):
    fields = {"from": ADA, "to": OUTSIDER, "text": "by form"}
    body = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    sent = json.loads(ada.ask("POST", SMS, body + b"--b--\r\n", headers=FORM).body)
    assert (sent["subject"], sent["to"][0]["phoneNumber"]) == ("by form", OUTSIDER)


@pytest.mark.parametrize("kind", ["image/\u00e9", "\u20ac/x", "a b/c", "a/" + "b" * 300])
def test_a_file_of_a_kind_that_cannot_be_is_bytes(ada, kind):
    body = multipart(text_to(OUTSIDER), b"1").replace(b"image/png", kind.encode())
    file = json.loads(ada.ask("POST", MMS, body, headers=FORM).body)["attachments"][0]
    read = ada.ask("GET", file["uri"].removeprefix("http://gateway.test"))
    assert (read.body, read.headers["content-type"]) == (b"1", file["contentType"])
    assert file["contentType"] in ("application/octet-stream", "text/plain")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"to": []}, (400, "CMN-101")),
        ({"to": None}, (400, "CMN-101")),
        ({"to": [{"phoneNumber": "nobody"}]}, (400, "CMN-101")),
        ({"to": [{"extensionNumber": "102"}]}, (400, "MSG-246")),
        ({"to": [{}]}, (400, "CMN-101")),
        ({"to": [{"phoneNumber": OUTSIDER}] * 51}, (400, "CMN-101")),
        ({"from": {}}, (400, "CMN-101")),
        ({"from": {"phoneNumber": BOB}}, (403, "MSG-304")),
        ({"from": {"phoneNumber": OUTSIDER}}, (403, "MSG-304")),
        ({"text": ""}, (400, "CMN-101")),
        ({"text": "x" * 1001}, (400, "CMN-101")),
    ],
)
def test_what_ringcentral_refuses(ada, change, refusal):
    assert ada.refused("POST", SMS, text_to(OUTSIDER) | change) == refusal
    assert ada.json("GET", STORE)["records"] == []


@pytest.mark.parametrize("missing", ["from", "to", "text"])
def test_what_is_missing_is_named(ada, missing):
    body = {name: value for name, value in text_to(OUTSIDER).items() if name != missing}
    answer = ada.ask("POST", SMS, body)
    assert (answer.status, f"[{missing}]" in answer.body.decode()) == (400, True)


def test_files_are_limited_and_an_mms_has_some(ada):
    assert ada.refused("POST", MMS, text_to(OUTSIDER)) == (415, "CMN-115")
    none, many = multipart(text_to(OUTSIDER)), multipart(text_to(OUTSIDER), *[b"1"] * 11)
    large = multipart(text_to(OUTSIDER), b"1" * 1_500_001)
    found = [ada.ask("POST", MMS, body, headers=FORM).status for body in (none, many, large)]
    assert found == [400, 413, 413]


def test_a_text_to_oneself_is_sent_and_received(ada):
    ada.json("POST", SMS, text_to(ADA))
    assert [one["direction"] for one in ada.json("GET", STORE)["records"]] == ["Inbound", "Outbound"]
