"""Connect to a WebSocket server on trio: a byte stream."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

import trio

from rcex_ws.trace import Step, Tracer
from rcex_ws.websocket.dial import Route, plan_route, proxy_tls, refuse_early_bytes, step_failed
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.proxies import Proxy

__all__ = ["dial_trio"]

_READ_SIZE = 4096


async def dial_trio(endpoint: Endpoint) -> trio.abc.Stream:
    """Connect to an endpoint: TCP, a proxy, TLS.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.

    Returns:
        The stream; any TLS handshake is done.

    Raises:
        ConnectFailed: a step failed; the error says which one, and why.
        ConfigurationError: the proxy of the endpoint or the environment is invalid.
    """
    route, trace = plan_route(endpoint), endpoint.trace
    proxy = route.proxy
    with trace.begin(Step.TCP, route.next_stop):
        stream = await _connect_to(route)
    if proxy is not None and not proxy.is_socks:
        stream = await _tunnel(stream, proxy, route, trace)
    if route.tls is None:
        return stream
    with trace.begin(Step.TLS, route.server):
        return await _start_tls(stream, route.tls, route.address.host, route.server)


async def _connect_to(route: Route) -> trio.abc.Stream:
    """Connect to the server, or to the proxy in between; through it if it is a SOCKS proxy.

    Raises:
        ConnectFailed: no address answers, or a SOCKS proxy refused.
    """
    proxy = route.proxy
    if proxy is not None and proxy.is_socks:
        from python_socks.async_.trio import Proxy as TrioProxy

        from rcex_ws.websocket.socks import connect_through

        return trio.SocketStream(await connect_through(TrioProxy, route, proxy))
    to = proxy or route.address
    return await _connect(to.host, to.port, route.next_stop)


async def _connect(host: str, port: int, peer: str) -> trio.abc.Stream:
    """Connect to the first address of a host that answers.

    Raises:
        ConnectFailed: none does.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as exc:
        raise step_failed(f"no connection to {peer}", exc) from None
    with suppress(OSError):  # it has ended, which the first use will report
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


async def _start_tls(stream: trio.abc.Stream, tls: ssl.SSLContext, host: str, peer: str) -> trio.abc.Stream:
    """Do the TLS handshake; close the stream on failure.

    Raises:
        ConnectFailed: the handshake failed.
    """
    try:
        # A WebSocket ends with a close frame; many peers then skip TLS's own closing alert.
        secured = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
        await secured.do_handshake()
    except BaseException as exc:
        await trio.aclose_forcefully(stream)
        if isinstance(exc, (trio.BrokenResourceError, OSError, ValueError)):
            raise step_failed(f"no TLS with {peer}", exc) from None
        raise
    return secured


async def _tunnel(stream: trio.abc.Stream, proxy: Proxy, route: Route, trace: Tracer) -> trio.abc.Stream:
    """Open a tunnel to the server through an HTTP proxy, over TLS if it is an https proxy."""
    from rcex_ws.websocket.tunnel import Tunnel  # imports h11

    context = proxy_tls(proxy)
    if context is not None:
        with trace.begin(Step.TLS, route.next_stop):
            stream = await _start_tls(stream, context, proxy.host, route.next_stop)
    tunnel = Tunnel(proxy, route.address)
    try:
        with trace.begin(Step.PROXY, route.next_stop):
            await stream.send_all(tunnel.request)
            while not tunnel.receive(bytes(await stream.receive_some(_READ_SIZE))):
                pass
            refuse_early_bytes(route, tunnel.early)
    except BaseException as exc:
        await trio.aclose_forcefully(stream)
        if isinstance(exc, trio.BrokenResourceError):
            raise step_failed(f"lost the proxy {proxy.name}", exc) from None
        raise
    return _PrefixedStream(stream, tunnel.early) if tunnel.early else stream


class _PrefixedStream(trio.abc.Stream):
    """A stream that first returns the bytes that followed a proxy's response.

    Args:
        transport_stream: the stream for the rest; named as in `trio.SSLStream`.
        early: the bytes to return first.
    """

    def __init__(self, transport_stream: trio.abc.Stream, early: bytes) -> None:
        self.transport_stream = transport_stream
        self._early = early

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive data, the early bytes first."""
        if not self._early:
            return await self.transport_stream.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        size = len(self._early) if max_bytes is None else max_bytes
        data, self._early = self._early[:size], self._early[size:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send data."""
        await self.transport_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room to send."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self.transport_stream.aclose()
