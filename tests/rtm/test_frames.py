"""The frames of both sides, as they are on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from rcex_ws.errors import BadFrame, ConfigurationError
from rcex_ws.rtm.frames import (
    ClientFrame,
    RtmServerFrame,
    decode_client_frame,
    decode_server_frame,
    encode_error,
    encode_event,
    encode_frame,
    encode_refusal,
    encode_reply,
    is_true,
)
from rcex_ws.secret import Secret

CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (encode_frame(ClientFrame("1", "auth", [{"a": 1}])), '{"id":"1","type":"auth","data":[{"a":1}]}'),
        (encode_frame(ClientFrame("2", "invoke", [], "f")), '{"id":"2","type":"invoke","data":[],"function":"f"}'),
        (
            encode_frame(ClientFrame("3", "subscribe", event="e", tags=["t"])),
            '{"id":"3","type":"subscribe","event":"e","tags":["t"]}',
        ),
        (encode_event("e", [1, "x"]), '{"event":"e","data":[1,"x"]}'),
        (encode_event("e", (), "7-0"), '{"event":"e","data":[],"id":"7-0"}'),
        (encode_reply("1", {"a": None}), '{"id":"1","data":{"a":null}}'),
        (encode_reply("1", None), '{"id":"1"}'),
        (encode_reply(None, 0), '{"id":null,"data":0}'),
        (encode_error("1", "no"), '{"id":"1","data":{"error":"no"}}'),
        (encode_refusal("1"), '{"id":"1","data":null}'),
    ],
)
def test_frames_are_those_of_the_original_packages(encoded: bytes, text: str) -> None:
    assert encoded.decode() == text


def test_what_a_client_sends_is_read() -> None:
    assert decode_client_frame(b'{"id":5,"type":"invoke","data":null,"function":"f","more":1}') == ClientFrame(
        5, "invoke", None, "f"
    )
    assert decode_client_frame(b"{}") == ClientFrame()


def test_what_a_server_sends_is_read() -> None:
    assert decode_server_frame(b'{"event":"e","data":[1],"id":"7"}') == RtmServerFrame("e", [1], "7")
    assert decode_server_frame(b'{"id":"1"}').data is UNSET
    assert decode_server_frame(b'{"event":5,"data":"\\ud800"}').event == 5


@pytest.mark.parametrize("bad", [b"", b"[]", b'"x"', b"{", b'{"id":[]}', b"\xff"])
def test_what_is_no_frame_is_refused_without_quoting_it(bad: bytes) -> None:
    for decode in (decode_client_frame, decode_server_frame):
        with pytest.raises(BadFrame, match="no frame: "):
            decode(bad)


@pytest.mark.parametrize("value", [object(), "\ud800", {("a",): 1}, {1, object()}, CIRCULAR])
def test_what_json_cannot_express_is_refused(value: Any) -> None:
    for encode in (
        lambda: encode_frame(ClientFrame(data=[value])),
        lambda: encode_event("e", [value]),
        lambda: encode_reply("1", value),
        lambda: encode_error("1", value),
    ):
        with pytest.raises(ConfigurationError, match="JSON cannot express it"):
            encode()


def test_texts_of_other_classes_are_encoded_as_they_are() -> None:
    assert encode_reply("1", Secret("x")) == b'{"id":"1","data":"x"}'


@pytest.mark.parametrize("value", [True, 1, -0.5, "0", "false", [], {}, [0], {"error": None}], ids=str)
def test_what_is_true_for_javascript(value: Any) -> None:
    assert is_true(value)


@pytest.mark.parametrize("value", [None, False, 0, 0.0, ""], ids=repr)
def test_what_is_not(value: Any) -> None:
    assert not is_true(value)
