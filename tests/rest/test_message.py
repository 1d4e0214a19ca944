"""Request, Response, Headers: the plain objects of the chain."""

from __future__ import annotations

import pytest

from rcex_ws.errors import RcexError
from rcex_ws.readers import read_retry_after
from rcex_ws.rest import UNSET, Headers, NotJSON, Request, Response


def test_request_defaults():
    request = Request("get", "/x")
    assert request.method == "GET"
    assert request.json is UNSET
    assert request.accept == "*/*"
    assert Request("GET", "/x", headers={"aCCept": "image/png"}).accept == "image/png"


@pytest.mark.parametrize(
    ("method", "idempotent"),
    [("GET", True), ("HEAD", True), ("PUT", True), ("DELETE", True), ("POST", False), ("PATCH", False)],
)
def test_idempotent(method, idempotent):
    assert Request(method, "/x").idempotent is idempotent


def test_reprs_show_no_secret():
    request = Request("GET", "/x?access_token=SECRET", headers={"Authorization": "SECRET"}, json={"p": "SECRET"})
    assert repr(request) == "<Request GET /x>"
    assert "SECRET" not in repr(Response(200, {"Set-Cookie": "SECRET"}, b"SECRET"))
    assert "SECRET" not in repr(Headers({"Set-Cookie": "SECRET"}))


def test_headers_ignore_case():
    headers = Response(200, {"X-Rate-Limit-Group": "medium"}, b"").headers
    assert headers["x-rate-limit-group"] == headers.get("X-RATE-LIMIT-GROUP") == "medium"
    assert "x-Rate-limit-group" in headers
    assert "Retry-After" not in headers
    assert dict(headers) == {"X-Rate-Limit-Group": "medium"}


def test_response_json_and_text():
    response = Response(200, {"Content-Type": "application/json; charset=utf-8"}, '{"a": "ü"}'.encode(), "websocket")
    assert response.json() == {"a": "ü"}
    assert response.text == '{"a": "ü"}'
    assert response.content_type == "application/json"
    assert response.via == "websocket"
    assert response.is_success
    assert not Response(300, {}, b"").is_success


@pytest.mark.parametrize(
    ("kind", "body", "text"), [("text/plain; charset=latin-1", b"\xfc", "ü"), ("text/plain; charset=nope", b"a", "a")]
)
def test_response_text_charset(kind, body, text):
    assert Response(200, {"content-type": kind}, body).text == text


def test_what_only_the_standard_library_reads_is_read():
    assert Response(200, {}, b'{"a": NaN, "b": "\\ud800"}').json()["b"] == "\ud800"


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00"])
def test_no_json(body):
    with pytest.raises(NotJSON, match="no JSON") as caught:
        Response(200, {}, body).json()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, RcexError)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after(value, seconds):
    assert read_retry_after(value, now=60.0) == seconds
