"""High-volume SMS: a batch is sent, told of, read and listed, and outlives a restart."""

from __future__ import annotations

import json

import pytest

from rcex_ws.gateway.account import a2p
from rcex_ws.gateway.account.a2p import A2PStore
from rcex_ws.gateway.clock import Clock
from tests.gateway.api.test_sms import ADA, BOB, OUTSIDER, STORE

BATCHES = "/restapi/v1.0/account/~/a2p-sms/batches"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
BATCH = {"from": ADA, "text": "all", "messages": [{"to": [BOB], "text": "own"}, {"to": [OUTSIDER]}, {"to": ["x"]}]}


def test_a_batch_is_sent_and_told_of(ada, bob):
    events = ada.subscribe(BATCHES)
    begun = ada.json("POST", BATCHES, BATCH)
    assert (begun["status"], begun["batchSize"], begun["processedCount"]) == ("Processing", 2, 0)
    assert [(one["index"], one["to"]) for one in begun["rejected"]] == [(2, ["x"])]
    first, last = (event["body"] for event in events.take())
    assert (first["status"], last["status"], last["processedCount"]) == ("Processing", "Completed", 2)
    assert last.keys() == {
        "id", "from", "batchSize", "processedCount", "cost", "status", "creationTime", "lastModifiedTime",
    }  # fmt: skip
    assert ada.json("GET", f"{BATCHES}/{begun['id']}")["status"] == "Completed"
    (got,) = bob.json("GET", STORE)["records"]
    assert (got["subject"], got["from"]["phoneNumber"]) == ("own", ADA)


def test_batches_and_messages_are_listed_in_pages(ada):
    ids = [ada.json("POST", BATCHES, BATCH)["id"] for _ in range(2)]
    page = ada.json("GET", BATCHES, perPage=1)
    assert [one["id"] for one in page["records"]] == [ids[1]]
    page = ada.json("GET", BATCHES, perPage=1, pageToken=page["paging"]["nextPageToken"])
    assert ([one["id"] for one in page["records"]], "nextPageToken" in page["paging"]) == ([ids[0]], False)
    assert ada.json("GET", BATCHES, **{"from": BOB})["records"] == []
    assert ada.json("GET", BATCHES, status="Processing")["records"] == []
    messages = ada.json("GET", MESSAGES, batchId=ids[0])["records"]
    assert [(one["to"], one["text"]) for one in messages] == [([OUTSIDER], "all"), ([BOB], "own")]
    assert len(ada.json("GET", MESSAGES, phoneNumber="(650) 555-0102")["records"]) == 2
    one = messages[0]
    assert ada.json("GET", f"{MESSAGES}/{one['id']}") == one | {
        "id": str(one["id"])
    }  # as RingCentral's reference has it


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"from": BOB}, (403, "MSG-304")),
        ({"from": "nobody"}, (400, "CMN-101")),
        ({"messages": []}, (400, "CMN-101")),
        ({"messages": [{"to": []}]}, (400, "CMN-101")),
        ({"messages": [{"to": [BOB]}], "text": None}, (400, "CMN-101")),
    ],
)
def test_a_batch_that_cannot_be_sent(ada, change, refusal):
    assert ada.refused("POST", BATCHES, BATCH | change) == refusal
    assert ada.json("GET", BATCHES)["records"] == []


def test_what_is_not_there(ada):
    assert ada.refused("GET", f"{BATCHES}/1") == (404, "CMN-102")
    assert ada.refused("GET", f"{MESSAGES}/1") == (404, "CMN-102")
    assert ada.refused("GET", BATCHES, pageToken="x") == (400, "CMN-101")


def test_batches_outlive_a_restart_and_the_oldest_go(ada, monkeypatch):
    ada.json("POST", BATCHES, BATCH)
    monkeypatch.setattr(a2p, "_MOST_MESSAGES", 3)
    again = A2PStore(Clock(lambda: 0.0))
    again.load(json.loads(json.dumps(ada.gateway.core.a2p.dump())))
    assert again.dump() == ada.gateway.core.a2p.dump()
    new = again.add(ADA, [(BOB, "one"), (BOB, "two")], [])
    assert [batch.id for batch in again.batches()] == [new.id]
    assert int(new.id) > 5003
