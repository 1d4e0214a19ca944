"""Failures found in what a call may be given: what cannot be sent is refused by name, the same by both transports."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from functools import partial

import pytest

from rcex_ws import ConfigurationError, RcexError, Request, WebSocketExtension
from tests.found.test_answers import GET
from tests.found.test_travel import logged_in

NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: The argument that the error names, and the call.
BAD = {
    "params text": ("params", {"params": "a=b"}),
    "params list": ("params", {"params": [("a", "b")]}),
    "params date": ("params: from: .*isoformat", {"params": {"from": NOW}}),
    "params day": ("params: from: .*isoformat", {"params": {"from": date(2026, 1, 1)}}),
    "params nested": ("params: a", {"params": {"a": {"b": 1}}}),
    "params bytes": ("params: a", {"params": {"a": b"1"}}),
    "params nan": ("params: a", {"params": {"a": math.nan}}),
    "params half": ("params: a", {"params": {"a": "\ud800"}}),
    "params name": ("params", {"params": {1: "a"}}),
    "files text": ("files", {"files": "x"}),
    "files bytes": ("files", {"files": b"x"}),
    "files number": ("files: a", {"files": {"a": 5}}),
    "files triple": ("files", {"files": [("a", b"b", "c")]}),
    "json and data": ("data and json", {"json": {}, "data": {}}),
    "null and data": ("data and json", {"json": None, "data": {}}),
    "json and content": ("content and json", {"json": {}, "content": b""}),
    "content and files": ("content and files", {"content": b"", "files": {"a": b""}}),
    "data text": ("data: .*content=", {"data": "a=b"}),
    "data object": ("data: a", {"data": {"a": object()}}),
    "content number": ("content", {"content": 5}),
    "content dict": ("content", {"content": {}}),
    "json object": ("json", {"json": object()}),
    "json half": ("json", {"json": "\ud800"}),
    "json keys": ("json", {"json": {(1, 2): 3}}),
    "header none": ("headers: X-A", {"headers": {"X-A": None}}),
    "header number": ("headers: X-A", {"headers": {"X-A": 1}}),
    "timeout none": ("timeout", {"timeout": None}),
    "timeout text": ("timeout", {"timeout": "5"}),
    "timeout nan": ("timeout", {"timeout": math.nan}),
    "timeout zero": ("timeout", {"timeout": 0}),
    "timeout bool": ("timeout", {"timeout": True}),
}


@pytest.mark.parametrize("way", ["https", "websocket"])
@pytest.mark.parametrize("name", BAD)
async def test_i4_what_cannot_be_sent_is_refused_by_name_whatever_the_way(peer, way, name):
    words, options = BAD[name]
    async with logged_in(peer) as rc:
        if way == "websocket":
            await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        assert (await rc.get(GET)).via == way
        before = len(peer.calls)
        for call in (partial(rc.post, GET), partial(rc.get, GET), rc.restapi().x.post):
            with pytest.raises(ConfigurationError, match=f"^{words}") as caught:
                await call(**options)
            assert not caught.value.retryable
            assert isinstance(caught.value, RcexError)
        with pytest.raises(ConfigurationError, match=f"^{words}"):
            async with rc.stream("POST", GET, **options):
                pass
        assert len(peer.calls) == before


@pytest.mark.parametrize("path", [None, 5, b"/x", ["/x"]])
async def test_i4_a_path_that_is_none(peer, path):
    async with logged_in(peer) as rc:
        with pytest.raises(ConfigurationError, match=r"^path: "):
            await rc.get(path)
        with pytest.raises(ConfigurationError, match=r"^path: "):
            Request("GET", path)


@pytest.mark.parametrize("method", [None, 5, "", "G T", "GET\r\n", b"GET"])
async def test_i4_a_method_that_is_none(peer, method):
    async with logged_in(peer) as rc:
        with pytest.raises(ConfigurationError, match=r"^method: "):
            await rc.request(method, GET)


async def test_i4_what_can_be_sent_is_the_same_by_both_ways(peer):
    params = {"n": 1, "x": 0.5, "yes": True, "no": None, "many": ["a", 2], "text": "ä &"}
    async with logged_in(peer) as rc:
        assert (await rc.get(GET, params=params)).via == "https"
        await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        assert (await rc.get(GET, params=params, timeout=5)).via == "websocket"
