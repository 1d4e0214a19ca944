"""No token or secret in any error, repr or log, all loggers at DEBUG."""

from __future__ import annotations

import logging
import traceback

import httpx
import pytest

from rcex_ws.errors import RcexError
from rcex_ws.rest import RingCentral, Token

SECRETS = ("JWT-X", "CLIENT-X", "ACCESS-X", "REFRESH-X", "PASSWORD-X")


@pytest.mark.parametrize(
    "failure", [400, 401, 403, 429, 500, httpx.ConnectError("ACCESS-X"), httpx.ReadTimeout("JWT-X")]
)
async def test_secrets_stay_inside(make_client, api, caplog, failure):
    def answer(_):
        if isinstance(failure, Exception):
            raise failure
        return httpx.Response(failure, json={"error": "e", "error_description": "d"})

    caplog.set_level(logging.DEBUG)
    api.post("/restapi/oauth/token").mock(side_effect=answer)
    api.post("/restapi/oauth/revoke").mock(side_effect=answer)
    api.get("/restapi/v1.0/x").mock(side_effect=answer)
    token = Token(access_token="ACCESS-X", refresh_token="REFRESH-X", expires_at=1.0)
    rc: RingCentral = make_client(client_secret="CLIENT-X", token=token)
    shown = [repr(rc), repr(vars(rc)), repr(token)]
    for call in (
        lambda: rc.authorize(jwt="JWT-X"),
        lambda: rc.authorize(username="u", password="PASSWORD-X", force=True),
        rc.refresh,
        lambda: rc.get("/restapi/v1.0/x", params={"access_token": "ACCESS-X"}),
        rc.revoke,
    ):
        with pytest.raises(RcexError) as caught:
            await call()
        shown += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    text = "\n".join(shown) + "\n".join(record.getMessage() for record in caplog.records if record.name != "httpx")
    assert [secret for secret in SECRETS if secret in text] == []
