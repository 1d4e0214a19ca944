"""The server's side of the opening handshake, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.websocket.server_handshake import ServerHandshake, answer
from rcex_ws.websocket.socket import Receivers
from tests.websocket.serving import ACCEPT, CLOSE, UPGRADE, masked


def handshake() -> ServerHandshake:
    return ServerHandshake(max_size=1000)


def refusal(data: bytes) -> bytes:
    one = handshake()
    assert one.feed(data)
    assert not one.feed(UPGRADE)
    assert one.request is None
    return one.refusal


@given(st.lists(st.integers(0, len(UPGRADE) + 6), max_size=6))
def test_a_request_cut_anywhere_with_frames_behind_it(cuts: list[int]) -> None:
    """Frames are neither read before the server has accepted, nor lost."""
    data = UPGRADE + masked(0x89, b"ping") + masked(0x81, b"text") + CLOSE
    ends = sorted({*cuts, len(data)})
    one = handshake()
    told = [one.feed(data[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
    assert told.count(True) == 1
    assert one.request is not None
    assert (one.request.path, one.request.headers["host"]) == ("/path?token=1", "localhost")
    head, codec = one.accept()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert head.endswith(b"\r\n\r\n")
    assert ACCEPT in head
    messages: list[bytes] = []
    while codec.process(Receivers(lambda data, binary: messages.append(data), lambda data: None)):
        pass  # a turn may end early on a busy machine
    assert messages == [b"text"]
    assert codec.ending is not None
    assert codec.ending.by_peer
    assert codec.replies() == b"\x8a\x04ping" + b"\x88\x02\x03\xe8"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (UPGRADE.replace(b"GET", b"POST"), 405),
        (UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
        (UPGRADE.replace(b"HTTP/1.1", b"HTTP/2.0"), 505),
        (UPGRADE.replace(b"HTTP/1.1", b"HTTQ/1.1"), 400),
        (b"\0\1 no http\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (UPGRADE.replace(b"/path", b"/p\xe9th"), 400),
        (UPGRADE.replace(b"Host", b"Ho st"), 400),
        (UPGRADE.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"), 400),
        (UPGRADE.replace(b"Host", b"Content-Length: 7\r\nHost"), 400),
        (UPGRADE.replace(b"Upgrade: websocket\r\n", b""), 426),
        (UPGRADE.replace(b"Connection: Upgrade\r\n", b""), 426),
        (UPGRADE.replace(b"dGhl", b""), 400),
        (UPGRADE.replace(b"n: 13", b"n: 8"), 400),
        (UPGRADE.replace(b"n: 13", b"n: 1\xa53"), 400),
        (UPGRADE.replace(b"websocket\r", b"web\xa5socket\r"), 400),
        (UPGRADE.replace(b"/path", b"/" + b"p" * 9000), 414),
        (b"G" * 9000, 414),
        (UPGRADE.replace(b"localhost", b"l" * 9000), 431),
        (UPGRADE.replace(b"Host", b"X: y\r\n" * 200 + b"Host"), 431),
        (UPGRADE[:-2] + b"X: y\r\n" * 20000, 431),
    ],
)
def test_a_bad_request_has_its_status(data: bytes, status: int) -> None:
    assert refusal(data).startswith(b"HTTP/1.1 %d " % status)


def test_a_refusal_says_what_would_do() -> None:
    assert b"\r\nAllow: GET\r\n" in refusal(UPGRADE.replace(b"GET", b"PUT"))
    assert b"\r\nUpgrade: websocket\r\n" in refusal(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_head_that_never_ends_is_refused_within_its_limit() -> None:
    one = handshake()
    assert not any(one.feed(b"X: y\r\n") for _ in range(10_000))
    assert one.feed(b"X: y\r\n" * 1000)
    assert one.refusal


def test_a_subprotocol_and_headers() -> None:
    one = handshake()
    one.feed(UPGRADE[:-2] + b"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n\r\n")
    assert one.request is not None
    assert one.request.subprotocols == ("a", "b", "c")
    with pytest.raises(ValueError, match="subprotocol 'd'"):
        one.accept("d")
    head, _ = one.accept("b", {"Date": "today", "X-Y": "z"})
    assert b"\r\nSec-WebSocket-Protocol: b\r\n" in head
    assert b"\r\nDate: today\r\n" in head
    assert head.count(b"Date:") == 1


@pytest.mark.parametrize(("offer", "agreed"), [(b"permessage-deflate", True), (b"other", False)])
def test_compression_is_agreed_on_if_wanted(offer: bytes, agreed: bool) -> None:
    for compress in (True, False):
        one = ServerHandshake(max_size=1000, compress=compress)
        one.feed(UPGRADE[:-2] + b"Sec-WebSocket-Extensions: " + offer + b"\r\n\r\n")
        assert one.deflates is (agreed and compress)
        assert (b"server_max_window_bits=12" in one.accept()[0]) is (agreed and compress)


@pytest.mark.parametrize("status", [200, 302, 404, 418, 499, 503, 599, 700, 999])
def test_any_status_can_be_answered(status: int) -> None:
    head, _, body = answer(status, {"Retry-After": "1"}, b"\xff").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nRetry-After: 1" in head
    assert b"\r\nConnection: close" in head
    assert b"\r\nContent-Length: 1" in head
    assert body == b"\xff"


def test_what_cannot_be_sent_is_refused() -> None:
    for status in (0, 101, 1000):
        with pytest.raises(ValueError, match="status"):
            answer(status)
    for name, value in (("X", "a\r\nB: c"), ("X Y", "a"), ("", "a")):
        with pytest.raises(ValueError, match="header"):
            answer(404, {name: value})
        one = handshake()
        one.feed(UPGRADE)
        with pytest.raises(ValueError, match="header"):
            one.accept(headers={name: value})


def test_no_repr_shows_the_path() -> None:
    one = handshake()
    one.feed(UPGRADE)
    assert "token" not in repr(one.request)
