"""Listen for WebSockets, TCP or TLS, on asyncio, uvloop and trio: one task for each connection, owned by `serve`.

asyncio's own server is not used: it starts tasks that nobody owns and that outlive it.
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

#: Connections accepted per iteration of the loop.
_AT_ONCE = 64

#: Seconds before the next try when the system is out of resources for a connection.
_RETRY = 0.1
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a listening socket for `serve`; port 0 stands for any free port.

    Raises:
        OSError: the port is in use, or the address is not one of this machine.
        OverflowError: the port is out of range.
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
    """Serve WebSockets until cancelled, which aborts those still open.

    Args:
        listener: a listening socket, see `bind`; it is not closed.
        handler: called for each WebSocket request; an exception is logged and closes that WebSocket.
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
    """Accept TCP connections until cancelled; serve each in its own task, then close it."""
    fresh: set[socket.socket] = set()  # their tasks have not started; cancelled now, they never will

    async def serve_and_close(sock: socket.socket) -> None:
        fresh.discard(sock)
        with sock:
            await serve_one(sock)

    try:
        async with anyio.create_task_group() as group:
            while listener.fileno() >= 0:  # whoever cancels may close it at once, also when a connection waits
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
                    # Otherwise a client disconnected before it was accepted.
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
    peer = ServerPeer(
        options, loop, sock if ssl_context is None else None
    )  # the protocol that uvloop returns for TLS is another one
    try:
        await loop.connect_accepted_socket(
            lambda: peer,
            sock,
            ssl=ssl_context,
            ssl_handshake_timeout=options.open_timeout if ssl_context else None,
        )
    except OSError:
        return  # the TLS handshake failed, or the client disconnected
    await peer.serve(handler)
