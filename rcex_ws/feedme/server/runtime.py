"""The tasks of a running server: listening, serving clients, handlers, and how all of it is closed."""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from functools import partial

import anyio

from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.messages import SUBPROTOCOL
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.errors import ServerStopping
from rcex_ws.feedme.server.memory import MemoryPeer
from rcex_ws.feedme.server.service import ClientService
from rcex_ws.feedme.server.timekeeper import Timekeeper
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.tasks import BackgroundTask, RootTask, run_to_completion
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import Peer

__all__ = ["ServerRuntime"]

#: Wildcard addresses, and the address that reaches them from this machine.
_OWN_HOSTS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104

#: New clients are refused while more events wait than this, plus one for each connected client.
_MOST_EVENTS = 1000

#: How late the timekeeper may be, as a fraction of the shortest time-out.
_GRANULARITY = 1 / 20


class _Phase(Enum):
    NEW = auto()
    RUNNING = auto()
    CLOSING = auto()  # or closed


class ServerRuntime:
    """The one run of a server.

    Args:
        core: the shared parts of the server.

    Attributes:
        services: those of all connected clients.
    """

    def __init__(self, core: ServerCore) -> None:
        self.services: dict[ConnectedClient, ClientService] = {}
        self._core = core
        self._settings = core.settings
        self._root = RootTask("rcex_ws feedme server")
        times = (
            core.settings.heartbeat_interval,
            core.settings.heartbeat_timeout,
            core.settings.handshake_timeout or math.inf,
        )
        self._timekeeper = Timekeeper(self.services.values(), lambda: core.clock(), min(times) * _GRANULARITY)
        self._listener: socket.socket | None = None
        self._port = core.settings.port
        self._tasks: set[BackgroundTask] = set()  # without these two
        self._handlers: BackgroundTask | None = None
        self._events: BackgroundTask | None = None
        self._phase = _Phase.NEW
        self._closed = Signal()

    @property
    def url(self) -> str:
        """The address.

        Raises:
            InvalidState: it does not listen, or not yet.
        """
        if self._listener is None:
            raise InvalidState("the server has no address: it was not started, or is mounted and does not listen")
        host = _OWN_HOSTS.get(self._settings.host, self._settings.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if self._settings.ssl_context else 'ws'}://{host}:{self._port}/"

    async def start(self, *, listen: bool) -> None:
        """Start the tasks.

        Args:
            listen: whether to listen on a port.

        Raises:
            InvalidState: it was started before.
            InvalidArgument: the port is in use, or the host is not this machine's.
        """
        if self._phase is not _Phase.NEW:
            raise InvalidState("a server runs once; make a new one")
        if listen:
            self._listener = self._bind()
            self._port = self._listener.getsockname()[1]
        self._phase = _Phase.RUNNING
        core = self._core
        core.started = True
        core.clock = loop_clock()
        try:
            await self._root.start()
        except BaseException:
            await self.close()
            raise
        self._events = self._root.spawn(core.events.run, name="events", on_crash=core.events.report)
        self._handlers = self._root.spawn(core.dispatcher.run, name="handlers", on_crash=core.events.report)
        self._spawn(self._timekeeper.run, "timekeeper")
        if self._listener is not None:
            self._spawn(partial(self._listen, self._listener), "listener")

    async def close(self) -> None:
        """Disconnect all clients and end the tasks; a handler that calls this is left to finish."""
        if self._phase is _Phase.CLOSING:
            with self._root.let_caller_finish():
                await run_to_completion(self._closed.wait)
            return
        self._phase = _Phase.CLOSING
        self._core.started = True
        await run_to_completion(self._close)

    async def serve_mounted(self, peer: Peer) -> None:
        """Serve a client of an ASGI server, which sends its own pings."""
        await self._serve(peer, heartbeat=False)

    def serve_memory(self, peer: MemoryPeer) -> None:
        """Serve a client in the same process.

        Raises:
            ConnectionRefusedError: the server is not running.
        """
        if self._phase is not _Phase.RUNNING:
            raise ConnectionRefusedError("the server is not running")
        self._spawn(partial(self._serve, peer, heartbeat=False), "client in memory")

    def _bind(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        if not host.isprintable():  # the system would be asked for what cannot be encoded, or for the part before NUL
            raise InvalidArgument(f"host: cannot listen on {host!r}: it is no name of a host")
        try:
            return bind(host, port)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                why = "is in use" if exc.errno == errno.EADDRINUSE else "may not be used by this user"
                raise InvalidArgument(f"port: {port} {why}; 0 takes any free one") from exc
            raise InvalidArgument(f"host: cannot listen on {host!r}: {exc}") from exc

    def _spawn(self, func: Callable[[], Awaitable[None]], name: str) -> None:
        async def run() -> None:
            try:
                await func()
            finally:
                self._tasks.discard(task)

        task = self._root.spawn(run, name=name, on_crash=self._core.events.report)
        self._tasks.add(task)

    async def _listen(self, listener: socket.socket) -> None:
        handler, settings = partial(self._serve, heartbeat=True), self._settings
        with listener:  # also when the loop ends before `close`
            await serve(listener, handler, ssl_context=settings.ssl_context, options=settings.peer_options)

    async def _serve(self, peer: Peer, *, heartbeat: bool) -> None:
        if self._phase is not _Phase.RUNNING:
            await peer.refuse(503, body="The server is not running.\n")
            return
        if self._is_behind:
            await peer.refuse(503, body="The server is too busy.\n")
            return
        offered = peer.request.subprotocols
        subprotocol = next((one for one in offered if one.lower() == SUBPROTOCOL), None)
        if offered and subprotocol is None:  # it would not accept a WebSocket without a subprotocol
            await peer.refuse(400, body=f"This server speaks the subprotocol {SUBPROTOCOL} only.\n")
            return
        service = ClientService(self._core, peer, heartbeat=heartbeat)
        self.services[service.client] = service
        self._timekeeper.note(service)
        try:
            await service.serve(subprotocol)
        finally:
            del self.services[service.client]

    @property
    def _is_behind(self) -> bool:
        """Whether so much is left to do for clients which have left that no more may come."""
        settings, clients = self._settings, len(self.services)
        of_a_client = 1 + settings.max_actions + settings.max_open_feeds  # and the handshake
        if self._core.dispatcher.unfinished > (clients + 1) * of_a_client:
            return True
        return self._core.events.undelivered > _MOST_EVENTS + clients

    async def _close(self) -> None:
        within = self._settings.close_timeout
        steps = (  # each with the fraction of `close_timeout` by which it must be done
            (self._close_clients, 0.5),
            (lambda: _end(tuple(self._tasks)), 0.6),
            (self._drain_handlers, 0.8),
            (self._drain_events, 1.0),
        )
        begun = anyio.current_time()
        try:
            for step, part in steps:
                with anyio.move_on_after(begun + part * within - anyio.current_time()):
                    await step()
            await self._root.aclose(within=within)
        finally:
            if self._listener is not None:
                self._listener.close()
            self._closed.set()

    async def _close_clients(self) -> None:
        services = tuple(self.services.values())
        for service in services:
            service.close(ServerStopping("the server is closed"))
        for service in services:
            await service.ended.wait()

    async def _drain_handlers(self) -> None:
        """Let handlers finish, and run those that are to be told of closed feeds."""
        self._core.dispatcher.close()
        if self._handlers is not None:
            await self._handlers.wait()

    async def _drain_events(self) -> None:
        await _end(() if self._handlers is None else (self._handlers,))
        self._core.events.close()
        if self._events is not None:
            await self._events.wait()


async def _end(tasks: Sequence[BackgroundTask]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        await task.wait()
