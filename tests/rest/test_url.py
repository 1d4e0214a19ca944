"""Addresses: queries, the hosts that may see the bearer, path templates."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.address import check_server, may_have_token
from rcex_ws.errors import ConfigurationError
from rcex_ws.rest import Request
from rcex_ws.rest.url import build_url, path_template

SERVER = "https://platform.ringcentral.com"


@pytest.mark.parametrize(
    ("params", "query"),
    [
        (None, ""),
        ({}, ""),
        ({"phoneNumber": "+1650", "q": "a&b c"}, "?phoneNumber=%2B1650&q=a%26b%20c"),  # P14
        ({"type": ["SMS", "Fax"]}, "?type=SMS&type=Fax"),
        ({"a": True, "b": False, "c": None, "d": 3, "e": ["x", None]}, "?a=true&b=false&d=3&e=x"),
        ({"a": None}, ""),
    ],
)
def test_query(params, query):
    assert build_url(SERVER, "/x", params) == f"{SERVER}/x{query}"


def test_query_is_added_to_the_paths_own():
    assert build_url(SERVER, "/x?a=1", {"b": 2}) == f"{SERVER}/x?a=1&b=2"


def test_absolute_url():
    assert build_url(SERVER, "https://media.ringcentral.com/x", {"a": 1}) == "https://media.ringcentral.com/x?a=1"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "@evil.com",
        "ftp://x/y",
        "https://platform.ringcentral.com@evil.com/",
        "https://evil.com\\@a/",
        "https://",
    ],
)
def test_no_path(path):
    with pytest.raises(ConfigurationError, match="path"):
        Request("GET", path)


@pytest.mark.parametrize(
    "server", ["", "platform.ringcentral.com", "ftp://x", "https://", "https://u:p@host", "https://h/?a=1"]
)
def test_no_server(server):
    with pytest.raises(ConfigurationError, match="server"):
        check_server(server)


@pytest.mark.parametrize(
    ("server", "url", "own"),
    [
        (SERVER, SERVER + "/x", True),
        (SERVER, "https://media.ringcentral.com/x", True),
        (SERVER, "http://platform.ringcentral.com/x", False),
        (SERVER, "https://evilringcentral.com/x", False),
        (SERVER, "https://ringcentral.com.evil.com/x", False),
        (SERVER, "https://platform.ringcentral.com.evil.com/x", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/x", True),
        ("http://127.0.0.1:8080", "https://media.ringcentral.com/x", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081/x", False),
        ("http://127.0.0.1:8080", "https://127.0.0.1:8080/x", False),
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/x", True),
        (SERVER, "https://platform.ringcentral.com:443/x", True),
        (SERVER, "https://platform.ringcentral.com:8443/x", False),
        (SERVER, "https://PLATFORM.ringcentral.com/x", True),
        (SERVER, "wss://ws-api.ringcentral.com/ws", True),
        (SERVER, "ws://ws-api.ringcentral.com/ws", False),
        (SERVER, "https://[", False),
        ("https://example.com", "https://media.ringcentral.com/x", False),
    ],
)
def test_where_a_token_may_go(server, url, own):
    assert may_have_token(server, url) is own


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/restapi/v1.0/account/~/extension/123/sms", "/restapi/v1.0/account/*/extension/*/sms"),
        ("/restapi/v1.0/account/1,2/presence?x=1", "/restapi/v1.0/account/*/presence"),
        ("/restapi/v1.0/subscription/1b2a2e6b-2245-4278-b47c-16259ca003a8", "/restapi/v1.0/subscription/*"),
        ("/restapi/v1.0/account/~/telephony/sessions/s-a6ab1234", "/restapi/v1.0/account/*/telephony/sessions/*"),
        ("/restapi/v1.0/account/~/a2p-sms/messages", "/restapi/v1.0/account/*/a2p-sms/messages"),
        (
            "https://media.ringcentral.com/restapi/v1.0/account/1/recording/22/content",
            "/restapi/v1.0/account/*/recording/*/content",
        ),
    ],
)
def test_path_template(path, template):
    assert path_template(path) == template


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_any_query_is_read_back_as_it_was(params):
    query = urlsplit(build_url(SERVER, "/x", params)).query
    assert dict(parse_qsl(query, keep_blank_values=True)) == params
