"""Which calls may be sent again, and which bodies are still there."""

from __future__ import annotations

import io

import pytest

from rcex_ws.errors import NotConnected, RateLimited, RcexError, ResponseTooLarge
from rcex_ws.rest import Request
from rcex_ws.rest.extensions.repeatable import body_can_be_sent_again, may_repeat


class Pipe(io.BytesIO):
    def seekable(self):
        return False


class Reader:
    def read(self):
        return b""


@pytest.mark.parametrize(
    ("options", "again"),
    [
        ({}, True),
        ({"json": {}}, True),
        ({"content": b"x"}, True),
        ({"files": {"a": b"x", "b": ("n", "text")}}, True),
        ({"files": [("a", io.BytesIO(b"x"))]}, True),
        ({"files": {"a": ("name", io.BytesIO(b"x"), "text/plain")}}, True),
        ({"files": {"a": b"x", "b": Pipe(b"x")}}, False),
        ({"files": [("a", ("name", Pipe(b"x"), "text/plain"))]}, False),
        ({"files": {"a": Reader()}}, False),
    ],
)
def test_bodies(options, again):
    request = Request("PUT", "/a", **options)
    assert body_can_be_sent_again(request) is again
    assert may_repeat(request, NotConnected("x")) is again


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NotConnected("x"), True),
        (RateLimited("x", retry_after=1.0), True),
        (ResponseTooLarge("x"), False),
        (RcexError("x"), False),
    ],
)
def test_errors_after_a_post(error, again):
    assert may_repeat(Request("POST", "/a"), error) is again
    assert may_repeat(Request("GET", "/a"), error)
