"""The small HTTP server, tested with raw bytes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from rcex_ws.gateway.http import Receive, Scope, Send, serve_http
from rcex_ws.websocket.listen import bind

gone = threading.Event()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    match scope["path"]:
        case "/rst":
            raise ConnectionResetError
        case "/hang":
            assert (await receive())["type"] == "http.disconnect"
            gone.set()
            return
        case "/bug":
            raise ZeroDivisionError
        case "/stream":
            kind = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": kind})
            await send({"type": "http.response.body", "body": b"first|", "more_body": True})
            if body == b"bug":
                raise ZeroDivisionError
            if body != b"end":
                assert (await receive())["type"] == "http.disconnect"
                gone.set()
        case "/empty":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
        case _:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"x-method", scope["method"].encode())]}
            )
            parts = (scope["path"].encode(), scope["query_string"], body)
            for number, part in enumerate(parts):
                await send({"type": "http.response.body", "body": part + b"|", "more_body": number < len(parts)})


@pytest.fixture
def port() -> Iterator[int]:
    async def run(listener: socket.socket, *, task_status: Any) -> None:
        with anyio.CancelScope() as scope:
            task_status.started(scope)
            await serve_http(listener, application)

    with bind() as listener, start_blocking_portal() as portal:
        running, scope = portal.start_task(run, listener)
        yield listener.getsockname()[1]
        portal.call(scope.cancel)
        running.result(5)


def talk(port: int, data: bytes, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(data)
        for part in parts:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while more := sock.recv(65536):
            answer += more
        return answer


def test_requests_on_a_kept_connection(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        answer = http.post("/a%20b?c=%20", content=b"body")
        assert (answer.text, answer.headers["x-method"]) == ("/a b|c=%20|body|", "POST")
        assert answer.headers["content-length"] == "16"
        assert "date" in answer.headers
        assert http.head("/").text == ""
        assert http.get("/empty").status_code == 204
        assert http.post("/", content=iter([b"in ", b"chunks"])).text == "/||in chunks|"
        assert http.get("/").text == "/|||"


def test_requests_that_come_before_the_answer(port: int) -> None:
    request = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = talk(port, request % b"a" + request % b"b")
    assert answers.index(b"/a||") < answers.index(b"/b||")


def test_old_and_closing_clients(port: int) -> None:
    assert b"/|||" in talk(port, b"GET / HTTP/1.0\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := sock.recv(65536):
            answer += more
    assert answer.endswith(b"/|||")


def test_a_client_that_waits_for_a_go_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"ok")
        assert sock.recv(65536).endswith(b"/||ok|")


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"\0 no http\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"431")],
)
def test_what_is_no_request(port: int, data: bytes, status: bytes) -> None:
    assert talk(port, data).startswith(b"HTTP/1.1 " + status)


def test_half_a_request(port: int) -> None:
    assert talk(port, b"GET / HT") == b""
    assert talk(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").startswith(b"HTTP/1.1 400 ")


def test_a_bug_of_the_application(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        assert http.get("/bug").status_code == 500
        assert http.get("/").text == "/|||"
    assert [record.getMessage() for record in caplog.records] == ["an application failed"]
    caplog.clear()


def test_a_reset(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"GET /rst HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            sock.recv(65536)


def test_a_request_that_hangs_until_the_client_leaves(port: int) -> None:
    gone.clear()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"http://127.0.0.1:{port}/hang", timeout=0.05)
    assert gone.wait(5)


def test_a_stream_of_events_is_written_as_it_comes(port: int) -> None:
    gone.clear()
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while b"first|" not in answer:
            answer += sock.recv(65536)
        assert b"date: " in answer.lower()
        assert b"content-length" not in answer.lower()
        assert not gone.is_set()
    assert gone.wait(5)


def test_a_client_that_resets_has_left_and_is_no_bug(port: int, caplog: pytest.LogCaptureFixture) -> None:
    gone.clear()
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.recv(65536)
    assert gone.wait(5)
    assert caplog.records == []


def test_a_stream_of_events_that_ends_leaves_the_connection_usable(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        assert http.post("/stream", content=b"end").text == "first|"
        assert http.get("/").text == "/|||"


def test_a_bug_in_a_stream_of_events_ends_the_connection(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"http://127.0.0.1:{port}/stream", content=b"bug")
    assert [record.getMessage() for record in caplog.records] == ["an application failed"]
    caplog.clear()
