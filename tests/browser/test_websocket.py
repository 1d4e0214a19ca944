"""A browser's own WebSocket against `RtmServer`: nothing between them but the frames of the original protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rcex_ws.rtm import RemoteError
from rcex_ws.rtm.server import RemoteClient, RtmServer

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

# Connect, send frames, and remember what comes.
CONNECT = """
    const [url, ...frames] = arguments;
    window.got = [];
    window.ended = null;
    window.socket = new WebSocket(url);
    socket.onopen = () => frames.forEach((frame) => socket.send(JSON.stringify(frame)));
    socket.onmessage = ({data}) => got.push(typeof data === "string" ? JSON.parse(data) : "binary");
    socket.onclose = ({code, reason, wasClean}) => { window.ended = [code, reason, wasClean]; };
"""

AUTH = {"id": "1", "type": "auth", "data": ["secret of ann"]}


@pytest.fixture
def page() -> Iterator[str]:
    """The address of an empty page: an origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 204)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>page</title>" if self.path == "/" else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def running(backend: str, **options: Any) -> Iterator[tuple[RtmServer, BlockingPortal]]:
    """Run a server in a thread of its own."""
    users = {"secret of ann": {"id": "ann", "name": "Ann"}}
    server = RtmServer(authenticate=lambda client, token: users.get(token), **options)

    @server.register
    async def add(client: RemoteClient, one: float, other: float) -> float:
        return one + other

    @server.register
    def refuse(client: RemoteClient) -> None:
        raise RemoteError({"why": "<no>"})

    with start_blocking_portal(backend) as portal, portal.wrap_async_context_manager(server):
        yield server, portal


def test_calls_and_events(driver: WebDriver, page: str, anyio_backend_name: str, wait: Callable[..., Any]) -> None:
    with running(anyio_backend_name, allowed_origins=[page]) as (server, portal):
        driver.get(page)
        frames = [
            AUTH,
            {"id": "2", "type": "invoke", "function": "add", "data": [1, 2.5]},
            {"id": "3", "type": "invoke", "function": "refuse", "data": []},
            {"id": "4", "type": "subscribe", "event": "news", "tags": ["sports"]},
        ]
        driver.execute_script(CONNECT, server.url, *frames)
        wait(lambda: driver.execute_script("return got.length") == 4)
        assert sorted(driver.execute_script("return got"), key=lambda frame: frame["id"]) == [
            {"id": "1", "data": {"id": "ann", "name": "Ann"}},
            {"id": "2", "data": 3.5},
            {"id": "3", "data": {"error": {"why": "<no>"}}},
            {"id": "4", "data": True},
        ]
        driver.execute_script("got.length = 0")
        assert portal.call(server.emit, "alert", lambda client: client.user_id == "ann", "žluťoučký", None) == 1
        assert portal.call(server.emit, "alert", lambda client: client.user_id != "ann", "not for ann") == 0
        assert portal.call(server.publish, "ann", "greeting", {"from": "ben"}) == 1
        assert portal.call(server.push, "news", ["sports"], 1) == 1
        assert portal.call(server.push, "news", ["weather"], 2) == 0
        wait(lambda: driver.execute_script("return got.length") == 3)
        alert, greeting, news = driver.execute_script("return got")
        assert alert == {"event": "alert", "data": ["žluťoučký", None]}
        assert {**greeting, "id": None} == {"event": "greeting", "data": [{"from": "ben"}], "id": None}
        assert news == {"event": "news", "data": [1]}
        assert portal.call(server.presence, "ann") == {server.id: 1}

        portal.call(server.drain, 0.0)
        wait(lambda: driver.execute_script("return ended"))
        assert driver.execute_script("return ended") == [1012, "service restart", True]


def test_a_wrong_token(driver: WebDriver, page: str, anyio_backend_name: str, wait: Callable[..., Any]) -> None:
    with running(anyio_backend_name) as (server, _):
        driver.get(page)
        driver.execute_script(CONNECT, server.url, {**AUTH, "data": ["secret of nobody"]})
        wait(lambda: driver.execute_script("return ended"))
        assert driver.execute_script("return [got, ended]") == [[{"id": "1", "data": None}], [4401, "refused", True]]


def test_a_page_of_another_origin(
    driver: WebDriver, page: str, anyio_backend_name: str, wait: Callable[..., Any]
) -> None:
    with running(anyio_backend_name, allowed_origins=["https://chat.example.com"]) as (server, _):
        driver.get(page)
        driver.execute_script(CONNECT, server.url, AUTH)
        wait(lambda: driver.execute_script("return ended"))
        assert driver.execute_script("return [got, ended]") == [[], [1006, "", False]]
