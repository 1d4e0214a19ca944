"""Team messaging as a whole: saved and loaded, and bounded."""

from __future__ import annotations

import json

import msgspec
import pytest

from rcex_ws.gateway.account.people import ExtensionDirectory
from rcex_ws.gateway.account.team import chats
from rcex_ws.gateway.account.team.messaging import TeamMessaging
from rcex_ws.gateway.clock import Clock


def new(people: ExtensionDirectory | None = None) -> TeamMessaging:
    return TeamMessaging(people or ExtensionDirectory(), Clock(lambda: 0.0))


def test_what_is_saved_is_loaded_again():
    team = new()
    chat = team.chats.conversation(["1", "2"])
    post = team.posts.add(chat.id, "1", "question", attachments=[{"id": "7", "type": "Card"}])
    reply = team.posts.add(chat.id, "2", "answer", reply_to=post)
    note = team.items.add("Note", chat.id, "1", {"title": "t", "body": ""}, status="Draft")
    file = team.items.add_file("1", "a", "text/plain", b"\x00\xff")
    team.chats.everyone.name = "All"

    other = new()
    other.load(json.loads(json.dumps(team.dump())))
    assert other.dump() == team.dump()
    assert other.chats.conversation(["2", "1"]) == chat
    assert list(other.posts.of(chat.id)) == [reply, post]
    assert other.items.get("Note", note.id) == note
    assert other.items.file(file.id) == file
    assert (other.chats.everyone.id, other.chats.everyone.name) == (team.chats.everyone.id, "All")
    assert int(other.posts.add(chat.id, "1", "new").id) > int(file.id)


def test_what_was_not_saved_is_refused():
    with pytest.raises(msgspec.ValidationError, match="chats"):
        new().load({"lastId": 1, "chats": 7, "posts": [], "items": [], "files": []})


def test_a_chat_that_is_dropped_takes_its_posts_along(monkeypatch):
    monkeypatch.setattr(chats, "_MOST_CHATS", 2)
    team = new()
    first = team.chats.conversation(["1", "2"])
    team.posts.add(first.id, "1", "old")
    for name in ("a", "b"):
        team.chats.add_team(["1"], name, "", is_public=False)
    assert team.chats.get(first.id) is None
    assert team.chats.get(team.chats.everyone.id) is not None
    assert len(team.posts) == 0
