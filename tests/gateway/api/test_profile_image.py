"""Pictures of the users, and the prompts of the menus: files that are put, got and removed."""

from __future__ import annotations

import pytest

ACCOUNT = "/restapi/v1.0/account/~"
IMAGE = f"{ACCOUNT}/extension/~/profile-image"
PROMPTS = f"{ACCOUNT}/ivr-prompts"
PNG = b"\x89PNG picture"
FORM = {"content-type": "multipart/form-data; boundary=x"}


def part(name: str, content: bytes, *, filename: str = "", kind: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return (
        b"--x\r\n"
        + head.encode()
        + (f"\r\nContent-Type: {kind}" if kind else "").encode()
        + b"\r\n\r\n"
        + content
        + b"\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("PUT", PNG, {"content-type": "image/png"}),
        ("POST", PNG, {"content-type": "image/png"}),
        ("POST", part("image", PNG, filename="me.png", kind="image/png") + b"--x--\r\n", FORM),
    ],
)
def test_a_picture_is_put_and_got(ada, bob, method, body, headers):
    events = ada.subscribe(f"{ACCOUNT}/extension/~")
    assert ada.refused("GET", IMAGE) == (404, "CMN-102")
    assert ada.ask(method, IMAGE, body, headers=headers).status == 204
    assert events.take()[0]["body"]["hints"] == ["ProfileImage"]
    for path in (IMAGE, f"{IMAGE}/90x90"):
        answer = bob.ask("GET", path.replace("/extension/~", f"/extension/{ada.extension.id}"))
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, PNG, "image/png")
    assert ada.ask("DELETE", IMAGE).status == 204
    assert ada.refused("GET", IMAGE) == (404, "CMN-102")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (PNG, {"content-type": "text/html"}, 415),
        (b"", {"content-type": "image/png"}, 400),
        (part("image", PNG) + b"--x--\r\n", FORM, 400),
    ],
)
def test_what_is_no_picture_is_refused(ada, body, headers, status):
    assert ada.ask("PUT", IMAGE, body, headers=headers).status == status
    assert ada.refused("GET", f"{IMAGE}/1x1") == (404, "CMN-102")


def test_a_prompt_is_uploaded_renamed_and_removed(ada):
    sound = part("attachment", b"RIFF", filename="hello.wav", kind="audio/wav") + part("name", b"Hello") + b"--x--\r\n"
    answer = ada.ask("POST", PROMPTS, sound, headers=FORM)
    assert answer.status == 200
    (one,) = ada.json("GET", PROMPTS)["records"]
    assert (one["filename"], one["contentType"]) == ("Hello", "audio/wav")
    path = f"{PROMPTS}/{one['id']}"
    assert ada.ask("GET", f"{path}/content").body == b"RIFF"
    assert one["contentUri"] == f"{one['uri']}/content"
    assert ada.json("PUT", path, {"filename": "Bye"})["filename"] == "Bye"
    assert ada.json("GET", path)["filename"] == "Bye"
    assert ada.json("DELETE", path) is None
    assert ada.refused("GET", path) == (404, "CMN-102")


def test_a_prompt_without_sound_is_refused(ada):
    assert ada.refused("POST", PROMPTS, {"name": "x"}) == (415, "CMN-115")
    assert ada.ask("POST", PROMPTS, part("name", b"x") + b"--x--\r\n", headers=FORM).status == 400
