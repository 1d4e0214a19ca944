"""Where team messaging is, and a chat of both users."""

from __future__ import annotations

import pytest

from tests.gateway.api.conftest import Person

TEAM = "/team-messaging/v1"
GLIP = "/restapi/v1.0/glip"
POSTS = f"{TEAM}/posts"
CHATS = f"{TEAM}/chats"


@pytest.fixture
def direct(ada: Person, bob: Person) -> str:
    """Return the id of the conversation of both users."""
    chat_id: str = ada.json("POST", f"{TEAM}/conversations", {"members": [{"id": bob.extension.id}]})["id"]
    return chat_id


@pytest.fixture
def team(ada: Person) -> str:
    """Return the id of a private team of the first user alone."""
    chat_id: str = ada.json("POST", f"{TEAM}/teams", {"name": "Ops", "description": "On call"})["id"]
    return chat_id
