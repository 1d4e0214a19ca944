"""Logging in: forms, the login page, continuing a kept session, revoking."""

from __future__ import annotations

import base64
import hashlib
import logging
from urllib.parse import parse_qs, parse_qsl, urlsplit

import anyio
import httpx
import msgspec
import pytest

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.rest import SANDBOX, FileTokenStore, LoginRefused, RestError, RingCentral, Token, generate_code_verifier

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def form(call):
    return dict(parse_qsl(call.request.content.decode()))


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ({"jwt": "J"}, {"grant_type": JWT_GRANT, "assertion": "J"}),
        (
            {"code": "C", "redirect_uri": "https://a/?b=c&d", "code_verifier": "V"},
            {"grant_type": "authorization_code", "code": "C", "redirect_uri": "https://a/?b=c&d", "code_verifier": "V"},
        ),
        (
            {"username": "+1650", "password": "p&", "extension": "101"},
            {"grant_type": "password", "username": "+1650", "password": "p&", "extension": "101"},
        ),
    ],
)
async def test_login(make_client, grants, credentials, expected):
    rc = make_client()
    token = await rc.authorize(**credentials)
    assert token is rc.token
    assert (token.access_token, token.owner_id) == ("ACCESS-1", "42")
    call = grants.calls.last
    assert form(call) == expected
    assert call.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert call.request.headers["Authorization"] == "Basic " + base64.b64encode(b"ID:SECRET").decode()


async def test_a_public_client_names_itself_in_the_form(make_client, grants, token):
    rc = make_client(client_secret=None, token=token)
    await rc.authorize(code="C", force=True)
    assert form(grants.calls.last)["client_id"] == "ID"
    assert "Authorization" not in grants.calls.last.request.headers  # neither Basic nor the bearer of before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "needs jwt"),
        ({"jwt": "J", "code": "C"}, "jwt and code"),
        ({"username": "u"}, "needs password"),
    ],
)
async def test_unusable_arguments(make_client, arguments, text):
    with pytest.raises(ConfigurationError, match=text):
        await make_client().authorize(**arguments)


async def test_without_client_id(make_client):
    rc = make_client(client_id=None)
    with pytest.raises(ConfigurationError, match="client_id"):
        await rc.authorize(jwt="J")
    with pytest.raises(ConfigurationError, match="client_id"):
        rc.authorize_uri(redirect_uri="https://a")


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_refused(make_client, api, status):
    api.post("/restapi/oauth/token").respond(status, json={"error": "invalid_client", "error_description": "unknown"})
    with pytest.raises(LoginRefused, match="invalid_client") as caught:
        await make_client().authorize(jwt="JWT-SECRET")
    assert not caught.value.retryable
    assert "SECRET" not in str(caught.value) + repr(caught.value)


async def test_a_failing_server_is_no_refusal(make_client, api):
    api.post("/restapi/oauth/token").respond(503, headers={"Retry-After": "4"})
    with pytest.raises(RestError) as caught:
        await make_client().authorize(jwt="J")
    assert not isinstance(caught.value, LoginRefused)
    assert caught.value.retryable
    assert caught.value.retry_after == 4.0


@pytest.mark.parametrize("content", [b"<html>captive portal", b"{}", b""])
async def test_an_answer_without_token(make_client, api, content):
    api.post("/restapi/oauth/token").respond(200, content=content)
    with pytest.raises(TransportError, match="without a token"):
        await make_client().authorize(jwt="J")


async def test_the_kept_session_is_continued(make_client, grants, tmp_path):
    store = FileTokenStore(tmp_path / "token")
    first = await make_client(token_store=store).authorize(jwt="J")
    assert grants.call_count == 1
    assert await make_client(token_store=store).authorize(jwt="J") == first
    assert grants.call_count == 1
    assert (await make_client(token_store=store).authorize()).access_token == "ACCESS-1"


async def test_force_logs_in_anew(make_client, grants, token):
    rc = make_client(token=token)
    assert await rc.authorize(jwt="J") is token
    assert (await rc.authorize(jwt="J", force=True)).access_token == "ACCESS-1"
    assert form(grants.calls.last)["grant_type"] == JWT_GRANT


async def test_an_ended_kept_session_is_refreshed(make_client, grants, token, tmp_path):
    store = FileTokenStore(tmp_path / "token")
    await store.save(msgspec.structs.replace(token, expires_at=1.0))
    rc = make_client(token_store=store)
    await rc.authorize(jwt="J")
    assert form(grants.calls.last) == {"grant_type": "refresh_token", "refresh_token": "REFRESH-0"}
    assert await store.load() == rc.token


@pytest.mark.parametrize("refresh_ends", [1.0, None], ids=["over by the wall clock", "refused"])
async def test_a_dead_kept_session_is_replaced_by_a_login(make_client, api, token, refresh_ends):
    dead = msgspec.structs.replace(token, expires_at=1.0, refresh_expires_at=refresh_ends)
    grant_types = []

    def answer(request):
        grant_types.append(parse_qs(request.content.decode())["grant_type"][0])
        if grant_types[-1] == "refresh_token":
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"access_token": "NEW"})

    api.post("/restapi/oauth/token").mock(side_effect=answer)
    assert (await make_client(token=dead).authorize(jwt="J")).access_token == "NEW"
    assert grant_types == ["refresh_token", JWT_GRANT], "the server judges"


async def test_a_dead_kept_session_without_credentials(make_client, api, token):
    api.post("/restapi/oauth/token").respond(400, json={"error": "invalid_grant"})
    with pytest.raises(LoginRefused, match="invalid_grant"):
        await make_client(token=msgspec.structs.replace(token, expires_at=1.0)).authorize()


async def test_a_store_that_cannot_save_is_logged(make_client, grants, caplog):
    class Full:
        async def load(self):
            return None

        async def save(self, token):
            raise OSError("disk full")

        async def clear(self):
            raise NotImplementedError

    with caplog.at_level(logging.ERROR, "rcex_ws.rest"):
        token = await make_client(token_store=Full()).authorize(jwt="J")
    assert token.access_token == "ACCESS-1"
    assert "disk full" in caplog.text
    assert "ACCESS-1" not in caplog.text


async def test_a_cancelled_login_still_saves_the_token_it_got(make_client, grants):
    saved = []

    class Slow:
        async def load(self):
            return None

        async def save(self, token):
            scope.cancel()
            await anyio.lowlevel.checkpoint()
            saved.append(token)

        async def clear(self):
            raise NotImplementedError

    rc = make_client(token_store=Slow())
    with anyio.CancelScope() as scope:
        await rc.authorize(jwt="J")
    assert saved == [rc.token]


async def test_revoke(make_client, api, grants, tmp_path):
    store = FileTokenStore(tmp_path / "token")
    revoke = api.post("/restapi/oauth/revoke").respond(200)
    rc = make_client(token_store=store)
    await rc.authorize(jwt="J")
    await rc.revoke()
    assert form(revoke.calls.last) == {"token": "ACCESS-1"}
    assert revoke.calls.last.request.headers["Authorization"].startswith("Basic ")
    assert rc.token is None
    assert not store.path.exists()
    await rc.revoke()
    assert revoke.call_count == 1
    with pytest.raises(ConfigurationError, match="authorize"):
        await rc.get("/restapi/v1.0/x")


async def test_revoke_while_offline_forgets_all_the_same(make_client, api, grants, tmp_path):
    store = FileTokenStore(tmp_path / "token")
    api.post("/restapi/oauth/revoke").mock(side_effect=httpx.ConnectError)
    rc = make_client(token_store=store)
    await rc.authorize(jwt="J")
    with pytest.raises(TransportError):
        await rc.revoke()
    assert rc.token is None
    assert await store.load() is None


def test_authorize_uri_with_pkce():
    rc = RingCentral(server=SANDBOX + "/", client_id="ID")
    verifier = generate_code_verifier()
    assert len(verifier) == 43
    assert verifier != generate_code_verifier()
    uri = rc.authorize_uri(redirect_uri="https://a/b?c", state="S&", code_verifier=verifier, params={"prompt": "login"})
    assert uri.startswith(f"{SANDBOX}/restapi/oauth/authorize?")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert dict(parse_qsl(urlsplit(uri).query)) == {
        "response_type": "code",
        "client_id": "ID",
        "redirect_uri": "https://a/b?c",
        "state": "S&",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "login",
    }


def test_authorize_uri_without_pkce():
    uri = RingCentral(client_id="ID").authorize_uri(redirect_uri="https://a", state="S", pkce=False)
    assert dict(parse_qsl(urlsplit(uri).query)) == {
        "response_type": "code",
        "client_id": "ID",
        "redirect_uri": "https://a",
        "state": "S",
    }


def test_pkce_challenge_of_rfc_7636():
    uri = RingCentral(client_id="ID").authorize_uri(
        redirect_uri="https://a", code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" in uri


async def test_token_with_access_only_is_used_as_is(make_client, api):
    route = api.get("/restapi/v1.0/x").respond(204)
    await make_client(token=Token(access_token="ONLY")).get("/restapi/v1.0/x")
    assert route.calls.last.request.headers["Authorization"] == "Bearer ONLY"
