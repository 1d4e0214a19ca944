"""HTTP CONNECT without a socket: responses in any pieces, refusals, and invalid responses."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.proxies import Proxy
from rcex_ws.websocket.tunnel import Tunnel

ADDRESS = parse_address("wss://server.example/?access_token=SECRET")
PROXY = Proxy("http", "proxy.example", 3128, "user", "SECRET")


def refused(*pieces: bytes) -> str:
    """Return the text of the error that a response causes."""
    tunnel = Tunnel(PROXY, ADDRESS)

    def receive() -> None:
        for piece in pieces:
            assert not tunnel.receive(piece)

    with pytest.raises(ConnectFailed) as caught:
        receive()
    assert (caught.value.retryable, caught.value.upgrade_sent) == (True, False)
    text = str(caught.value)
    assert text.startswith("the proxy proxy.example:3128 ")
    assert "SECRET" not in text
    return text


@pytest.mark.parametrize(
    ("url", "target"),
    [("wss://server.example/SECRET", b"server.example:443"), ("ws://[::1]:80/", b"[::1]:80")],
)
def test_the_request_names_the_server_alone(url: str, target: bytes) -> None:
    request = Tunnel(Proxy("http", "proxy.example", 3128), parse_address(url)).request
    head, *headers = request.split(b"\r\n")
    assert head == b"CONNECT " + target + b" HTTP/1.1"
    assert b"Host: " + target in headers
    assert any(header.startswith(b"User-Agent: rcex_ws/") for header in headers)
    assert request.endswith(b"\r\n\r\n")
    assert b"Authorization" not in request
    assert b"SECRET" not in request


@pytest.mark.parametrize(
    ("user", "password", "login"),
    [("user", "pa:ss", b"dXNlcjpwYTpzcw=="), ("user", "", b"dXNlcjo="), ("ü", "ß", b"w7w6w58=")],
)
def test_the_login_is_basic(user: str, password: str, login: bytes) -> None:
    request = Tunnel(Proxy("http", "proxy.example", 3128, user, password), ADDRESS).request
    assert b"\r\nProxy-Authorization: Basic " + login + b"\r\n" in request


HEADS = [
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.0 200 Connection established\r\nProxy-Agent: x\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\n\n",
]


@given(st.sampled_from(HEADS), st.binary(max_size=20), st.lists(st.integers(0, 150), max_size=8))
def test_a_2xx_in_any_pieces_opens_and_keeps_what_comes_behind(head: bytes, early: bytes, cuts: list[int]) -> None:
    answer = head + early
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(answer)}), len(answer)]
    tunnel = Tunnel(PROXY, ADDRESS)
    for start, end in itertools.pairwise(edges):
        opened = tunnel.receive(answer[start:end])
        assert opened is (end >= len(head))
        if opened:
            assert tunnel.early + answer[end:] == early
            return


@pytest.mark.parametrize("head", HEADS)
def test_a_2xx_in_single_bytes_opens(head: bytes) -> None:
    tunnel = Tunnel(PROXY, ADDRESS)
    assert [tunnel.receive(head[at : at + 1]) for at in range(len(head))] == [False] * (len(head) - 1) + [True]


@pytest.mark.parametrize("status", [300, 302, 400, 403, 502, 503, 599])
def test_another_status_is_told(status: int) -> None:
    answer = b"HTTP/1.1 %d SECRET\r\nContent-Length: 6\r\n\r\nSECRET" % status
    assert f"refused to connect (HTTP {status})" in refused(answer)
    assert f"refused to connect (HTTP {status})" in refused(answer[:9], answer[9:])


def test_407_says_that_a_login_is_wanted() -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"
    assert "wants another login (HTTP 407)" in refused(answer)
    with pytest.raises(ConnectFailed, match=r"wants a login \(HTTP 407\)"):
        Tunnel(Proxy("http", "proxy.example", 3128), ADDRESS).receive(answer)


@pytest.mark.parametrize("pieces", [(b"",), (b"HTTP/1.1 200 OK\r\n", b"")])
def test_an_end_is_told(pieces: tuple[bytes, ...]) -> None:
    assert "closed the connection" in refused(*pieces)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 SECRET\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"HTTP/1.1 200 OK\r\nSECRET\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"\0",
    ],
)
def test_what_is_no_http_is_told(answer: bytes) -> None:
    assert "not HTTP" in refused(answer)


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["one head", "many heads"]
)
def test_an_answer_without_an_end_is_bounded(piece: bytes) -> None:
    def pieces() -> list[bytes]:
        return [piece, *([b"x" * 1000] if piece.endswith(b" ") else [piece] * 40) * 100]

    assert "too long" in refused(*pieces())


@given(st.binary(max_size=200))
def test_any_bytes_open_or_refuse_or_want_more(answer: bytes) -> None:
    with contextlib.suppress(ConnectFailed):
        Tunnel(PROXY, ADDRESS).receive(answer)
