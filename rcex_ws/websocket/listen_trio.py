"""Serve one WebSocket on trio, over TCP, TLS, or any other byte stream, such as one in memory for tests."""

from __future__ import annotations

import socket
import ssl as ssl_module

import trio

from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import Handler, ServerPeer
from rcex_ws.websocket.stream_transport import StreamTransport

__all__ = ["serve_socket", "serve_stream"]


async def serve_stream(
    stream: trio.abc.Stream,
    handler: Handler,
    options: PeerOptions | None = None,
    sock: socket.socket | None = None,
) -> None:
    """Serve one WebSocket from the upgrade request to the end, then close the stream.

    Args:
        stream: a connected stream.
        handler: called if the client requests a WebSocket; an exception is logged.
        options: the limits of the peer.
        sock: the socket of the stream, non-blocking, if its bytes go there unchanged.
    """
    async with trio.open_nursery() as nursery:
        transport = StreamTransport(stream, nursery)
        peer = ServerPeer(options or PeerOptions(), transport, sock)
        await nursery.start(transport.run, peer)
        await peer.serve(handler)
        nursery.cancel_scope.cancel()  # any timers left


async def serve_socket(
    sock: socket.socket, handler: Handler, ssl_context: ssl_module.SSLContext | None, options: PeerOptions
) -> None:
    """Serve one accepted TCP connection."""
    stream: trio.abc.Stream
    stream = tcp = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    if ssl_context is not None:
        stream = tls = trio.SSLStream(tcp, ssl_context, server_side=True, https_compatible=True)
        with trio.move_on_after(options.open_timeout) as scope:
            try:
                await tls.do_handshake()
            except (trio.BrokenResourceError, ssl_module.SSLError):
                return
        if scope.cancelled_caught:
            return
    await serve_stream(stream, handler, options, sock if ssl_context is None else None)
