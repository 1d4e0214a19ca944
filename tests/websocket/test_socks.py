"""A SOCKS5 proxy that is lost while it connects."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.dial import Route
from rcex_ws.websocket.proxies import Proxy
from rcex_ws.websocket.socks import connect_through


class Reset:
    """A class of proxies that reset each connection."""

    @classmethod
    def create(cls, **_: Any) -> Reset:
        return cls()

    async def connect(self, dest_host: str, dest_port: int, timeout: float) -> Any:
        raise ConnectionResetError("reset by the peer")


async def test_a_proxy_that_is_lost_is_named() -> None:
    proxy = Proxy("socks5", "127.0.0.1", 1080, "user", "SECRET")
    address = parse_address("ws://server.example/")
    with pytest.raises(ConnectFailed, match=r"^lost the proxy 127\.0\.0\.1:1080: ") as caught:
        await connect_through(Reset, Route(address, proxy, None), proxy)  # type: ignore[arg-type]
    assert "SECRET" not in str(caught.value)
    assert caught.value.retryable
