"""Parsing WebSocket addresses: valid and invalid ones, and that no error quotes any part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rcex_ws.address import Address, parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.handshake import ClientHandshake


def asked_for(url: str) -> str:
    """Return the request target of a client for an address."""
    line, _, _ = ClientHandshake(url, headers={}, max_size=1).request().partition(b"\r\n")
    return line.removeprefix(b"GET ").removesuffix(b" HTTP/1.1").decode()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://host", ("ws", "host", 80, "/")),
        ("wss://host", ("wss", "host", 443, "/")),
        ("WSS://Host.Example:8443/A/b?c=D", ("wss", "host.example", 8443, "/A/b?c=D")),
        ("ws://host:/?a=b?c=/", ("ws", "host", 80, "/?a=b?c=/")),
        ("ws://host?a=b", ("ws", "host", 80, "/?a=b")),
        ("ws://127.0.0.1:1/", ("ws", "127.0.0.1", 1, "/")),
        ("ws://[::1]:65535/x", ("ws", "::1", 65535, "/x")),
        ("wss://[2001:DB8::1]", ("wss", "2001:db8::1", 443, "/")),
        ("ws://münchen.example/", ("ws", "xn--mnchen-3ya.example", 80, "/")),
        ("ws://xn--mnchen-3ya.example/", ("ws", "xn--mnchen-3ya.example", 80, "/")),
        ("ws://host/grüße?süß=%C3%9F&x=1", ("ws", "host", 80, "/gr%C3%BC%C3%9Fe?s%C3%BC%C3%9F=%C3%9F&x=1")),
        ("ws://host/a%2Fb?t=%20+'", ("ws", "host", 80, "/a%2Fb?t=%20+'")),
        ("ws://under_score.example./", ("ws", "under_score.example.", 80, "/")),
    ],
)
def test_an_address(url: str, address: Any) -> None:
    assert parse_address(url) == Address(*address)
    assert asked_for(url) == address[-1]
    assert parse_address(url).secure is (address[0] == "wss")


BAD = [
    "",
    "SECRET",
    "http://host/SECRET",
    "https://host/SECRET",
    "//host/SECRET",
    "ws:host/SECRET",
    "ws:///SECRET",
    "ws://:80/SECRET",
    "ws://[x/SECRET",
    "ws://[x]/SECRET",
    "ws://[::1/SECRET",
    "ws://host:99999/SECRET",
    "ws://host:0/SECRET",
    "ws://host:-1/SECRET",
    "ws://host:SECRET/",
    "ws://host/#SECRET",
    "ws://SECRET@host/",
    "ws://user:SECRET@host/",
    "ws://@host/SECRET",
    "ws://SECRET.." + "a" * 64 + "/",
    "ws://a..b/SECRET",
    "ws://.a/SECRET",
    "ws://SECRET host/",
    "ws://host/SE CRET",
    "ws://host/SECRET\x00",
    "ws://host/?SECRET\x7f",
    "ws://ho\x01st/SECRET",
    "ws://\N{DOUBLE-STRUCK ITALIC SMALL D}\N{FULLWIDTH SOLIDUS}SECRET/",
    None,
    b"ws://host/SECRET",
    12,
]


@pytest.mark.parametrize("url", BAD, ids=repr)
def test_what_is_no_address_is_final_and_not_shown(url: Any) -> None:
    with pytest.raises(ConnectFailed, match="not a valid ws:// or wss:// URI") as caught:
        parse_address(url)
    assert (caught.value.retryable, caught.value.upgrade_sent) == (False, False)
    assert "SECRET" not in f"{caught.value} {caught.value!r}"


def test_the_reason_is_told_where_it_is_not_obvious() -> None:
    with pytest.raises(ConnectFailed, match="user name; a login goes into the headers"):
        parse_address("ws://user:pw@host/")
    with pytest.raises(ConnectFailed, match="it has a fragment"):
        parse_address("ws://host/#x")


def test_an_address_does_not_show_its_query() -> None:
    assert "SECRET" not in repr(parse_address("ws://host/SECRET?access_token=SECRET"))


@given(st.text() | st.text().map("ws://".__add__) | st.text("[]:@/?#%.\r\n \0aä1", max_size=12).map("wss://".__add__))
@example("ws://host/\r\nX-Injected: yes")
def test_any_text_is_an_address_that_fits_into_a_request_or_none(url: str) -> None:
    try:
        address, target = parse_address(url), asked_for(url)
    except ConnectFailed:
        return
    assert 0 < address.port < 2**16
    assert target.startswith("/")
    for text in (address.host, target):
        assert text
        assert all("!" <= char <= "~" for char in text)
