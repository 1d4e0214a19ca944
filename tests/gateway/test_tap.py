"""Frames for the console: shown as they pass, without credentials, and only while somebody watches."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.journal import Journal
from rcex_ws.gateway.tap import FrameTap
from tests.gateway.test_core import Time

LONG = "a1-_" * 20


@pytest.fixture
def tap() -> FrameTap:
    return FrameTap(Journal(Clock(Time())))


def shown(tap: FrameTap, frame: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []
    end = tap.watch(seen.append)
    tap.show(7, "in", [frame.encode()])
    end()
    tap.show(7, "in", [b"nobody watches"])
    (entry,) = seen
    return entry


def test_a_frame_as_it_is(tap):
    entry = shown(tap, '[{"type":"Heartbeat"}]')
    assert entry == {
        "time": 0.0,
        "kind": "wire",
        "connection": 7,
        "direction": "in",
        "size": 22,
        "text": '[{"type":"Heartbeat"}]',
    }


@pytest.mark.parametrize(
    ("frame", "secret"),
    [
        ('{"access_token": "brief"}', "brief"),
        ('{"refreshToken":"brief"}', "brief"),
        ('{"password":"a \\"quoted\\" phrase"}', "phrase"),
        ('{"client_secret":"brief"}', "brief"),
        (f'{{"wsc":{{"token":"{LONG}","sequence":1}}}}', LONG),
        (f'{{"path":"/restapi?access_token={LONG}"}}', LONG),
        ('{"path":"/restapi?code=brief"}', "brief"),
        (f'{{"a":"{"x " * 1990}","token":"{LONG}"}}', LONG[:20]),
        (f'{{"a":"{"x " * 3980}","password":"{LONG}"}}', LONG[:20]),
    ],
)
def test_no_credential_is_shown(tap, frame, secret):
    assert secret in frame
    assert secret not in shown(tap, frame)["text"]


def test_a_long_frame_is_cut_off(tap):
    entry = shown(tap, "x " * 100_000)
    assert entry["size"] == 200_000
    assert len(entry["text"]) < 2100


def test_bytes_that_are_no_text(tap):
    seen: list[dict[str, Any]] = []
    tap.watch(seen.append)
    tap.show(1, "out", [b"\xff\xfe", b"{}"])
    assert [entry["text"] for entry in seen] == ["\ufffd\ufffd", "{}"]
