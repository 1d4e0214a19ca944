"""Teams: their members, their archive, their end."""

from __future__ import annotations

from tests.gateway.api.team.conftest import CHATS, POSTS, TEAM


def kinds(events):
    return [event["body"]["eventType"] for event in events.take()]


def test_a_team_is_made_read_and_changed(ada, bob, team):
    one = ada.json("GET", f"{TEAM}/teams/{team}")
    assert (one["type"], one["name"], one["description"], one["public"], one["status"]) == (
        "Team",
        "Ops",
        "On call",
        False,
        "Active",
    )
    assert [one["id"] for one in ada.json("GET", f"{TEAM}/teams")["records"]] == [team]
    events = ada.subscribe(CHATS)
    assert ada.json("PATCH", f"{TEAM}/teams/{team}", {"name": "Dev"})["name"] == "Dev"
    assert ada.json("PATCH", f"{TEAM}/teams/{team}", {"public": True, "description": ""})["description"] == ""
    assert kinds(events) == ["GroupRenamed", "GroupChanged"]
    assert bob.json("GET", f"{TEAM}/teams/{team}")["name"] == "Dev"
    assert ada.refused("POST", f"{TEAM}/teams", {"name": ""}) == (400, "CMN-101")
    assert ada.refused("GET", f"{TEAM}/conversations/{team}") == (404, "CMN-102")


def test_members_are_added_and_removed(ada, bob, team):
    ours, theirs, posts = ada.subscribe(CHATS), bob.subscribe(CHATS), bob.subscribe(POSTS)
    both = {"members": [{"id": bob.extension.id}, {"id": ada.extension.id}]}
    assert ada.json("POST", f"{TEAM}/teams/{team}/add", both) is None
    assert (kinds(ours), kinds(theirs)) == (["GroupChanged"], ["GroupJoined"])
    (added,) = posts.take()
    assert (added["body"]["type"], added["body"]["addedPersonIds"]) == ("PersonsAdded", [bob.extension.id])
    bob.json("POST", f"{CHATS}/{team}/posts", {"text": "thanks"})
    ada.json("POST", f"{TEAM}/teams/{team}/remove", {"members": [{"id": bob.extension.id}]})
    assert (kinds(ours), kinds(theirs)) == (["GroupChanged"], ["GroupLeft"])
    assert bob.refused("GET", f"{CHATS}/{team}") == (403, "CMN-408")


def test_a_public_team_is_joined_and_left(ada, bob):
    team = ada.json("POST", f"{TEAM}/teams", {"name": "Open", "public": True})["id"]
    assert bob.json("GET", f"{CHATS}/{team}")["members"] == [{"id": ada.extension.id}]
    assert bob.refused("GET", f"{CHATS}/{team}/posts") == (403, "CMN-408")
    bob.json("POST", f"{TEAM}/teams/{team}/join")
    bob.json("POST", f"{TEAM}/teams/{team}/join")
    (joined,) = bob.json("GET", f"{CHATS}/{team}/posts")["records"]
    assert (joined["type"], joined["creatorId"]) == ("PersonJoined", bob.extension.id)
    bob.json("POST", f"{CHATS}/{team}/favorite")
    bob.json("POST", f"{TEAM}/teams/{team}/leave")
    assert bob.json("GET", f"{TEAM}/teams")["records"] == []


def test_an_archived_team_takes_no_posts(ada, team):
    post = ada.json("POST", f"{CHATS}/{team}/posts", {"text": "before"})["id"]
    ada.json("POST", f"{TEAM}/teams/{team}/archive")
    assert ada.json("GET", f"{CHATS}/{team}")["status"] == "Archived"
    assert ada.refused("POST", f"{CHATS}/{team}/posts", {"text": "after"}) == (403, "CMN-408")
    assert ada.json("GET", f"{CHATS}/{team}/posts/{post}")["text"] == "before"
    ada.json("POST", f"{TEAM}/teams/{team}/unarchive")
    ada.json("POST", f"{CHATS}/{team}/posts", {"text": "after"})


def test_a_deleted_team_takes_everything_with_it(app, ada, team):
    events = ada.subscribe(CHATS)
    ada.json("POST", f"{CHATS}/{team}/posts", {"text": "gone"})
    note = ada.json("POST", f"{CHATS}/{team}/notes", {"title": "gone"})["id"]
    assert ada.json("DELETE", f"{TEAM}/teams/{team}") is None
    assert kinds(events) == ["GroupLeft"]
    assert ada.refused("GET", f"{CHATS}/{team}") == (404, "CMN-102")
    assert ada.refused("GET", f"{TEAM}/notes/{note}") == (404, "CMN-102")
    assert len(app.core.team.posts) == 0
