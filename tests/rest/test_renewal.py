"""Renewing the token: one at a time, before its end, after a 401, by the timer, and when the grant is dead."""

from __future__ import annotations

import itertools
import logging
import time
from urllib.parse import parse_qs

import anyio
import httpx
import msgspec
import pytest

from rcex_ws.bounds import TOKEN_LIFETIME
from rcex_ws.errors import ConfigurationError, RequestTimeout, TransportError
from rcex_ws.rest import Extension, LoginRefused, RestError, Token

PATH = "/restapi/v1.0/account/~"


@pytest.fixture
def ended(token):
    return msgspec.structs.replace(token, expires_at=time.time() - 1)


@pytest.fixture
def accepts(api):
    """Make the API accept some access tokens and answer 401 to others."""

    def accept(*tokens):
        def answer(request):
            good = request.headers["Authorization"].removeprefix("Bearer ") in tokens
            return httpx.Response(200, json={}) if good else httpx.Response(401, json={"errorCode": "TokenInvalid"})

        return api.get(PATH).mock(side_effect=answer)

    return accept


async def test_ten_callers_share_one_refresh(make_client, grants, accepts, ended):
    route = accepts("ACCESS-1")
    rc = make_client(token=ended)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(rc.get, PATH)
    assert grants.call_count == 1
    assert route.call_count == 10


async def test_ten_401s_share_one_refresh(rc, grants, accepts):
    route = accepts("ACCESS-1")
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(rc.get, PATH)
    assert grants.call_count == 1
    assert 11 <= route.call_count <= 20


async def test_ten_callers_share_one_failure(make_client, api, ended):
    asked = anyio.Event()
    errors = []

    async def answer(_):
        await asked.wait()
        return httpx.Response(503)

    route = api.post("/restapi/oauth/token").mock(side_effect=answer)
    rc = make_client(token=ended)

    async def call():
        try:
            await rc.refresh()
        except RestError as exc:
            errors.append(exc.status_code)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        asked.set()
    assert errors == [503] * 10
    assert route.call_count == 1
    with pytest.raises(RestError):  # the next one tries again
        await rc.refresh()
    assert route.call_count == 2


async def test_a_401_is_repeated_once(rc, grants, accepts):
    route = accepts()
    with pytest.raises(RestError, match="TokenInvalid") as caught:
        await rc.get(PATH)
    assert caught.value.status_code == 401
    assert (route.call_count, grants.call_count) == (2, 1)


async def test_a_401_without_means_to_renew_is_the_answer(make_client, accepts):
    route = accepts()
    with pytest.raises(RestError, match="TokenInvalid"):
        await make_client(token=Token(access_token="A")).get(PATH)
    assert route.call_count == 1


async def test_a_post_is_repeated_after_401_with_its_body(rc, api, grants):
    bodies = []

    def answer(request):
        bodies.append(request.content)
        return httpx.Response(401 if len(bodies) == 1 else 200, json={})

    api.post(PATH).mock(side_effect=answer)
    await rc.post(PATH, json={"a": 1})
    assert bodies == [b'{"a":1}'] * 2


async def test_an_answer_that_was_lost_is_asked_for_once_more(make_client, api, ended):
    answers = [httpx.ReadError("lost"), httpx.Response(200, json={"access_token": "NEW"})]
    route = api.post("/restapi/oauth/token").mock(side_effect=answers)
    rc = make_client(token=ended)
    assert (await rc.ensure_token()).access_token == "NEW"
    assert [parse_qs(call.request.content.decode())["refresh_token"] for call in route.calls] == [["REFRESH-0"]] * 2


async def test_a_network_that_stays_away(make_client, api, ended):
    route = api.post("/restapi/oauth/token").mock(side_effect=httpx.ConnectError)
    with pytest.raises(TransportError):
        await make_client(token=ended).refresh()
    assert route.call_count == 2


async def test_a_token_that_still_holds_is_used_when_renewing_fails(make_client, api, token):
    soon = msgspec.structs.replace(token, expires_at=time.time() + 30)
    route = api.post("/restapi/oauth/token").respond(500)
    assert await make_client(token=soon).ensure_token() is soon
    assert route.call_count == 1


async def test_ensure_token_when_nobody_is_logged_in(make_client):
    with pytest.raises(ConfigurationError, match="authorize"):
        await make_client().ensure_token()
    with pytest.raises(ConfigurationError, match="authorize"):
        await make_client().refresh()


async def test_refresh_without_refresh_token(make_client):
    with pytest.raises(ConfigurationError, match="no refresh token"):
        await make_client(token=Token(access_token="A")).refresh()


async def test_a_dead_grant_with_a_jwt_logs_in_anew(make_client, api, accepts, token):
    accepts("FRESH")
    forms = []

    def answer(request):
        forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        if "refresh_token" in forms[-1]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"access_token": "FRESH"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    rc = make_client(token=token)
    await rc.authorize(jwt="JWT")  # continues the session, and keeps the JWT
    assert (await rc.get(PATH)).is_success
    assert [form.get("assertion") for form in forms] == [None, "JWT"]


async def test_a_dead_grant_without_a_jwt_is_asked_once(make_client, api, accepts, ended):
    accepts()
    route = api.post("/restapi/oauth/token").respond(400, json={"error": "invalid_grant"})
    rc = make_client(token=ended)
    for _ in range(3):
        with pytest.raises(LoginRefused, match="invalid_grant"):
            await rc.get(PATH)
    assert route.call_count == 1


async def test_a_code_forgets_the_jwt_of_another_user(make_client, api, grants):
    rc = make_client()
    await rc.authorize(jwt="J")
    await rc.authorize(code="C", force=True)
    api.post("/restapi/oauth/token").respond(400, json={"error": "invalid_grant"})
    with pytest.raises(LoginRefused):
        await rc.refresh()


async def test_a_cancelled_refresh_leaves_the_way_free(make_client, api, ended):
    waiting = anyio.Event()

    async def answer(_):
        if not waiting.is_set():
            waiting.set()
            await anyio.sleep_forever()
        return httpx.Response(200, json={"access_token": "NEW"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    rc = make_client(token=ended)
    async with anyio.create_task_group() as group:
        group.start_soon(rc.ensure_token)
        await waiting.wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(5):
        assert (await rc.ensure_token()).access_token == "NEW"


async def test_a_call_does_not_wait_for_the_token_beyond_its_timeout(make_client, api, ended, ms):
    async def answer(_):
        await anyio.sleep_forever()

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    with anyio.fail_after(5), pytest.raises(RequestTimeout):
        await make_client(token=ended).get(PATH, timeout=20 * ms)


async def test_the_timer_renews_before_the_end(make_client, api, token, ms, monkeypatch):
    """Three tokens in a row, without any call."""
    monkeypatch.setattr("rcex_ws.rest.token.TOKEN_LIFETIME", msgspec.structs.replace(TOKEN_LIFETIME, least=0))
    third = anyio.Event()

    def answer(_):
        if route.call_count == 2:
            third.set()
        lifetime = 100 * ms if route.call_count < 2 else 3600
        return httpx.Response(200, json={"access_token": "A", "refresh_token": "R", "expires_in": lifetime})

    route = api.post("/restapi/oauth/token").mock(side_effect=answer)
    soon = msgspec.structs.replace(token, lifetime=100 * ms, expires_at=time.time() + 100 * ms)
    rc = make_client(token=soon)
    await rc.install_extension(Extension())
    with anyio.fail_after(10):
        await third.wait()
    await anyio.wait_all_tasks_blocked()
    assert route.call_count == 3
    await rc.aclose()
    assert not rc.tasks.running


async def test_without_extension_there_is_no_timer(make_client, token):
    rc = make_client(token=token)
    assert not rc.tasks.running
    await rc.install_extension(Extension())
    assert rc.tasks.running


async def test_the_timer_tries_again_with_growing_delays(make_client, api, ended, monkeypatch, caplog):
    monkeypatch.setattr("rcex_ws.rest.renewal._RETRY_FIRST", 0.01)
    done = anyio.Event()
    times = []

    def answer(_):
        times.append(anyio.current_time())
        if len(times) < 5:
            return httpx.Response(503)
        done.set()
        return httpx.Response(200, json={"access_token": "NEW"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    rc = make_client(token=ended)
    await rc.install_extension(Extension())
    with caplog.at_level(logging.WARNING, "rcex_ws.rest"), anyio.fail_after(10):
        await done.wait()
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert all(pause >= least for pause, least in zip(pauses, [0.01, 0.02, 0.04, 0.08], strict=True))
    assert "failed 4 times" in caplog.text


async def test_the_timer_waits_as_long_as_the_server_asks(make_client, api, ended, monkeypatch):
    monkeypatch.setattr("rcex_ws.rest.renewal._RETRY_FIRST", 0.001)
    done = anyio.Event()
    times = []

    def answer(_):
        times.append(anyio.current_time())
        if len(times) == 1:
            return httpx.Response(429, headers={"Retry-After": "0.2"})
        done.set()
        return httpx.Response(200, json={"access_token": "NEW"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    await make_client(token=ended).install_extension(Extension())
    with anyio.fail_after(20):
        await done.wait()
    assert times[1] - times[0] >= 0.2


async def test_the_timer_gives_up_aloud_and_begins_again_after_a_login(make_client, api, ended, caplog):
    asked, answers = anyio.Event(), ["dead", "login", "renewed"]
    renewed = anyio.Event()

    def answer(_):
        match answers.pop(0):
            case "dead":
                asked.set()
                return httpx.Response(400, json={"error": "invalid_grant"})
            case "login":
                return httpx.Response(200, json={"access_token": "B", "refresh_token": "R", "expires_in": 0.01})
            case _:
                renewed.set()
                return httpx.Response(200, json={"access_token": "C"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    rc = make_client(token=ended)
    with caplog.at_level(logging.ERROR, "rcex_ws.rest"), anyio.fail_after(10):
        await rc.install_extension(Extension())
        await asked.wait()
        await anyio.wait_all_tasks_blocked()
        assert "log in again" in caplog.text
        await rc.authorize(code="C", force=True)
        await renewed.wait()
