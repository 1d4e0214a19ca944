"""Refusals by OAuth say what to do about them."""

from __future__ import annotations

import pytest

from rcex_ws.rest import LoginRefused, RestError
from rcex_ws.rest.hints import hint_for

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.mark.parametrize(
    ("code", "error", "grant_type", "told"),
    [
        ("OAU-153", "invalid_client", JWT, "client_secret"),
        (None, "invalid_client", JWT, "client_secret"),
        ("OAU-251", "unauthorized_client", JWT, "Developer Console"),
        ("OAU-251", "unauthorized_client", "password", "passwords are not accepted"),
        (None, "unauthorized_client", "password", "passwords are not accepted"),
        (None, "unauthorized_client", "authorization_code", "not set up"),
        ("OAU-250", "invalid_request", JWT, "not set up"),
        ("OAU-210", "invalid_grant", "refresh_token", "another process"),
        ("OAU-210", "invalid_grant", JWT, "the JWT has expired"),
        (None, "invalid_grant", "authorization_code", "code_verifier"),
        (None, "invalid_grant", "password", "password"),
        ("OAU-109", "invalid_grant", "authorization_code", "redirect_uri"),
        ("OAU-147", "invalid_grant", "password", "unlock"),
        ("OAU-213", None, None, "log in again"),
        ("OAU-140", "invalid_grant", JWT, "the JWT has expired"),
        ("OAU-140", "invalid_grant", "password", "check username"),
        ("OAU-140", None, None, "check username"),
    ],
)
def test_what_to_do(code, error, grant_type, told):
    hint = hint_for(code, error, grant_type)
    assert hint is not None
    assert told in hint


@pytest.mark.parametrize("arguments", [("CMN-102", None, None), (None, "invalid_client", None), (None, "x", JWT)])
def test_nothing_to_add(arguments):
    assert hint_for(*arguments) is None


async def test_the_error_of_a_login_says_it(make_client, api):
    body = {"error": "invalid_grant", "error_description": "expired", "errors": [{"errorCode": "OAU-210"}]}
    api.post("/restapi/oauth/token").respond(400, json=body)
    with pytest.raises(LoginRefused, match=r"400: OAU-210: expired; the JWT has expired, was revoked") as told:
        await make_client().authorize(jwt="JWT-SECRET")
    assert told.value.hint is not None
    assert told.value.error_code == "OAU-210"
    assert "SECRET" not in str(told.value)


async def test_an_error_of_the_api_has_a_hint_only_for_its_token(rc, api, grants):
    api.get("/restapi/v1.0/a").respond(404, json={"errorCode": "CMN-102", "message": "not found"})
    with pytest.raises(RestError, match=r"CMN-102: not found$") as told:
        await rc.get("/restapi/v1.0/a")
    assert told.value.hint is None
