"""The way to a WebSocket server on asyncio and uvloop: a transport whose protocol is the caller's.

A connection is a plain TCP transport first, and becomes the caller's layer by layer: TLS to a proxy, its tunnel, TLS to
the server. What is a protocol here is called by the loop itself, where nothing of anyio's works.
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
        protocol_factory: makes the protocol; called once, when everything stands.

    Returns:
        The transport, whose protocol has been told of the connection, and that protocol. It may have been told of data
        as well, and of the end.

    Raises:
        ConnectFailed: it did not work; the error says at peer, and why.
        ConfigurationError: the proxy of the endpoint or the environment is none.
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
        pending.transport.abort()  # its `close` would wait for the other side of TLS
        raise
    return pending.transport, protocol


async def _connect(route: Route) -> socket.socket:
    """Connect to the server or to what leads there.

    Raises:
        ConnectFailed: nobody answers, or a SOCKS proxy has refused.
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
        # asyncio sets it only on sockets that were made with a protocol number.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _tunnel(pending: _PendingConnection, proxy: Proxy, route: Route, trace: Tracer) -> None:
    """Let an HTTP proxy connect to the server; with TLS to the proxy if it is an https one.

    Raises:
        ConnectFailed: there is no TLS with the proxy, or it refused.
    """
    from rcex_ws.websocket.tunnel import Tunnel  # brings in h11

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
    """One connection on its way to its protocol.

    Attributes:
        transport: the innermost layer that stands.
    """

    def __init__(self, transport: asyncio.Transport, placeholder: _Placeholder) -> None:
        self.transport = transport
        self._placeholder = placeholder

    @classmethod
    async def from_socket(cls, sock: socket.socket) -> _PendingConnection:
        """Make a connection of a socket, which is closed when that is cancelled."""
        placeholder = _Placeholder()
        made: list[_PendingConnection] = []

        async def make() -> None:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: placeholder, sock=sock)
            made.append(cls(transport, placeholder))

        try:
            # It waits for nobody. Cancelled, uvloop 0.21 would close the descriptor and the socket once more, when the
            # number may be another file's.
            await run_to_completion(make)
        except BaseException:
            for pending in made:
                pending.transport.abort()
            raise
        return made[0]

    async def start_tls(self, tls: ssl.SSLContext, host: str, peer: str) -> None:
        """Do the handshake of one more layer.

        Raises:
            ConnectFailed: the handshake failed.
        """
        if self._placeholder.early:
            raise ConnectFailed(f"no TLS with {peer}: it speaks first, which is not TLS")
        if self.transport.is_closing():  # start_tls would not hear of the end
            raise ConnectFailed(f"no TLS with {peer}: the connection was lost")
        # start_tls calls no connection_made, and what comes right behind the handshake may be here before it returns.
        placeholder = _Placeholder()
        try:
            secured = await asyncio.get_running_loop().start_tls(self.transport, placeholder, tls, server_hostname=host)
        except (OSError, ValueError) as exc:  # ValueError: a host that cannot be a name in TLS
            raise step_failed(f"no TLS with {peer}", exc) from None
        except TypeError as exc:  # a fault of Python before 3.11.8 and 3.12.2, in TLS within TLS (cpython#113214)
            raise step_failed(f"no TLS with {peer}", exc.__context__ or exc) from None
        if secured is None:
            raise ConnectFailed(f"no TLS with {peer}: the connection was lost")
        self.transport, self._placeholder = secured, placeholder

    def switch_protocol(self, protocol: asyncio.Protocol) -> None:
        """Bring in a protocol, and tell it what has happened."""
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
    """Stand where another protocol will stand, and keep for it what comes before it is there."""

    def __init__(self) -> None:
        self.early = b""
        self.end: tuple[Exception | None] | None = None

    def data_received(self, data: bytes) -> None:
        """Keep what comes."""
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep the reason."""
        self.end = (exc,)


class _TunnelProtocol(_Placeholder):
    """Ask a proxy for a tunnel, and stand at its entrance then.

    Attributes:
        answered: the tunnel is open, or `failure` says why not.
    """

    def __init__(self, tunnel: Tunnel, proxy: Proxy) -> None:
        super().__init__()
        self.answered = asyncio.Event()
        self.failure: Exception | None = None
        self._tunnel = tunnel
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        if not transport.is_closing():
            cast("asyncio.Transport", transport).write(self._tunnel.request)

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
            self.failure = (
                self._tunnel.ended() if exc is None else step_failed(f"lost the proxy {self._proxy.name}", exc)
            )
            self.answered.set()
