"""RestError: what it reads out of RingCentral's bodies, and whether trying again can help."""

from __future__ import annotations

import json

import pytest

from rcex_ws.rest import LoginRefused, Response, RestError


def make(status=400, body=b"", headers=None, kind=RestError):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return kind(Response(status, headers or {}, content), method="GET", path="/x?token=SECRET")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"errorCode": "CMN-401", "message": "No"}, "CMN-401", "No"),
        (
            {
                "errorCode": "InsufficientPermissions",
                "message": "a",
                "errors": [{"errorCode": "CMN-401", "message": "b"}],
            },
            "CMN-401",
            "b",
        ),
        ({"errorCode": "X", "errors": []}, "X", None),
        ({"errorCode": "X", "errors": ["odd"]}, "X", None),
        ({"errorCode": "X", "errors": "odd"}, "X", None),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant", "expired"),
        ([], None, None),
        (b"", None, None),
        (b"<html>", None, None),
    ],
)
def test_code_and_message(body, code, message):
    error = make(body=body)
    assert (error.error_code, error.message) == (code, message)
    assert error.status_code == error.response.status_code == 400


def test_an_error_without_a_body_is_a_rest_error():  # J20
    assert str(make(status=502)) == "GET /x was answered 502: no reason given"


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
def test_retryable(status, retryable):
    assert make(status=status).retryable is retryable
    assert make(status=status, kind=LoginRefused).retryable is False


def test_retry_after():
    assert make(status=429, headers={"retry-after": "3"}).retry_after == 3.0
    assert make(status=429).retry_after is None


def test_the_text_is_bounded_and_has_no_query():
    text = str(make(body={"message": "x" * 10_000}))
    assert len(text) < 1000
    assert "SECRET" not in text
