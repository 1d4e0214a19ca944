"""The way to a WebSocket server on asyncio and uvloop: a transport whose protocol is the caller's.

What is a protocol here is called by the loop itself, where nothing of anyio's works.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.dial import Route, failure, plan, proxy_tls, refuse_early
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.eyeballs import Info, connect_first, resolve
from rcex_ws.websocket.proxies import Proxy
from rcex_ws.websocket.tunnel import Tunnel

__all__ = ["dial_asyncio"]

P = TypeVar("P", bound=asyncio.Protocol)


async def dial_asyncio(endpoint: Endpoint, protocol_factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect to an endpoint: TCP, a proxy, TLS.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.
        protocol_factory: makes the protocol; called once, when TCP and the proxy's tunnel stand. Its `connection_made`
            is called when TLS stands, too.

    Returns:
        The transport, whose protocol has been told of the connection, and that protocol.

    Raises:
        ConnectFailed: it did not work; the error says at whom, and why.
        ConfigurationError: the proxy of the endpoint or the environment is none.
    """
    route = plan(endpoint)
    proxy = route.proxy
    if proxy is None:
        sock = await _connect(route.address.host, route.address.port, route.server)
    elif proxy.is_socks:
        from python_socks.async_.asyncio import Proxy as AsyncioProxy

        from rcex_ws.websocket.socks import connect_through

        sock = await connect_through(AsyncioProxy, route, proxy)
    else:
        return await _dial_through(proxy, route, protocol_factory)
    return await _hand_over(sock, route, protocol_factory)


async def _connect(host: str, port: int, whom: str) -> socket.socket:
    """Connect to the first address of a host that answers.

    Raises:
        ConnectFailed: none did.
    """
    try:
        return await connect_first(await resolve(host, port), _connect_to)
    except OSError as exc:
        raise failure(f"no connection to {whom}", exc) from None


async def _connect_to(info: Info) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        # asyncio sets it only on sockets that were made with a protocol number.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _hand_over(
    sock: socket.socket, route: Route, protocol_factory: Callable[[], P]
) -> tuple[asyncio.Transport, P]:
    """Give a connected socket to the protocol, with TLS if the server wants it; close it on failure."""
    entrance = _Entrance(sock)
    try:
        protocol = protocol_factory()
        entrance.then = protocol
        await asyncio.get_running_loop().create_connection(
            lambda: entrance, sock=sock, ssl=route.tls, server_hostname=route.address.host if route.tls else None
        )
    except BaseException as exc:
        entrance.drop()
        if isinstance(exc, (OSError, ValueError)):  # ValueError: a host that cannot be a name in TLS
            raise failure(f"no TLS with {route.server}", exc) from None
        raise
    return entrance.transport, protocol


async def _dial_through(proxy: Proxy, route: Route, protocol_factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect through an HTTP proxy, with TLS to it if it is an https one, and with the server's TLS inside."""
    sock = await _connect(proxy.host, proxy.port, f"the proxy {proxy.name}")
    asking = _Asking(sock, Tunnel(proxy, route.address), proxy)
    try:
        await _open_tunnel(asking, sock, proxy)
        refuse_early(route, asking.early)
        protocol = protocol_factory()
        if route.tls is not None:
            return await _enter_tls(asking.transport, route, route.tls, protocol), protocol
        asking.give_way(asking.transport, protocol)
    except BaseException:
        asking.drop()
        raise
    return asking.transport, protocol


async def _open_tunnel(asking: _Asking, sock: socket.socket, proxy: Proxy) -> None:
    """Let a proxy connect to the server.

    Raises:
        ConnectFailed: there is no TLS with the proxy, or it refused.
    """
    context = proxy_tls(proxy)
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: asking, sock=sock, ssl=context, server_hostname=proxy.host if context else None
        )
    except (OSError, ValueError) as exc:
        raise failure(f"no TLS with the proxy {proxy.name}", exc) from None
    await asking.answered.wait()
    if asking.failure is not None:
        raise asking.failure


async def _enter_tls(
    tunnel: asyncio.Transport, route: Route, tls: ssl.SSLContext, protocol: asyncio.Protocol
) -> asyncio.Transport:
    """Do the handshake of the server's TLS inside a tunnel.

    Raises:
        ConnectFailed: the handshake failed.
    """
    # start_tls calls no connection_made, and what the server sends right behind its handshake may be here before it
    # returns; so there is somebody to keep that.
    placeholder = _Placeholder()
    try:
        secured = await asyncio.get_running_loop().start_tls(
            tunnel, placeholder, tls, server_hostname=route.address.host
        )
    except (OSError, ValueError) as exc:
        raise failure(f"no TLS with {route.server}", exc) from None
    except TypeError as exc:  # a fault of Python before 3.11.8 and 3.12.2, in TLS within TLS (cpython#113214)
        raise failure(f"no TLS with {route.server}", exc.__context__ or exc) from None
    if secured is None:
        raise ConnectFailed(f"no TLS with {route.server}: the tunnel has ended")
    placeholder.give_way(secured, protocol)
    return secured


class _Placeholder(asyncio.Protocol):
    """Stand where the caller's protocol will stand, and keep for it what comes before it is there."""

    def __init__(self) -> None:
        self.early = b""
        self._end: tuple[Exception | None] | None = None

    def data_received(self, data: bytes) -> None:
        """Keep what comes."""
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep the reason."""
        self._end = (exc,)

    def give_way(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Bring in the caller's protocol, and tell it what has happened."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self.early:
            protocol.data_received(self.early)
        if self._end is not None:
            protocol.connection_lost(*self._end)


class _Entrance(_Placeholder):
    """Own a socket until it belongs to a transport, and then the transport.

    Args:
        sock: connected; the loop is about to make a transport of it.

    Attributes:
        transport: as soon as the connection stands.
        then: whom to give way to at that moment.
    """

    transport: asyncio.Transport

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.then: asyncio.Protocol | None = None
        self._sock = sock
        self._inode = _inode(sock)
        self._made = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and give way if somebody is there."""
        self._made = True
        self.transport = cast("asyncio.Transport", transport)
        if self.then is not None:
            self.give_way(self.transport, self.then)

    def drop(self) -> None:
        """Close the connection at once: a transport's `close` would wait for the other side of TLS."""
        self.then = None  # asyncio may still be about to call connection_made
        if self._made:
            self.transport.abort()
        elif self._inode in (None, _inode(self._sock)):
            self._sock.close()
        else:
            # uvloop 0.21, when it is cancelled, closes the descriptor behind Python's back. Its number may be that of
            # another file by now, which must not be closed.
            self._sock.detach()


def _inode(sock: socket.socket) -> int | None:
    """Give what tells apart two sockets whose descriptors have the same number; None where nothing does."""
    try:
        return os.fstat(sock.fileno()).st_ino
    except OSError:
        return None


class _Asking(_Entrance):
    """Ask a proxy for a tunnel, and stand at its entrance then.

    Attributes:
        answered: the tunnel is open, or `failure` says why not.
    """

    def __init__(self, sock: socket.socket, tunnel: Tunnel, proxy: Proxy) -> None:
        super().__init__(sock)
        self.answered = asyncio.Event()
        self.failure: Exception | None = None
        self._tunnel = tunnel
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        super().connection_made(transport)
        self.transport.write(self._tunnel.request)

    def data_received(self, data: bytes) -> None:
        """Read the answer; what comes behind it is not the proxy's."""
        if self.answered.is_set():
            super().data_received(data)
            return
        try:
            if self._tunnel.receive(data):
                self.early = self._tunnel.early
                self.answered.set()
        except Exception as exc:  # noqa: BLE001 - the loop would only log it
            self.failure = exc
            self.answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end for the answer, if none has come."""
        super().connection_lost(exc)
        if not self.answered.is_set():
            self.failure = self._tunnel.ended() if exc is None else failure(f"lost the proxy {self._proxy.name}", exc)
            self.answered.set()
