"""What a login may ask for, and how an access token may be given: as published clients do it."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

EXTENSION = "/restapi/v1.0/account/~/extension/~"
TOKEN = "/restapi/oauth/token"
SMS = {"to": [{"phoneNumber": "+16505550102"}], "from": {"phoneNumber": "+16505550101"}, "text": "a text"}


def asked(ada, **form):
    first = ada.gateway.core.apps.first
    basic = base64.b64encode(f"{first.client_id}:{first.client_secret}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    answer = ada.ask("POST", TOKEN, urlencode(form).encode(), headers=headers)
    return answer.status, json.loads(answer.body)


def logged_in(ada, **form):
    jwt = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": ada.extension.jwt}
    return asked(ada, **jwt, **form)


@pytest.mark.parametrize(
    ("wanted", "access", "refresh"),
    [
        ({}, 3600, 604800),
        ({"access_token_ttl": 600, "refresh_token_ttl": 1200}, 600, 1200),
        ({"access_token_ttl": 1, "refresh_token_ttl": 1}, 600, 1),
        ({"access_token_ttl": 10**9, "refresh_token_ttl": 10**9}, 3600, 604800),
        ({"refresh_token_ttl": 0}, 3600, None),
        ({"refresh_token_ttl": -1}, 3600, None),
    ],
)
def test_the_lifetimes_that_a_login_asks_for(ada, wanted, access, refresh):
    status, tokens = logged_in(ada, **wanted)
    assert (status, tokens["expires_in"], tokens.get("refresh_token_expires_in")) == (200, access, refresh)
    assert ("refresh_token" in tokens) is (refresh is not None)


def test_a_refresh_asks_anew(ada):
    _, tokens = logged_in(ada, access_token_ttl=600)
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert asked(ada, **again, access_token_ttl=900)[1]["expires_in"] == 900


def test_a_lifetime_that_is_no_number(ada):
    assert logged_in(ada, access_token_ttl="NaN")[1]["error"] == "invalid_request"
    assert logged_in(ada, refresh_token_ttl="")[0] == 400


@pytest.mark.parametrize(
    ("username", "more"),
    [
        ("+16505550102", {}),
        ("+1 (650) 555-0102", {}),
        ("+16505550102*102", {}),
        ("+16505550102", {"extension": "102"}),
        ("bob@gateway.invalid", {"extension": ""}),
        ("+16505550100*102", {}),
        ("+16505550100", {"extension": "102"}),
    ],
    ids=str,
)
def test_who_logs_in_by_password(ada, bob, username, more):
    status, tokens = asked(ada, grant_type="password", username=username, password=bob.extension.password, **more)
    assert (status, tokens.get("owner_id")) == (200, bob.extension.id)


@pytest.mark.parametrize(
    "username", ["+16505550100", "+16505550102*101", "+16505550101*102", "*102", "102", "nobody*102"]
)
def test_who_does_not_log_in_by_password(ada, bob, username):
    status, answer = asked(ada, grant_type="password", username=username, password=bob.extension.password)
    assert (status, answer["error"]) == (400, "invalid_grant")


def test_a_signed_address_of_a_file(ada):
    """A page that shows a picture cannot send a header: SDKs sign its address (`platform.signUrl`)."""
    message = ada.json("POST", f"{EXTENSION}/sms", SMS)
    path = message["attachments"][0]["uri"].removeprefix("http://gateway.test")
    no_header = {"authorization": ""}
    assert ada.ask("GET", path, headers=no_header, access_token=ada.login.access_token).body == b"a text"
    assert ada.ask("GET", path, headers=no_header, access_token="wrong").status == 401
    assert (
        ada.ask("GET", path, headers={"authorization": "Bearer wrong"}, access_token=ada.login.access_token).status
        == 401
    )
    assert ada.login.access_token not in json.dumps(ada.gateway.log())
