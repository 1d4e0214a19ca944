"""What all of team messaging has in common: two roots, paging, the members of a chat."""

from __future__ import annotations

import pytest

from rcex_ws.gateway.api.team import AREAS
from tests.gateway.api.team.conftest import GLIP, TEAM


def test_everything_is_there_under_the_older_root_too():
    paths = {(one.method, one.path) for area in AREAS for one in area}
    present = {(method, path.removeprefix(TEAM)) for method, path in paths if path.startswith(TEAM)}
    older = {(method, path.removeprefix(GLIP)) for method, path in paths if path.startswith(GLIP)}
    assert len(present) > 50
    assert {one for one in present if not one[1].startswith("/chats/{chatId}/events")} <= older


def test_each_operation_has_a_name_of_its_own():
    names = [one.handler.__name__ for area in AREAS for one in area]
    assert [name for name in names if names.count(name) > 1] == []


def test_every_operation_needs_the_permission():
    assert {one.permission for area in AREAS for one in area} == {"TeamMessaging"}


@pytest.mark.parametrize("root", [f"{TEAM}/chats", f"{GLIP}/chats", f"{GLIP}/groups"])
def test_a_reader_goes_on_by_prev_page_token_until_there_is_none(ada, direct, root):
    for number in range(5):
        ada.json("POST", f"{root}/{direct}/posts", {"text": str(number)})
    texts, sizes, token = [], [], {}
    while token is not None:
        page = ada.json("GET", f"{root}/{direct}/posts", recordCount=2, **token)
        texts += [one["text"] for one in page["records"]]
        sizes.append(len(page["records"]))
        back = page["navigation"].get("nextPageToken")
        token = page["navigation"].get("prevPageToken")
        token = token and {"pageToken": token}
    assert (texts, sizes) == (["4", "3", "2", "1", "0"], [2, 2, 1])
    before = ada.json("GET", f"{root}/{direct}/posts", recordCount=2, pageToken=back)
    assert [one["text"] for one in before["records"]] == ["2", "1"]
    assert before["navigation"].keys() == {"prevPageToken", "nextPageToken"}


def test_a_new_post_does_not_shift_the_pages(ada, direct):
    posts = f"{TEAM}/chats/{direct}/posts"
    for number in range(3):
        ada.json("POST", posts, {"text": str(number)})
    token = ada.json("GET", posts, recordCount=1)["navigation"]["prevPageToken"]
    ada.json("POST", posts, {"text": "new"})
    assert [one["text"] for one in ada.json("GET", posts, pageToken=token)["records"]] == ["1", "0"]


@pytest.mark.parametrize(
    "query", [{"pageToken": "x"}, {"pageToken": "older-x"}, {"recordCount": 251}, {"recordCount": 0}]
)
def test_a_wrong_page_is_400(ada, direct, query):
    assert ada.refused("GET", f"{TEAM}/chats/{direct}/posts", **query) == (400, "CMN-101")


def test_who_is_not_in_a_chat_sees_nothing_of_it(ada, bob, team):
    chat = f"{TEAM}/chats/{team}"
    post = ada.json("POST", f"{chat}/posts", {"text": "secret"})["id"]
    note = ada.json("POST", f"{chat}/notes", {"title": "n"})["id"]
    for method, path, body in [
        ("GET", chat, None),
        ("GET", f"{chat}/posts", None),
        ("GET", f"{chat}/posts/{post}", None),
        ("POST", f"{chat}/posts", {"text": "me, too"}),
        ("PATCH", f"{chat}/posts/{post}", {"text": "mine"}),
        ("DELETE", f"{chat}/posts/{post}", None),
        ("GET", f"{chat}/notes", None),
        ("GET", f"{TEAM}/notes/{note}", None),
        ("GET", f"{chat}/tasks", None),
        ("GET", f"{TEAM}/groups/{team}/events", None),
        ("POST", f"{chat}/adaptive-cards", {"type": "AdaptiveCard"}),
        ("PATCH", f"{TEAM}/teams/{team}", {"name": "Mine"}),
        ("POST", f"{TEAM}/teams/{team}/join", None),
        ("GET", f"{GLIP}/groups/{team}", None),
    ]:
        assert bob.refused(method, path, body) == (403, "CMN-408"), path
    assert bob.refused("GET", f"{TEAM}/chats/1/posts") == (404, "CMN-102")
    assert team not in [one["id"] for one in bob.json("GET", f"{TEAM}/chats")["records"]]
