"""The messages of the account: what is kept, how long, and how it comes through a restart."""

from __future__ import annotations

import json

import msgspec
import pytest

from rcex_ws.gateway.account import messages
from rcex_ws.gateway.account.messages import Attachment, MessageParty, MessageStore, MessageText
from rcex_ws.gateway.clock import Clock

SENDER = MessageParty(phone_number="+16505550199")
TEXT = MessageText(type="SMS", sender=SENDER, to=[MessageParty(phone_number="+16505550101", target=True)])
PICTURE = Attachment(0, "MmsAttachment", "image/png", b"\x89PNG", file_name="a.png")


@pytest.fixture
def store():
    return MessageStore(Clock(lambda: 0.0))


def test_what_is_dumped_is_loaded_with_its_files(store):
    first = store.add("1", "Inbound", TEXT, [PICTURE])
    first.read_status = "Read"
    store.delete(store.add("2", "Outbound", TEXT))
    again = MessageStore(Clock(lambda: 0.0))
    again.load(json.loads(json.dumps(store.dump())))
    assert again.dump() == store.dump()
    assert again.get(first.id).attachments[0].content == b"\x89PNG"
    assert again.get(first.id).body("http://x") == first.body("http://x")
    new = again.add("1", "Inbound", TEXT, [PICTURE])
    assert {new.id, new.attachments[0].id}.isdisjoint({first.id, first.attachments[0].id})
    assert new.version > store.version


@pytest.mark.parametrize("saved", [[{}], [{"id": 1}], {}, None])
def test_what_is_no_dump_is_refused(store, saved):
    with pytest.raises(msgspec.ValidationError):
        store.load(saved)


@pytest.fixture
def small_store(monkeypatch):
    monkeypatch.setattr(messages, "_MOST_BYTES", 1000)
    return MessageStore(Clock(lambda: 0.0))


def test_the_oldest_messages_go_when_there_are_too_many_bytes(small_store):
    store = small_store
    kept = [store.add("1", "Inbound", TEXT, [Attachment(0, "Text", "text/plain", b"x" * 300)]) for _ in range(5)]
    assert [one.id for one in store.of("1")] == [one.id for one in reversed(kept[-len(store) :])]
    assert 0 < len(store) < 5


def test_a_purged_message_frees_the_room_of_its_files(small_store):
    store = small_store
    first = store.add("1", "Inbound", TEXT, [Attachment(0, "Text", "text/plain", b"x" * 700)])
    store.delete(first, purge=True)
    store.add("1", "Inbound", TEXT, [Attachment(0, "Text", "text/plain", b"x" * 600)])
    assert (len(store), first.availability, first.attachments) == (2, "Purged", [])


def test_bytes_are_not_shown():
    assert "PNG" not in repr(PICTURE)
