"""Chats in their older form."""

from __future__ import annotations

from tests.gateway.api.team.conftest import GLIP, TEAM

GROUPS = f"{GLIP}/groups"


def test_a_team_and_a_conversation_are_made_in_the_older_form(ada, bob, direct):
    team = ada.json("POST", GROUPS, {"type": "Team", "name": "Old", "isPublic": True, "members": [{"id": "102"}]})
    assert (team["type"], team["name"], team["isPublic"]) == ("Team", "Old", True)
    assert team["members"] == [ada.extension.id, bob.extension.id]
    assert bob.json("GET", f"{GROUPS}/{team['id']}") == team
    assert bob.json("GET", f"{TEAM}/teams/{team['id']}")["name"] == "Old"
    assert ada.json("POST", GROUPS, {"type": "PrivateChat", "members": [{"id": "102"}]})["id"] == direct


def test_the_older_list_has_every_chat(ada, direct, team):
    types = [(one["type"], "name" in one) for one in ada.json("GET", GROUPS)["records"]]
    assert types == [("Team", True), ("PrivateChat", False), ("PersonalChat", False), ("Team", True)]
