"""The way to a WebSocket server on trio: a stream."""

from __future__ import annotations

import socket
import ssl

import trio

from rcex_ws.websocket.dial import failure, plan
from rcex_ws.websocket.endpoint import Endpoint

__all__ = ["dial_trio"]


async def dial_trio(endpoint: Endpoint) -> trio.abc.Stream:
    """Connect to an endpoint: TCP, a proxy, TLS.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.

    Returns:
        The stream; with TLS the handshake is done.

    Raises:
        ConnectFailed: it did not work; the error says at whom, and why.
        ConfigurationError: the proxy of the endpoint or the environment is none.
    """
    route = plan(endpoint)
    stream = await _connect(route.address.host, route.address.port, route.server)
    return await _enter_tls(stream, route.tls, route.address.host, route.server)


async def _connect(host: str, port: int, whom: str) -> trio.SocketStream:
    """Connect to the first address of a host that answers.

    Raises:
        ConnectFailed: none did.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as exc:
        raise failure(f"no connection to {whom}", exc) from None
    return stream


async def _enter_tls(stream: trio.abc.Stream, tls: ssl.SSLContext | None, host: str, whom: str) -> trio.abc.Stream:
    """Do the handshake of TLS, if there is any; the stream is closed on failure.

    Raises:
        ConnectFailed: the handshake failed.
    """
    if tls is None:
        return stream
    try:
        # Whoever ends a WebSocket says so in a frame; many do not say it once more in TLS.
        secured = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
        await secured.do_handshake()
    except BaseException as exc:
        await trio.aclose_forcefully(stream)
        if isinstance(exc, (trio.BrokenResourceError, OSError, ValueError)):
            raise failure(f"no TLS with {whom}", exc) from None
        raise
    return secured
