"""Files: uploaded, posted, read."""

from __future__ import annotations

import json

import pytest

from tests.gateway.api.conftest import SERVER
from tests.gateway.api.team.conftest import CHATS, POSTS, TEAM


def upload(person, content=b"\x00\xff", kind="image/png", **query):
    answer = person.ask("POST", f"{TEAM}/files", content, headers={"content-type": kind}, **query)
    assert answer.status == 200, answer.body
    return answer


def test_an_upload_into_a_chat_is_a_post_of_it(ada, bob, direct):
    events = bob.subscribe(POSTS)
    assert upload(ada, name="a.png", groupId=direct).headers["x-rate-limit-group"] == "heavy"
    (post,) = (event["body"] for event in events.take())
    (file,) = post["attachments"]
    assert (file["type"], file["name"], post["creatorId"]) == ("File", "a.png", ada.extension.id)
    assert file["contentUri"].startswith(f"{SERVER}/team-messaging/v1/files/")
    read = bob.ask("GET", file["contentUri"].removeprefix(SERVER))
    assert (read.body, read.headers["content-type"]) == (b"\x00\xff", "image/png")
    assert bob.json("GET", f"{TEAM}/files/{file['id']}") == file


def test_a_file_is_its_owners_until_it_is_posted(ada, bob, direct, team):
    (file,) = ada.json("POST", f"{TEAM}/files", b"bytes")
    content = f"{TEAM}/files/{file['id']}/content"
    attached = {"attachments": [{"id": file["id"], "type": "File"}]}
    assert bob.refused("GET", content) == (403, "CMN-408")
    assert bob.refused("POST", f"{CHATS}/{direct}/posts", attached) == (400, "CMN-101")
    ada.json("POST", f"{CHATS}/{team}/posts", attached)
    assert bob.refused("GET", content) == (403, "CMN-408")
    ada.json("POST", f"{CHATS}/{direct}/posts", attached)
    assert bob.ask("GET", content).body == b"bytes"
    ada.json("DELETE", f"{TEAM}/teams/{team}")
    assert bob.ask("GET", content).body == b"bytes"


def test_a_form_is_taken_too(ada):
    form = b'--x\r\nContent-Disposition: form-data; name="body"; filename="b.txt"\r\n\r\ntext\r\n--x--\r\n'
    answer = upload(ada, form, "multipart/form-data; boundary=x")
    assert b'"name":"b.txt"' in answer.body.replace(b" ", b"")


@pytest.mark.parametrize(("content", "kind"), [(b"", "text/plain"), (b"--x--\r\n", "multipart/form-data; boundary=x")])
def test_an_upload_without_bytes_is_400(ada, content, kind):
    answer = ada.ask("POST", f"{TEAM}/files", content, headers={"content-type": kind})
    assert (answer.status, b"CMN-101" in answer.body) == (400, True)


def test_unknown_files_and_chats_are_404(ada):
    assert ada.refused("GET", f"{TEAM}/files/1/content") == (404, "CMN-102")
    assert ada.refused("POST", f"{TEAM}/files", b"x", groupId="1") == (404, "CMN-102")


def test_a_content_type_that_is_no_header_is_not_given_back(ada):
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/\xff\r\n\r\ntext\r\n--x--\r\n'
    (file,) = json.loads(upload(ada, form, "multipart/form-data; boundary=x").body)
    read = ada.ask("GET", file["contentUri"].removeprefix(SERVER))
    assert (read.status, read.body, read.headers["content-type"]) == (200, b"text", "application/octet-stream")
