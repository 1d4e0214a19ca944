"""Failures found by trying what a call may send, and to whom: redirections, and the same by both ways."""

from __future__ import annotations

import enum
from urllib.parse import urlencode

import pytest

from rcex_ws import (
    ConfigurationError,
)
from rcex_ws.address import may_have_token
from rcex_ws.rest import Request
from rcex_ws.rest.https import _redirect_target
from rcex_ws.rest.url import build_url
from rcex_ws.wsg.rest_transport import _query
from tests.found.peer import Peer
from tests.found.test_answers import GET, extension, http
from tests.found.test_travel import logged_in


@pytest.fixture
def other():
    with Peer() as peer:
        yield peer


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "Cookie", "proxy-authorization"])
@pytest.mark.parametrize("way", ["get", "stream"])
async def test_a_redirection_elsewhere_takes_no_credentials_of_the_caller(peer, other, name, way):
    async with logged_in(peer) as rc:
        peer.scripted[GET] = [http(302, b"", f"Location: {other.server}{GET}")]
        other.scripted[GET] = [http(200, b"{}")]
        if way == "get":
            await rc.get(GET, headers={name: "mysecret"})
        else:
            async with rc.stream("GET", GET, headers={name: "mysecret"}) as answer:
                await answer.aread()
        assert other.seen
        assert "mysecret" not in "".join(other.seen)


async def test_a_redirection_to_a_host_that_libraries_read_differently_bears_no_token(peer):
    """`straße` is `strasse` to one (IDNA 2003) and a name of its own to the other (IDNA 2008)."""
    target = _redirect_target("https://strasse.example/a", "https://straße.example/b")
    assert not may_have_token("https://strasse.example", target)


class Colour(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    RED = "red"


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"k": Colour.RED}, "k=red"),
        ({"k": Text("x")}, "k=x"),
        ({Text("k"): [1, None, 2]}, "k=1&k=2"),
        ({"k": []}, ""),
        ({"k": [None]}, ""),
    ],
)
async def test_a_query_is_the_same_whatever_the_way(peer, params, query):
    request = Request("GET", GET, params=params)
    assert build_url("", GET, params).partition("?")[2] == query
    assert urlencode(_query(request) or {}, doseq=True) == query


async def test_headers_and_paths_of_any_kind_of_text_go_over_the_socket(peer):
    async with logged_in(peer) as rc:
        ext = extension(rest_over_websocket=True)
        await rc.install_extension(ext)
        response = await rc.get(Text(GET), headers={Text("X-A"): Text("b")})
        assert response.via == "websocket"


@pytest.mark.parametrize("options", [{"params": {"k": 10**5000}}, {"params": {"k": "x" * 70_000}}])
async def test_what_no_url_can_hold_is_refused(peer, options):
    async with logged_in(peer) as rc:
        with pytest.raises(ConfigurationError, match="params"):
            await rc.get(GET, **options)


@pytest.mark.parametrize("value", [" a", "a ", "\ta"])
async def test_space_around_a_header_is_refused_whatever_the_way(peer, value):
    async with logged_in(peer) as rc:
        with pytest.raises(ConfigurationError, match="headers: X-A"):
            await rc.get(GET, headers={"X-A": value})
