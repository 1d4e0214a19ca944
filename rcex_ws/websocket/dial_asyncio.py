"""The way to a WebSocket server on asyncio and uvloop: a transport whose protocol is the caller's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import anyio

from rcex_ws.websocket.dial import EYEBALLS_DELAY, Route, failure, interleave, plan
from rcex_ws.websocket.endpoint import Endpoint

__all__ = ["dial_asyncio"]

P = TypeVar("P", bound=asyncio.Protocol)

# What getaddrinfo gives: family, type, protocol, canonical name, address.
_Info = tuple[int, int, int, str, Any]


async def dial_asyncio(endpoint: Endpoint, protocol_factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect to an endpoint: TCP, a proxy, TLS.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.
        protocol_factory: makes the protocol; called once, when TCP stands. `connection_made` is called when TLS does.

    Returns:
        The transport, whose protocol has been told of the connection, and that protocol.

    Raises:
        ConnectFailed: it did not work; the error says at whom, and why.
        ConfigurationError: the proxy of the endpoint or the environment is none.
    """
    route = plan(endpoint)
    sock = await _connect(route.address.host, route.address.port, route.server)
    return await _hand_over(route, sock, protocol_factory)


async def _hand_over(
    route: Route, sock: socket.socket, protocol_factory: Callable[[], P], early: bytes = b""
) -> tuple[asyncio.Transport, P]:
    """Give a connected socket to the protocol, with TLS if the server wants it; the socket is closed on failure."""
    entry: _Entry | None = None
    try:
        protocol = protocol_factory()
        entry = made = _Entry(protocol, early)
        await asyncio.get_running_loop().create_connection(
            lambda: made, sock=sock, ssl=route.tls, server_hostname=route.address.host if route.tls else None
        )
    except BaseException as exc:
        # The loop closes what it has made a transport of, but waits for the other side where TLS stands already.
        if entry is not None and entry.transport is not None:
            entry.transport.abort()
        else:
            sock.close()
        if isinstance(exc, (OSError, ValueError)):  # ValueError: a host that cannot be a name in TLS
            raise failure(f"no TLS with {route.server}" if route.tls else f"lost {route.server}", exc) from None
        raise
    if made.transport is None:
        raise AssertionError("asyncio tells the protocol of the connection before it gives it")
    return made.transport, protocol


class _Entry(asyncio.Protocol):
    """Bring in the caller's protocol, in the same turn of the loop, and give it first what came before it was there."""

    def __init__(self, protocol: asyncio.Protocol, early: bytes) -> None:
        self.transport: asyncio.Transport | None = None
        self._protocol = protocol
        self._early = early

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Leave."""
        self.transport = made = cast("asyncio.Transport", transport)
        made.set_protocol(self._protocol)
        self._protocol.connection_made(made)
        if self._early:
            self._protocol.data_received(self._early)


async def _connect(host: str, port: int, whom: str) -> socket.socket:
    """Connect to the first address of a host that answers.

    Raises:
        ConnectFailed: none did.
    """
    try:
        infos = await _resolve(host, port)
        return await _race(infos) if len(infos) > 1 else await _connect_one(infos[0])
    except OSError as exc:
        raise failure(f"no connection to {whom}", exc) from None


async def _resolve(host: str, port: int) -> Sequence[_Info]:
    with suppress(socket.gaierror):  # an IP address needs no thread
        return cast("list[_Info]", socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(interleave(cast("list[_Info]", found)))


async def _race(infos: Sequence[_Info]) -> socket.socket:
    """Try the addresses one after the other, each a little later; the first that connects wins (RFC 8305)."""
    errors: list[OSError] = []
    winner: socket.socket | None = None

    async def attempt(info: _Info, failed: anyio.Event) -> None:
        nonlocal winner
        try:
            sock = await _connect_one(info)
        except OSError as exc:
            errors.append(exc)
            failed.set()
            return
        if winner is None:
            winner = sock
            group.cancel_scope.cancel()
        else:
            sock.close()

    try:
        async with anyio.create_task_group() as group:
            for info in infos:
                failed = anyio.Event()
                group.start_soon(attempt, info, failed)
                with anyio.move_on_after(EYEBALLS_DELAY):
                    await failed.wait()
    except BaseException:
        if winner is not None:
            winner.close()
        raise
    if winner is None:
        raise OSError("no address answers") from ExceptionGroup("no address answers", errors)
    return winner


async def _connect_one(info: _Info) -> socket.socket:
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
