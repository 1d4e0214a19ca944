"""Connecting on asyncio, step by step: layers that are lost or that are late."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.dial_asyncio import _PendingConnection, _Placeholder, _TunnelProtocol
from rcex_ws.websocket.proxies import Proxy
from rcex_ws.websocket.tunnel import Tunnel
from tests.websocket.by_hand import Transport


@pytest.fixture
def anyio_backend() -> str:
    """Only asyncio, whose transports these are."""
    return "asyncio"


async def test_a_connection_that_is_lost_during_the_tls_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_tls(*_: Any, **__: Any) -> None:
        """Return None, as asyncio does for a transport that was closed meanwhile."""

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
    pending = _PendingConnection(Transport(), _Placeholder())
    with pytest.raises(ConnectFailed, match=r"^no TLS with the server x: the connection was lost$"):
        await pending.start_tls(ssl.create_default_context(), "x", "the server x")


@pytest.mark.parametrize(
    ("early", "closing", "says"), [(b"hello", False, "it speaks first, which is not TLS"), (b"", True, "was lost")]
)
async def test_what_cannot_begin_a_tls_handshake(early: bytes, closing: bool, says: str) -> None:
    transport, placeholder = Transport(), _Placeholder()
    placeholder.early, transport.closing = early, closing
    with pytest.raises(ConnectFailed, match=rf"^no TLS with the server x: .*{says}$"):
        await _PendingConnection(transport, placeholder).start_tls(ssl.create_default_context(), "x", "the server x")


async def test_what_comes_through_a_tunnel_is_kept() -> None:
    proxy = Proxy("http", "proxy.example", 3128)
    tunnel = _TunnelProtocol(Tunnel(proxy, parse_address("ws://server.example/")), proxy)
    tunnel.data_received(b"HTTP/1.1 200 OK\r\n\r\na")
    tunnel.data_received(b"bc")
    assert tunnel.answered.is_set()
    assert (tunnel.failure, tunnel.early) == (None, b"abc")
