"""Listen for WebSockets, TCP or TLS, on asyncio, uvloop and trio: one task for each connection, owned by `serve`.

The loop's own servers are not used: asyncio's starts tasks that nobody owns, and they outlive their server.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl as ssl_module
from collections.abc import Awaitable, Callable

import anyio

from rcex_ws.loop import on_trio
from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import Handler, ServerPeer

__all__ = ["accept_all", "bind", "serve"]

_logger = logging.getLogger(__name__)

#: Connections that are accepted in one turn of the loop.
_AT_ONCE = 64

#: Seconds until the next try, when there is no room for a connection.
_RETRY = 0.1
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Give a listening socket, for `serve`; port 0 takes any free one.

    Raises:
        OSError: the port is in use, or the address none of this machine's.
        OverflowError: there is no such port.
    """
    sock = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
    sock.setblocking(False)
    return sock


async def serve(
    listener: socket.socket,
    handler: Handler,
    *,
    ssl_context: ssl_module.SSLContext | None = None,
    options: PeerOptions | None = None,
) -> None:
    """Serve WebSockets until cancelled; those that are open then are aborted.

    Args:
        listener: a listening socket, see `bind`; it stays open.
        handler: called for each client that has asked for a WebSocket; what it raises is logged, and closes that one.
        ssl_context: for TLS.
        options: the limits of each peer.
    """
    limits = options or PeerOptions()
    if on_trio():
        from rcex_ws.websocket.listen_trio import serve_socket
    else:
        serve_socket = _serve_socket
    await accept_all(listener, lambda sock: serve_socket(sock, handler, ssl_context, limits))


async def accept_all(listener: socket.socket, serve_one: Callable[[socket.socket], Awaitable[None]]) -> None:
    """Accept TCP connections until cancelled; each is served by a task of its own, and closed then."""
    fresh: set[socket.socket] = set()  # whose tasks have not begun: one that is cancelled then never does

    async def serve_and_close(sock: socket.socket) -> None:
        fresh.discard(sock)
        with sock:
            await serve_one(sock)

    try:
        async with anyio.create_task_group() as group:
            while True:
                await anyio.wait_readable(listener)
                try:
                    for _ in range(_AT_ONCE):
                        sock, _ = listener.accept()
                        sock.setblocking(False)
                        fresh.add(sock)
                        group.start_soon(serve_and_close, sock)
                except BlockingIOError:
                    pass
                except OSError as exc:
                    # Else it was a client that has left before it was accepted.
                    if exc.errno in _NO_ROOM:
                        _logger.warning("no room for another connection: %s", exc)
                        await anyio.sleep(_RETRY)
    finally:
        for sock in fresh:
            sock.close()


async def _serve_socket(
    sock: socket.socket, handler: Handler, ssl_context: ssl_module.SSLContext | None, options: PeerOptions
) -> None:
    loop = asyncio.get_running_loop()
    peer = ServerPeer(options, loop)  # what uvloop gives for TLS is another protocol
    try:
        await loop.connect_accepted_socket(
            lambda: peer,
            sock,
            ssl=ssl_context,
            ssl_handshake_timeout=options.open_timeout if ssl_context else None,
        )
    except OSError:
        return  # no TLS, or the client has left
    await peer.serve(handler)
