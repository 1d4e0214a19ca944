"""Debug output: every call, answer and error, and no secret in it."""

from __future__ import annotations

import httpx
import pytest

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.rest import DebugExtension, RestError

PATH = "/restapi/v1.0/account/~"


@pytest.fixture
def shown():
    return []


@pytest.fixture
async def debug(rc, shown):
    extension = DebugExtension(logging_action=shown.append)
    await rc.install_extension(extension)
    return extension


async def test_a_call_and_its_answer(rc, api, debug, shown):
    api.post(PATH).respond(201, json={"id": 1}, headers={"RCRequestId": "R"})
    await rc.post(PATH, params={"a": ["b c", 1]}, json={"text": "hi"}, headers={"X-Mine": "m"})
    asked, answered = shown
    assert asked.splitlines() == [f"#1 POST {PATH}?a=b%20c&a=1", '{"X-Mine": "m"}', '{"text":"hi"}']
    assert answered.startswith("#1 201 in 0.000 s by https\n")
    assert '"RCRequestId": "R"' in answered or '"rcrequestid": "R"' in answered
    assert answered.endswith(('\n{"id":1}', '\n{"id": 1}'))
    await rc.post(PATH)
    assert shown[2] == f"#2 POST {PATH}"


async def test_errors_with_and_without_an_answer(rc, api, debug, shown):
    api.get(PATH).mock(side_effect=[httpx.Response(404, json={"errorCode": "CMN-102"}), httpx.ReadError("x")])
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert shown[1].startswith("#1 404 in ")
    assert "CMN-102" in shown[1]
    with pytest.raises(TransportError):
        await rc.get(PATH)
    assert shown[3].startswith("#2 TransportError after 0.000 s: GET ")


async def test_no_secret_is_shown(rc, api, debug, shown):
    answer = {"access_token": "HIDE-1", "nested": {"clientSecret": "HIDE-2"}, "uri": "https://x/?access_token=HIDE-3"}
    api.post(PATH).respond(200, json=answer, headers={"Set-Cookie": "HIDE-4"})
    calls = [
        {"json": {"password": "HIDE-5", "text": "seen"}},
        {"json": {"ivrPin": "HIDE-12", "pin": 777777, "spinning": "seen, too"}},
        {"data": {"password": "HIDE-6", "code": "HIDE-7"}},
        {"content": '{"refresh_token": "HIDE-8'},
        {"params": {"access_token": "HIDE-9"}},
        {"headers": {"Authorization": "Bearer HIDE-10"}},
        {"content": b"assertion=HIDE-11", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ]
    for call in calls:
        await rc.post(f"{PATH}?token=HIDE-0", **call)
    assert len(shown) == 2 * len(calls)
    assert "HIDE" not in "".join(shown)
    assert "ACCESS" not in "".join(shown)
    assert "777777" not in "".join(shown)
    assert "seen" in shown[0]
    assert "seen, too" in shown[2]


async def test_bodies_that_are_no_text_or_long_are_described(rc, api, debug, shown):
    api.post(PATH).respond(200, content=b"\x00" * 5000, headers={"Content-Type": "audio/mpeg"})
    await rc.post(PATH, files={"attachment": ("a.png", b"\x89PNG")})
    assert shown[0].endswith("<files: attachment>")
    assert shown[1].endswith("<5000 bytes of audio/mpeg>")
    await rc.post(PATH, content=b"\x89PNG", headers={"Content-Type": "image/png"})
    assert shown[2].endswith("<4 bytes of image/png>")
    await rc.post(PATH, content="x" * 100_000)
    assert len(shown[4]) < 9000


async def test_by_default_it_goes_to_stderr(rc, api, capsys):
    api.get(PATH).respond(204)
    await rc.install_extension(DebugExtension())
    await rc.get(PATH)
    assert capsys.readouterr().err.startswith(f"#1 GET {PATH}\n#1 204 in ")


async def test_a_failing_action_is_logged_once_and_fails_no_call(rc, api, caplog):
    def fail(message):
        raise ValueError("no disk")

    api.get(PATH).respond(204)
    await rc.install_extension(DebugExtension(logging_action=fail))
    await rc.get(PATH)
    await rc.get(PATH)
    assert caplog.text.count("logging_action raised") == 1


@pytest.mark.parametrize("options", [{"logging_action": None}, {"loggingAction": print}])
def test_wrong_options_are_named(options):
    with pytest.raises(ConfigurationError, match="logging_action"):
        DebugExtension(**options)
