"""Notes: drafts, published, locked."""

from __future__ import annotations

from tests.gateway.api.team.conftest import CHATS, POSTS, TEAM


def test_a_note_is_a_draft_until_it_is_published(ada, bob, direct):
    events, notes = bob.subscribe(POSTS), f"{CHATS}/{direct}/notes"
    note = ada.json("POST", notes, {"title": "Plan", "body": "x" * 200})
    one = f"{TEAM}/notes/{note['id']}"
    assert (note["status"], len(note["preview"]), note["chatIds"]) == ("Draft", 150, [direct])
    assert bob.refused("GET", one) == (403, "CMN-408")
    assert bob.json("GET", notes)["records"] == []
    assert ada.json("POST", f"{one}/publish")["status"] == "Active"
    ada.json("POST", f"{one}/publish")
    (event,) = events.take()
    assert event["body"]["attachments"] == [{"id": note["id"], "type": "Note", "title": "Plan"}]
    assert len(bob.json("GET", one)["body"]) == 200
    assert [one["id"] for one in bob.json("GET", notes, status="Active")["records"]] == [note["id"]]
    assert ada.json("GET", notes, status="Draft")["records"] == []


def test_a_locked_note_is_changed_by_who_has_locked_it(ada, bob, direct):
    note = f"{TEAM}/notes/{ada.json('POST', f'{CHATS}/{direct}/notes', {'title': 'Plan'})['id']}"
    ada.json("POST", f"{note}/publish")
    bob.json("POST", f"{note}/lock")
    assert ada.json("GET", note)["lockedBy"] == {"id": bob.extension.id}
    assert ada.refused("PATCH", note, {"title": "Mine"}) == (403, "CMN-408")
    assert ada.refused("DELETE", note) == (403, "CMN-408")
    changed = bob.json("PATCH", note, {"body": "text"}, releaseLock="true")
    assert (changed["title"], changed["preview"], "lockedBy" in changed) == ("Plan", "text", False)
    assert changed["lastModifiedBy"] == {"id": bob.extension.id}
    ada.json("POST", f"{note}/lock")
    ada.json("POST", f"{note}/unlock")
    bob.json("DELETE", note)
    assert ada.refused("GET", note) == (404, "CMN-102")
