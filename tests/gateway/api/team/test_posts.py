"""Posts: written, read, changed, deleted; threads, mentions, attachments; what the members are told."""

from __future__ import annotations

import pytest

from tests.gateway.api.team.conftest import CHATS, GLIP, POSTS, TEAM


@pytest.mark.parametrize("wanted", [POSTS, f"{GLIP}/posts"])
def test_both_members_get_a_post_its_change_and_its_end(ada, bob, direct, wanted):
    ours, theirs = ada.subscribe(wanted), bob.subscribe(wanted)
    posts = f"{CHATS}/{direct}/posts"
    post = ada.json("POST", posts, {"text": "hello"})
    changed = ada.json("PATCH", f"{posts}/{post['id']}", {"text": "hello again"})
    assert ada.json("DELETE", f"{posts}/{post['id']}") is None
    told = [event["body"] for event in theirs.take()]
    assert told == [
        post | {"eventType": "PostAdded"},
        changed | {"eventType": "PostChanged"},
        {"id": post["id"], "eventType": "PostRemoved"},
    ]
    assert [event["body"] for event in ours.take()] == told
    assert (post["creatorId"], post["groupId"], post["type"]) == (ada.extension.id, direct, "TextMessage")
    assert (post["attachments"], post["mentions"], "threadId" in post) == (None, None, False)
    assert bob.refused("GET", f"{posts}/{post['id']}") == (404, "CMN-102")


def test_a_stranger_is_told_nothing(ada, bob, team):
    events = bob.subscribe(POSTS, f"{GLIP}/posts")
    ada.json("POST", f"{CHATS}/{team}/posts", {"text": "secret"})
    assert events.take() == []


def test_replies_share_a_thread(ada, bob, direct):
    posts = f"{CHATS}/{direct}/posts"
    first = ada.json("POST", posts, {"text": "question"})
    reply = bob.json("POST", posts, {"text": "answer", "parentPostId": int(first["id"])})
    again = ada.json("POST", posts, {"text": "thanks", "threadId": int(reply["threadId"])})
    deeper = bob.json("POST", posts, {"text": "welcome", "parentPostId": reply["id"]})
    assert {one["parentPostId"] for one in (reply, again, deeper)} == {first["id"]}
    assert {one["threadId"] for one in (reply, again, deeper)} == {reply["threadId"]}
    root = ada.json("GET", f"{posts}/{first['id']}")
    assert (root["isParent"], root["threadId"], "parentPostId" in root) == (True, reply["threadId"], False)
    replies = ada.json("GET", f"{CHATS}/{direct}/threads/{reply['threadId']}/posts")["records"]
    assert [one["text"] for one in replies] == ["welcome", "thanks", "answer"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "x" * 10_001},
        {"text": "x", "parentPostId": "1"},
        {"text": "x", "threadId": "1"},
        {"attachments": [{"id": "1", "type": "File"}]},
        {"attachments": [{}] * 26},
    ],
)
def test_a_wrong_post_is_400(ada, direct, body):
    assert ada.refused("POST", f"{CHATS}/{direct}/posts", body) == (400, "CMN-101")


def test_a_thread_belongs_to_its_chat(ada, direct, team):
    post = ada.json("POST", f"{CHATS}/{team}/posts", {"text": "here"})["id"]
    there = {"text": "there", "parentPostId": post}
    assert ada.refused("POST", f"{CHATS}/{direct}/posts", there) == (400, "CMN-101")
    assert ada.refused("GET", f"{CHATS}/{direct}/posts/{post}") == (404, "CMN-102")
    assert ada.refused("GET", f"{CHATS}/{direct}/threads/1/posts") == (404, "CMN-102")


def test_only_its_author_changes_a_post(ada, bob, direct):
    one = f"{CHATS}/{direct}/posts/{ada.json('POST', f'{CHATS}/{direct}/posts', {'text': 'mine'})['id']}"
    assert bob.refused("PATCH", one, {"text": "yours"}) == (403, "CMN-408")
    assert bob.refused("DELETE", one) == (403, "CMN-408")
    assert ada.refused("PATCH", one, {"text": ""}) == (400, "CMN-101")
    assert ada.json("GET", one)["text"] == "mine"


def test_mentions_are_found_in_the_text(ada, bob, team):
    text = f"![:Person]({bob.extension.id}) and ![:Team]({team}), ![:Person]({bob.extension.id}) [a](b) ![:Person](7)"
    post = ada.json("POST", f"{CHATS}/{team}/posts", {"text": text})
    assert post["mentions"] == [
        {"id": bob.extension.id, "type": "Person", "name": "Bob Central"},
        {"id": team, "type": "Team", "name": "Ops"},
        {"id": "7", "type": "Person", "name": ""},
    ]


def test_the_name_of_a_strangers_team_is_not_told(bob, direct, team):
    post = bob.json("POST", f"{CHATS}/{direct}/posts", {"text": f"![:Team]({team})"})
    assert post["mentions"] == [{"id": team, "type": "Team", "name": ""}]


def test_a_post_has_cards_and_files(ada, direct):
    (file,) = ada.json("POST", f"{TEAM}/files", b"bytes", name="a.txt")
    card = {"title": "Build", "text": "green"}
    post = ada.json("POST", f"{CHATS}/{direct}/posts", {"attachments": [card, {"id": file["id"], "type": "File"}]})
    assert post["attachments"] == [card | {"type": "Card"}, file]
