"""Connect to a WebSocket server on asyncio and uvloop: a transport with the caller's protocol.

A connection starts as a plain TCP transport and gains layer after layer: TLS to a proxy, its tunnel, TLS to the server.
The protocols here are called by the loop itself, where nothing of anyio's works.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from rcex_ws.errors import ConnectFailed
from rcex_ws.tasks import run_to_completion
from rcex_ws.trace import Step, Tracer
from rcex_ws.websocket.dial import Route, plan_route, proxy_tls, refuse_early_bytes, step_failed
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.eyeballs import AddressInfo, connect_first, resolve
from rcex_ws.websocket.proxies import Proxy

if TYPE_CHECKING:
    from rcex_ws.websocket.tunnel import Tunnel

__all__ = ["dial_asyncio"]

P = TypeVar("P", bound=asyncio.Protocol)


async def dial_asyncio(endpoint: Endpoint, protocol_factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect to an endpoint: TCP, a proxy, TLS.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.
        protocol_factory: makes the protocol; called once, when every layer is connected.

    Returns:
        The transport and its protocol. `connection_made` has been called, and maybe `data_received` and
        `connection_lost` as well.

    Raises:
        ConnectFailed: a step failed; the error says which one, and why.
        ConfigurationError: the proxy of the endpoint or the environment is invalid.
    """
    route, trace = plan_route(endpoint), endpoint.trace
    with trace.begin(Step.TCP, route.next_stop):
        pending = await _PendingConnection.from_socket(await _connect(route))
    try:
        if route.proxy is not None and not route.proxy.is_socks:
            await _tunnel(pending, route.proxy, route, trace)
        if route.tls is not None:
            with trace.begin(Step.TLS, route.server):
                await pending.start_tls(route.tls, route.address.host, route.server)
        protocol = protocol_factory()
        pending.switch_protocol(protocol)
    except BaseException:
        pending.transport.abort()  # `close` would wait for the TLS peer
        raise
    return pending.transport, protocol


async def _connect(route: Route) -> socket.socket:
    """Connect to the server, or to the proxy in between; through it if it is a SOCKS proxy.

    Raises:
        ConnectFailed: no address answers, or a SOCKS proxy refused.
    """
    proxy = route.proxy
    if proxy is not None and proxy.is_socks:
        from python_socks.async_.asyncio import Proxy as AsyncioProxy

        from rcex_ws.websocket.socks import connect_through

        return await connect_through(AsyncioProxy, route, proxy)
    to = proxy or route.address
    try:
        return await connect_first(await resolve(to.host, to.port), _connect_to)
    except OSError as exc:
        raise step_failed(f"no connection to {route.next_stop}", exc) from None


async def _connect_to(info: AddressInfo) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        # asyncio sets it only on sockets created with a protocol number.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _tunnel(pending: _PendingConnection, proxy: Proxy, route: Route, trace: Tracer) -> None:
    """Open a tunnel to the server through an HTTP proxy, over TLS if it is an https proxy.

    Raises:
        ConnectFailed: TLS with the proxy failed, or it refused.
    """
    from rcex_ws.websocket.tunnel import Tunnel  # imports h11

    context = proxy_tls(proxy)
    if context is not None:
        with trace.begin(Step.TLS, route.next_stop):
            await pending.start_tls(context, proxy.host, route.next_stop)
    with trace.begin(Step.PROXY, route.next_stop):
        opening = _TunnelProtocol(Tunnel(proxy, route.address), proxy)
        pending.switch_protocol(opening)
        await opening.answered.wait()
        if opening.failure is not None:
            raise opening.failure
        refuse_early_bytes(route, opening.early)


class _PendingConnection:
    """A connection whose layers are being built, before it gets the caller's protocol.

    Attributes:
        transport: the innermost layer so far.
    """

    def __init__(self, transport: asyncio.Transport, placeholder: _Placeholder) -> None:
        self.transport = transport
        self._placeholder = placeholder

    @classmethod
    async def from_socket(cls, sock: socket.socket) -> _PendingConnection:
        """Wrap a connected socket, which is closed if this is cancelled."""
        placeholder = _Placeholder()
        made: list[_PendingConnection] = []

        async def make() -> None:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: placeholder, sock=sock)
            made.append(cls(transport, placeholder))

        try:
            # It does not block. If it were cancelled, uvloop 0.21 would close both the descriptor and the socket, when
            # the number may belong to another file already.
            await run_to_completion(make)
        except BaseException:
            for pending in made:
                pending.transport.abort()
            raise
        return made[0]

    async def start_tls(self, tls: ssl.SSLContext, host: str, peer: str) -> None:
        """Add a TLS layer.

        Raises:
            ConnectFailed: the handshake failed.
        """
        if self._placeholder.early:
            raise ConnectFailed(f"no TLS with {peer}: it speaks first, which is not TLS")
        if self.transport.is_closing():  # start_tls would not notice
            raise ConnectFailed(f"no TLS with {peer}: the connection was lost")
        # start_tls does not call connection_made, and data right behind the handshake may arrive before it returns.
        placeholder = _Placeholder()
        try:
            secured = await asyncio.get_running_loop().start_tls(self.transport, placeholder, tls, server_hostname=host)
        except (OSError, ValueError) as exc:  # ValueError: the host cannot be a TLS server name
            raise step_failed(f"no TLS with {peer}", exc) from None
        except TypeError as exc:  # a bug of Python before 3.11.8 and 3.12.2 in TLS within TLS (cpython#113214)
            raise step_failed(f"no TLS with {peer}", exc.__context__ or exc) from None
        if secured is None:
            raise ConnectFailed(f"no TLS with {peer}: the connection was lost")
        self.transport, self._placeholder = secured, placeholder

    def switch_protocol(self, protocol: asyncio.Protocol) -> None:
        """Install a protocol, and replay to it what has happened so far."""
        before = self._placeholder
        self.transport.set_protocol(protocol)
        if isinstance(protocol, _Placeholder):
            self._placeholder = protocol
        protocol.connection_made(self.transport)
        if before.early:
            protocol.data_received(before.early)
        if before.end is not None:
            protocol.connection_lost(*before.end)


class _Placeholder(asyncio.Protocol):
    """Buffers the events of a transport until its real protocol is installed."""

    def __init__(self) -> None:
        self.early = b""
        self.end: tuple[Exception | None] | None = None

    def data_received(self, data: bytes) -> None:
        """Buffer the data."""
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the reason."""
        self.end = (exc,)


class _TunnelProtocol(_Placeholder):
    """Requests a tunnel from a proxy, then buffers what comes out of it.

    Attributes:
        answered: set when the tunnel is open, or `failure` says why it is not.
    """

    def __init__(self, tunnel: Tunnel, proxy: Proxy) -> None:
        super().__init__()
        self.answered = asyncio.Event()
        self.failure: Exception | None = None
        self._tunnel = tunnel
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        if not transport.is_closing():
            cast("asyncio.Transport", transport).write(self._tunnel.request)

    def data_received(self, data: bytes) -> None:
        """Parse the response; buffer what follows, which comes from the server."""
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
        """Fail unless the proxy has responded."""
        super().connection_lost(exc)
        if not self.answered.is_set():
            self.failure = (
                self._tunnel.ended() if exc is None else step_failed(f"lost the proxy {self._proxy.name}", exc)
            )
            self.answered.set()
