"""Where to connect, and the way to: `websockets` is loaded when the first connection is opened."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Protocol

from msgspec import field

from rcex_ws.secret import SECRET, HiddenFields
from rcex_ws.trace import SILENT, Tracer
from rcex_ws.websocket.socket import Socket

if TYPE_CHECKING:
    import trio

__all__ = ["Endpoint", "Opener", "open_websocket"]


class Endpoint(HiddenFields, frozen=True):
    """Say where to connect.

    Attributes:
        url: the ws:// or wss:// address; may hold secrets, so it is never shown.
        headers: extra headers of the upgrade request.
        proxy: None for the environment's proxy, a URL (http, https, socks5, socks5h) for that one, False for none.
        ssl_context: for wss:// only; None for the system's trust store.
        max_size: the largest message accepted, in bytes.
        trace: hears of the steps on the way.
    """

    url: Annotated[str, SECRET]
    headers: Annotated[Mapping[str, str], SECRET] = field(default_factory=dict[str, str])
    proxy: Annotated[str | bool | None, SECRET] = None
    ssl_context: ssl_module.SSLContext | None = None
    max_size: int = 16 * 2**20
    trace: Tracer = SILENT


class Opener(Protocol):
    """The seam of `open_websocket`, so that a test can connect over a stream of its own."""

    def __call__(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Socket]:
        """Open one WebSocket; raise `ConnectFailed` when that fails."""
        ...


def open_websocket(endpoint: Endpoint, *, stream: trio.abc.Stream | None = None) -> AbstractAsyncContextManager[Socket]:
    """Open one WebSocket; see `rcex_ws.websocket.client.open_socket`.

    Args:
        endpoint: where to connect.
        stream: on trio, a connected stream to use instead of a new TCP connection.

    Raises:
        UpgradeRefused: the server answered with an HTTP status other than 101.
        ConnectFailed: anything else, from name resolution to TLS.
    """
    from rcex_ws.websocket.client import open_socket

    return open_socket(endpoint, stream=stream)
