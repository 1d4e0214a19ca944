"""The entrance to this folder: opens a WebSocket, and loads `websockets` only for the first one."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.socket import Socket

if TYPE_CHECKING:
    import trio

__all__ = ["Opener", "open_websocket"]


class Opener(Protocol):
    """The signature of `open_websocket`, which a test replaces to connect over its own stream."""

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
