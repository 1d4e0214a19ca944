"""The opening handshake over real sockets: the request, valid and invalid responses, and redirects."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from anyio.abc import SocketStream

from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Text
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.socket import Receivers
from tests.reading import read

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SECRET = "SECRET"


class Server:
    """Answers each upgrade with the next of the answers, called with the request; records the requests."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[bytes] = []
        self.answers: list[Callable[[bytes], list[bytes]]] = []

    def url(self, path: str = "/path") -> str:
        return f"ws://127.0.0.1:{self.port}{path}?access_token={SECRET}"

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            try:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += await stream.receive()
                self.requests.append(data)
                for part in self.answers.pop(0)(data):
                    await stream.send(part)
                    await anyio.sleep(0.005)
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass  # the client has disconnected


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        server = Server(listener.extra(anyio.abc.SocketAttribute.local_port))
        group.start_soon(listener.serve, lambda stream: server.serve(stream))  # late binding: a test may replace it
        yield server
        group.cancel_scope.cancel()


def accepted(request: bytes) -> bytes:
    (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", request)
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


def accept(*more: bytes) -> Callable[[bytes], list[bytes]]:
    """Accept, and send these bytes in the same segment."""
    return lambda request: [accepted(request) + b"".join(more)]


def answer(head: str, body: bytes = b"") -> Callable[[bytes], list[bytes]]:
    return lambda _: [head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body]


async def messages(server: Server, url: str | None = None, **options: object) -> list[bytes]:
    """Connect, and return the messages received until the server closes."""
    heard: list[bytes] = []
    with anyio.fail_after(5):
        async with open_websocket(Endpoint(url or server.url(), **options)) as websocket:  # type: ignore[arg-type]
            await read(websocket, Receivers(lambda data, _: heard.append(data), lambda _: None))
    return heard


async def failure(server: Server) -> ConnectFailed:
    with anyio.fail_after(5), pytest.raises(ConnectFailed) as caught:
        async with open_websocket(Endpoint(server.url())):
            pass
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    return caught.value


HELLO = b"\x81\x05hello"
CLOSE = b"\x88\x02\x03\xe8"


async def test_the_request_names_us_and_offers_compression_with_a_small_window(server: Server) -> None:
    server.answers = [accept(CLOSE)]
    await messages(server, headers={"Origin": "https://example", "X-Mine": "yes"})
    (request,) = server.requests
    head = request.decode().split("\r\n")
    assert head[0] == f"GET /path?access_token={SECRET} HTTP/1.1"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["user-agent"].startswith("rcex_ws/")
    assert headers["origin"] == "https://example"
    assert headers["x-mine"] == "yes"
    assert "permessage-deflate" in headers["sec-websocket-extensions"]
    assert "server_max_window_bits=12" in headers["sec-websocket-extensions"]


async def test_a_header_of_the_caller_takes_the_place_of_ours(server: Server) -> None:
    server.answers = [accept(CLOSE)]
    await messages(server, headers={"user-agent": "mine"})
    assert re.findall(rb"(?i)user-agent: (.*)\r\n", server.requests[0]) == [b"mine"]


async def test_frames_in_the_segment_of_the_answer_are_heard(server: Server) -> None:
    server.answers = [accept(HELLO, HELLO, CLOSE)]
    assert await messages(server) == [b"hello", b"hello"]


async def test_an_answer_that_comes_byte_by_byte_is_one(server: Server) -> None:
    server.answers = [lambda request: [bytes((byte,)) for byte in accepted(request) + HELLO + CLOSE]]
    assert await messages(server) == [b"hello"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426, 429, 499, 500, 503])
async def test_a_refusal_is_told_with_its_status_whatever_its_body(server: Server, status: int) -> None:
    server.answers = [answer(f"HTTP/1.1 {status} No\nRetry-After: 7\nContent-Length: 70000", b"x" * 70_000)]
    error = await failure(server)
    assert isinstance(error, UpgradeRefused)
    assert (error.status, error.retry_after, error.upgrade_sent) == (status, 7.0, True)


async def test_a_refusal_whose_body_ends_with_the_stream_is_one(server: Server) -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>")

    server.serve = serve  # type: ignore[method-assign]
    error = await failure(server)
    assert isinstance(error, UpgradeRefused)
    assert error.status == 502


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\nContent-Length: 2",
        "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: wrong",
        "HTTP/1.1 101 Switching Protocols",
        "SSH-2.0-OpenSSH_9.6",
        "HTTP/1.1 abc",
        "",
        "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: "
        + "x" * 100_000,
    ],
)
async def test_what_is_no_answer_to_an_upgrade_fails_and_can_be_tried_again(server: Server, head: str) -> None:
    server.answers = [answer(head, b"ok")]
    error = await failure(server)
    assert error.retryable
    assert error.upgrade_sent


async def test_an_extension_that_was_not_offered_fails(server: Server) -> None:
    def agree(request: bytes) -> list[bytes]:
        return [accepted(request).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x-strange\r\n\r\n")]

    server.answers = [agree]
    assert (await failure(server)).retryable


def choosing(subprotocol: bytes | None) -> Callable[[bytes], list[bytes]]:
    """Accept with this subprotocol."""
    header = b"" if subprotocol is None else b"\r\nSec-WebSocket-Protocol: " + subprotocol
    return lambda request: [accepted(request).replace(b"\r\n\r\n", header + b"\r\n\r\n") + CLOSE]


async def test_the_subprotocol_that_is_offered_has_to_be_selected(server: Server) -> None:
    server.answers = [choosing(b"feedme")]
    assert await messages(server, subprotocol="feedme") == []
    assert b"\r\nSec-WebSocket-Protocol: feedme\r\n" in server.requests[0]


@pytest.mark.parametrize("selected", [None, b"other"])
async def test_a_server_that_does_not_select_the_subprotocol_is_none_of_ours(
    server: Server, selected: bytes | None
) -> None:
    server.answers = [choosing(selected)]
    with pytest.raises(ConnectFailed, match="subprotocol"):
        await messages(server, subprotocol="feedme")


async def test_a_redirection_within_the_origin_is_followed(server: Server) -> None:
    server.answers = [answer("HTTP/1.1 307 Elsewhere\nLocation: /other?a=b\nContent-Length: 0"), accept(HELLO, CLOSE)]
    assert await messages(server) == [b"hello"]
    assert server.requests[1].startswith(b"GET /other?a=b HTTP/1.1")


@pytest.mark.parametrize(
    "location",
    ["ws://elsewhere.example/path", "//elsewhere.example/", "wss://127.0.0.1/", "ws://127.0.0.1:1/", "http://["],
)
async def test_t3_a_redirection_to_another_origin_is_refused(server: Server, location: str) -> None:
    server.answers = [answer(f"HTTP/1.1 302 Found\nLocation: {location}\nContent-Length: 0")]
    error = await failure(server)
    assert error.upgrade_sent
    assert len(server.requests) == 1
    assert "elsewhere" not in str(error)


async def test_redirections_in_a_circle_end(server: Server) -> None:
    server.answers = [answer("HTTP/1.1 301 Moved\nLocation: /path\nContent-Length: 0")] * 20
    assert "redirect" in str(await failure(server))
    assert len(server.requests) < 10


async def test_nothing_is_left_when_it_is_cancelled_while_it_waits_for_an_answer(server: Server) -> None:
    server.answers = [lambda _: []]
    with anyio.move_on_after(0.1) as scope:
        async with open_websocket(Endpoint(server.url())):
            pass
    assert scope.cancelled_caught


async def test_what_is_sent_before_anybody_reads_arrives(server: Server) -> None:
    got: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.send(accepted(await stream.receive()))
            got.append(await stream.receive())
            await stream.send(CLOSE)

    server.serve = serve  # type: ignore[method-assign]
    with anyio.fail_after(5):
        async with open_websocket(Endpoint(server.url())) as websocket:
            assert await websocket.send([Text("hi")])
            await read(websocket, Receivers(lambda *_: None, lambda _: None))
    assert got
    assert got[0][0] == 0x81
