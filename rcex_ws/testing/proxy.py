"""A TCP proxy that simulates network failures on command, for tests of anything that uses TCP.

Used by tests, through the `fault_proxy` fixture or directly; knows no protocol above TCP. It runs in its own thread, so
that its methods can be called from sync tests, from asyncio and from trio; each of them returns once the fault is in
effect. `forwarding.py` handles a single connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from typing import Literal, Self
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rcex_ws.errors import ConfigurationError, NotConnected
from rcex_ws.options import Count, Name, Port, Url, Wait, checked
from rcex_ws.testing.forwarding import Cut, ForwardedConnection, Lane

__all__ = ["Direction", "FaultProxy"]

Direction = Literal["up", "down", "both"]
"""From the client to the target, from the target to the client, or both."""


class FaultProxy:
    """A proxy between a client and a TCP server that fails on command.

    A context manager; it listens on a free port of 127.0.0.1 while it is entered. Every method may be called from any
    thread and any event loop.

    Args:
        target_host: the host to connect to; resolved for each connection.
        target_port: its port.

    Attributes:
        host: the address the proxy listens on.
        port: its port, the same after `refuse` and `accept`.
    """

    host = "127.0.0.1"
    port = 0

    @checked
    def __init__(self, target_host: Name, target_port: Port) -> None:
        self._target = (target_host, target_port)
        self._up = Lane()
        self._down = Lane()
        self._connections: set[ForwardedConnection] = set()
        self._listener: socket.socket | None = None
        self._exit = ExitStack()
        self._portal: BlockingPortal | None = None

    @classmethod
    @checked
    def to(cls, url: Url) -> Self:
        """Return a proxy for the host and port of a URL (http, https, ws or wss).

        Raises:
            ConfigurationError: the URL has no host.
        """
        return cls(*_address(url))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = self._portal = stack.enter_context(start_blocking_portal("asyncio", name="fault-proxy"))
            stack.callback(setattr, self, "_portal", None)
            self._tasks = stack.enter_context(portal.wrap_async_context_manager(self._run()))
            self.accept()
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    @checked
    def url(self, url: Url) -> str:
        """Return `url` with host and port replaced by the proxy's."""
        return urlsplit(url)._replace(netloc=f"{self.host}:{self.port}").geturl()

    @checked
    def retarget(self, url: Url) -> None:
        """Forward new connections to the host and port of another URL; see `to`."""
        self._target = _address(url)

    @property
    def connections(self) -> int:
        """The number of open connections through the proxy."""
        return len(self._connections)

    @property
    def bytes_up(self) -> int:
        """The number of bytes forwarded from clients to the target, over all connections."""
        return self._up.forwarded

    @property
    def bytes_down(self) -> int:
        """The number of bytes forwarded from the target to clients, over all connections."""
        return self._down.forwarded

    def cut(self) -> int:
        """End every connection by a FIN to both sides; return how many there were.

        Frozen and delayed data is lost. Both sides see an orderly end of the stream and nothing after it.
        """
        return self._running.call(self._end_all, False)

    def reset(self) -> int:
        """End every connection by a RST to both sides; return how many there were."""
        return self._running.call(self._end_all, True)

    @checked
    def cut_after(self, n_bytes: Count, direction: Literal["up", "down"], *, rst: bool = False) -> None:
        """End the first connection that forwards `n_bytes` more, exactly after them; later ones are not affected.

        Args:
            n_bytes: how many, counted from now, per connection, including those not open yet; at least 1.
            direction: the direction in which to count.
            rst: end by a RST instead of a FIN; it may overtake bytes for which the receiver had no room yet.

        Raises:
            ConfigurationError: `n_bytes` is less than 1; cut() and reset() act at once.
        """
        (lane,) = self._lanes(direction)
        self._running.call(setattr, lane, "cut", Cut(n_bytes, rst))

    @checked
    def freeze(self, direction: Direction = "both") -> None:
        """Stop forwarding without closing anything, like a network that drops every packet.

        New connections are frozen too. An end of stream is held back like data.
        """
        for lane in self._lanes(direction):
            self._running.call(lane.open.clear)

    @checked
    def thaw(self, direction: Direction = "both") -> None:
        """Resume forwarding, starting with what was held back."""
        for lane in self._lanes(direction):
            self._running.call(lane.open.set)

    @checked
    def delay(self, seconds: Wait, direction: Direction = "both") -> None:
        """Delay everything read from now on by `seconds`, in order; 0 ends the delay."""
        for lane in self._lanes(direction):
            self._running.call(setattr, lane, "delay", seconds)

    def refuse(self) -> None:
        """Close the listening port: new connections are refused, open ones stay open."""
        self._running.call(self._stop_listening)

    def accept(self) -> None:
        """Listen on the same port again; do nothing if it is listening."""
        self._running.call(self._listen)

    @property
    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise NotConnected("the proxy is not running; use it under `with`")
        return self._portal

    def _lanes(self, direction: Direction) -> tuple[Lane, ...]:
        return {"up": (self._up,), "down": (self._down,), "both": (self._up, self._down)}[direction]

    # Everything below runs in the proxy's own thread.

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[TaskGroup]:
        async with anyio.create_task_group() as tasks:
            yield tasks
            await self._stop_listening()
            tasks.cancel_scope.cancel()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port))
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            asyncio.get_running_loop().add_reader(self._listener, self._accept_one, self._listener)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # the client disconnected before it was accepted
        client.setblocking(False)
        connection = ForwardedConnection(client, self._connections.discard)
        self._connections.add(connection)
        self._tasks.start_soon(connection.serve, self._target, self._up, self._down)

    async def _end_all(self, rst: bool) -> int:
        connections = tuple(self._connections)
        for connection in connections:
            connection.end(rst=rst)
        for connection in connections:
            await connection.ended.wait()
        return len(connections)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.hostname is None:
        raise ConfigurationError("url: it names no host")  # not shown: it may contain a token
    return parts.hostname, parts.port or (443 if parts.scheme in ("https", "wss") else 80)
