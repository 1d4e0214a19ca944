"""Every server that runs a loop in a thread ends its tasks before it closes the loop, whatever it is doing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from rcex_ws.gateway import Gateway
from rcex_ws.testing import FakeSlack, FaultProxy

UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.AbstractEventLoop]:
    """Record each event loop that is created."""
    made: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(asyncio.events, "new_event_loop", new_event_loop)
    return made


def addresses(server: Any) -> list[str]:
    if isinstance(server, Gateway):
        return [server.server, server.ws_uri]
    if isinstance(server, FakeSlack):
        return [server.api_url, server.ws_url]
    return [f"tcp://{server.host}:{server.port}"]


@contextlib.contextmanager
def proxy_to_nobody() -> Any:
    """A proxy in front of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as nobody, FaultProxy(*nobody.getsockname()) as proxy:
        yield proxy


@pytest.mark.parametrize("server", [Gateway, FakeSlack, proxy_to_nobody])
def test_e9_a_server_that_is_ended_leaves_no_pending_task(
    loops: list[asyncio.AbstractEventLoop], server: Callable[[], Any]
) -> None:
    """Stop with connections that have sent nothing, half a request or a whole one, and some that are just opened."""
    with contextlib.ExitStack() as clients, server() as running:
        for address in addresses(running):
            path = urlsplit(address).path or "/"
            for data in (b"", b"GET / HT", UPGRADE % path.encode(), b"", b""):
                one = clients.enter_context(socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), 5))
                one.sendall(data)
    assert loops
    for loop in loops:
        assert loop.is_closed()
        assert not asyncio.all_tasks(loop)
