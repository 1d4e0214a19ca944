"""Frames: what is read, what is refused, what is hidden."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.errors import BadFrame
from rcex_ws.secret import redact
from rcex_ws.wsg.frames import (
    Wsc,
    decode,
    decode_body,
    encode_heartbeat,
    encode_request,
    read_envelope,
    read_error,
)

RECORDED_DETAILS = (
    b'[{"type":"ConnectionDetails","messageId":"4cc688a8-db2a-11eb-a334-005056be4c3c","status":200,'
    b'"wsc":{"token":"SEhiQTh3","sequence":1},"headers":{"RCRequestId":"4cc688a8"}},'
    b'{"creationTime":"2021-07-02T11:40:28.805+0000","maxConnectionsPerSession":50,"recoveryBufferSize":100}]'
)
MULTIPART = (
    b'[{"type":"ClientRequest","messageId":"7","status":207,"headers":{"Content-Type":"multipart/mixed"}}'
    b',--Boundary_1\r\nContent-Type: application/json\r\n\r\n{"a":"],--x"}\r\n--Boundary_1--\r\n]'
)


def test_a_recorded_frame():
    frame = decode(RECORDED_DETAILS)
    assert frame.meta.type == "ConnectionDetails"
    assert frame.meta.wsc == Wsc("SEhiQTh3", 1)
    assert frame.meta.headers == {"RCRequestId": "4cc688a8"}
    assert decode_body(frame.body)["recoveryBufferSize"] == 100


def test_a_frame_without_body():
    frame = decode(b'[{"type":"ClientRequest","messageId":"7","status":204}]')
    assert bytes(frame.body) == b""
    assert decode_body(frame.body) is None


@pytest.mark.parametrize("message_id", ['"7"', "7"])
def test_ids_come_as_strings_or_numbers(message_id):
    assert decode(b'[{"messageId":%b}]' % message_id.encode()).key == "7"


def test_a_multipart_answer():
    frame = decode(MULTIPART)
    assert frame.meta.status == 207
    assert bytes(frame.body).startswith(b"--Boundary_1\r\n")
    assert bytes(frame.body).rstrip().endswith(b"--Boundary_1--")


def test_the_multipart_marker_inside_a_text_is_only_text():
    frame = decode(b'[{"type":"ServerNotification"},{"event":"/x","body":{"subject":"],--Boundary [,--"}}]')
    assert decode_body(read_envelope(frame.body).body) == {"subject": "],--Boundary [,--"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"7",
        b"null",
        b"[7]",
        b'["x"]',
        b'[{"type":"x"},',
        b'[{"type":"x"}--Boundary]',
        b'[{"type":"x"},--Boundary',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_bad_frame_is_refused_with_our_error(data):
    with pytest.raises(BadFrame):
        decode(data)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b'[{"type":"x"},{"a":NaN}]', "NaN"),
        (b'[{"type":"x"},{"a":"\\ud800"}]', "\\ud800"),
        (b'[{"type":"x","status":"200"},{"a":1}]', "1"),
        (b'[{"type":"x","headers":7},{"a":1}]', "1"),
        (b'[{"type":"x","wsc":"?"},{"a":1}]', "1"),
        (b'[{"type":7},{"a":1}]', "1"),
    ],
)
def test_what_msgspec_refuses_the_standard_json_decides(data, body):
    frame = decode(data)
    assert body in bytes(frame.body).decode()
    assert "a" in decode_body(frame.body)


@pytest.mark.parametrize("body", [b"", b"7", b"[]", b"{}", b'{"uuid":"1"}', b'{"event":7}'])
def test_a_bad_envelope_is_refused_with_our_error(body):
    with pytest.raises(BadFrame):
        read_envelope(msgspec.Raw(body))


def test_an_envelope_that_only_the_standard_json_reads():
    envelope = read_envelope(msgspec.Raw(b'{"uuid":7,"event":"/x","body":{"a":"\\ud800","b":NaN}}'))
    assert envelope.event == "/x"
    assert envelope.uuid == 7
    assert decode_body(envelope.body)["a"] == "\ud800"


def test_an_unreadable_error_body_is_empty():
    assert read_error(msgspec.Raw(b"7")).error_code == ""
    assert read_error(msgspec.Raw(b'{"errorCode":"WSG-902","message":"m"}')).error_code == "WSG-902"


def test_encode():
    frame = encode_request("7", "POST", "/x", query={"a": [1]}, headers={"H": "v"}, body=b'{"b":1}')
    assert json.loads(frame) == [
        {
            "type": "ClientRequest",
            "messageId": "7",
            "method": "POST",
            "path": "/x",
            "headers": {"H": "v"},
            "query": {"a": [1]},
        },
        {"b": 1},
    ]
    assert json.loads(encode_heartbeat("8")) == [{"type": "Heartbeat", "messageId": "8"}]


def test_redact():
    shown = redact(RECORDED_DETAILS)
    assert "SEhiQTh3" not in shown
    assert '"sequence":1' in shown
    assert redact(b'{"encryptionKey": "a", "key": "b"}') == '{"encryptionKey": "***", "key": "b"}'
    assert redact(b'{"passcode": "a"}') == '{"passcode": "***"}'
    assert redact(b"/x?pwd=a&b=c") == "/x?pwd=***&b=c"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with suppress(BadFrame):
        decode(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_any_json_is_read_or_refused(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    with suppress(BadFrame):
        read_envelope(decode(data).body)


@given(
    st.dictionaries(st.sampled_from(["type", "messageId", "status", "headers", "wsc", "x"]), json_values), json_values
)
def test_any_meta_keeps_the_body(meta, body):
    frame = decode(json.dumps([meta, body]).encode())
    decoded = decode_body(frame.body)
    assert decoded == body or json.dumps(decoded) == json.dumps(body)


def test_a_body_is_decoded_none_or_refused():
    assert decode_body(msgspec.Raw(b'{"a": [1]}')) == {"a": [1]}
    assert decode_body(msgspec.Raw(b"")) is None
    with pytest.raises(BadFrame, match=r"^a body is no JSON$"):
        decode_body(msgspec.Raw(b"{"))
