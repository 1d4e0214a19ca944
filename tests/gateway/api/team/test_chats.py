"""Chats: conversations, everyone's, recent and favorite ones, and what their members are told."""

from __future__ import annotations

import pytest

from tests.gateway.api.team.conftest import CHATS, GLIP, TEAM


def test_the_same_people_have_one_conversation(ada, bob, direct):
    assert bob.json("POST", f"{TEAM}/conversations", {"members": [{"id": int(ada.extension.id)}]})["id"] == direct
    by_mail = {"members": [{"email": bob.extension.username}, {"id": ada.extension.id}]}
    again = ada.json("POST", f"{GLIP}/conversations", by_mail)
    assert (again["id"], again["type"]) == (direct, "Direct")
    assert [one["id"] for one in again["members"]] == [ada.extension.id, bob.extension.id]
    assert bob.json("GET", f"{TEAM}/conversations/{direct}") == again


def test_a_conversation_with_oneself_is_personal(ada, bob):
    one = ada.json("POST", f"{TEAM}/conversations")
    assert (one["type"], one["members"]) == ("Personal", [{"id": ada.extension.id}])
    assert ada.json("POST", f"{TEAM}/conversations", {"members": [{"id": ada.extension.id}]}) == one
    assert bob.json("POST", f"{TEAM}/conversations")["id"] != one["id"]


@pytest.mark.parametrize(
    "members", [[{"id": "1"}], [{}], [{"email": "nobody@gateway.invalid"}], [{"id": "101"}] * 17, 7]
)
def test_unknown_members_are_refused(ada, members):
    assert ada.refused("POST", f"{TEAM}/conversations", {"members": members}) == (400, "CMN-101")


def test_chats_are_listed_by_type(ada, direct, team):
    types = {one["type"]: one["id"] for one in ada.json("GET", CHATS)["records"]}
    assert types.keys() == {"Direct", "Team", "Personal", "Everyone"}
    assert [one["id"] for one in ada.json("GET", CHATS, type=["Direct", "Team"])["records"]] == [team, direct]
    assert ada.refused("GET", CHATS, type="Crowd") == (400, "CMN-101")
    assert ada.json("GET", f"{CHATS}/{types['Everyone']}")["members"][1] == {"id": "62264425017"}
    assert [one["id"] for one in ada.json("GET", f"{TEAM}/conversations")["records"]] == [direct, types["Personal"]]


def test_recent_chats_are_those_with_the_newest_posts(ada, bob, direct, team):
    bob.json("POST", f"{CHATS}/{direct}/posts", {"text": "hi"})
    recent = ada.json("GET", f"{TEAM}/recent/chats", recordCount=2)
    assert recent["records"][0]["id"] == direct
    assert len(recent["records"]) == 2
    assert [one["id"] for one in ada.json("GET", f"{GLIP}/recent/chats", type="Team")["records"]] == [team]


def test_favorites_are_of_one_person(ada, bob, direct):
    ada.json("POST", f"{CHATS}/{direct}/favorite")
    ada.json("POST", f"{CHATS}/{direct}/favorite")
    assert [one["id"] for one in ada.json("GET", f"{TEAM}/favorites")["records"]] == [direct]
    assert bob.json("GET", f"{TEAM}/favorites")["records"] == []
    ada.json("POST", f"{CHATS}/{direct}/unfavorite")
    assert ada.json("GET", f"{TEAM}/favorites")["records"] == []


def test_everyone_is_renamed_for_all(ada, bob):
    events = bob.subscribe(CHATS)
    one = ada.json("PATCH", f"{TEAM}/everyone", {"name": "All hands"})
    assert bob.json("GET", f"{TEAM}/everyone") == one
    assert (one["name"], one["type"], "members" in one) == ("All hands", "Everyone", False)
    (event,) = events.take()
    assert (event["body"]["eventType"], event["body"]["name"]) == ("GroupRenamed", "All hands")


@pytest.mark.parametrize("wanted", [CHATS, f"{TEAM}/groups", f"{GLIP}/groups"])
def test_a_new_conversation_is_told_once(ada, bob, wanted):
    events = bob.subscribe(wanted)
    for _ in range(2):
        chat = ada.json("POST", f"{TEAM}/conversations", {"members": [{"id": bob.extension.id}]})
    (event,) = events.take()
    body = event["body"]
    assert (event["event"], body["eventType"], body["type"], body["id"]) == (
        wanted,
        "GroupJoined",
        "PrivateChat",
        chat["id"],
    )
    assert body["members"] == [ada.extension.id, bob.extension.id]
