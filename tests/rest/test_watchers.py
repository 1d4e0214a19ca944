"""Whoever watches a session is told of each login, refresh and logout, and of each failure to."""

from __future__ import annotations

import httpx
import pytest

from rcex_ws.errors import TransportError
from rcex_ws.rest import LoginRefused, Response, RestError, Token


@pytest.fixture
def told():
    return []


def phases(told):
    return [f"{change.step} {change.phase}" for change in told]


async def test_a_session_from_login_to_logout(make_client, api, grants, told):
    api.post("/restapi/oauth/revoke").respond(200)
    rc = make_client()
    rc.watch_session(told.append)
    login = await rc.authorize(jwt="J")
    await rc.authorize(jwt="J")  # continued: nothing happens
    refreshed = await rc.refresh()
    await rc.revoke()
    steps = ["login before", "login success", "refresh before", "refresh success", "logout before", "logout success"]
    assert phases(told) == steps
    assert [change.token for change in told] == [None, login, None, refreshed, None, refreshed]
    assert "ACCESS" not in repr(told)


async def test_failures_have_their_error(make_client, api, token, told):
    api.post("/restapi/oauth/token").respond(400, json={"error": "invalid_grant"})
    api.post("/restapi/oauth/revoke").mock(side_effect=httpx.ConnectError)
    rc = make_client(token=token)
    rc.watch_session(told.append)
    with pytest.raises(LoginRefused) as refused:
        await rc.refresh()
    with pytest.raises(TransportError) as lost:
        await rc.revoke()
    with pytest.raises(LoginRefused):
        await rc.authorize(code="C")
    assert phases(told)[1::2] == ["refresh error", "logout error", "login error"]
    assert (told[1].error, told[3].error) == (refused.value, lost.value)


async def test_a_watcher_can_be_removed_and_another_stays(make_client, grants, told):
    rc = make_client()
    remove = rc.watch_session(told.append)
    rc.watch_session(told.append)
    remove()
    remove()
    await rc.authorize(jwt="J")
    assert phases(told) == ["login before", "login success"]


async def test_a_session_that_belongs_to_somebody_else_tells_of_its_renewals(make_client, api, token, told):
    class Vault:
        async def current(self):
            return token

        async def renew(self, stale):
            if told[1:]:
                raise LoginRefused(Response(400, {}, b""), method="POST", path="/vault")
            return Token(access_token="ACCESS-9")

    api.get("/restapi/v1.0/a").respond(401)
    rc = make_client(token_owner=Vault())
    rc.watch_session(told.append)
    with pytest.raises(RestError, match="401"):  # also with the new token
        await rc.get("/restapi/v1.0/a")
    with pytest.raises(LoginRefused):
        await rc.refresh()
    assert phases(told) == ["refresh before", "refresh success", "refresh before", "refresh error"]
    assert told[1].token.access_token == "ACCESS-9"
