"""A running server: which clients it serves, and how they are disconnected when it is closed."""

from __future__ import annotations

import math
from functools import partial

from rcex_ws.errors import ConfigurationError
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.messages import SUBPROTOCOL
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.errors import ServerStopping
from rcex_ws.feedme.server.memory import MemoryPeer
from rcex_ws.feedme.server.service import ClientService
from rcex_ws.loop import loop_clock
from rcex_ws.serving import ServerLife, Timekeeper
from rcex_ws.websocket.peer import Peer

__all__ = ["ServerRuntime"]

#: New clients are refused while more events wait than this, plus one for each connected client.
_MOST_EVENTS = 1000

#: How late the timekeeper may be, as a fraction of the shortest time-out.
_GRANULARITY = 1 / 20


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
        settings = core.settings
        self._life = ServerLife(
            "rcex_ws feedme server",
            settings,
            dispatcher=core.dispatcher,
            events=core.events,
            report=core.events.report,
        )
        times = (settings.heartbeat_interval, settings.heartbeat_timeout, settings.handshake_timeout or math.inf)
        self._timekeeper = Timekeeper(self.services.values, lambda: core.clock(), min(times) * _GRANULARITY)

    @property
    def url(self) -> str:
        """The address.

        Raises:
            InvalidState: it does not listen, or not yet.
        """
        url = self._life.url
        if url is None:
            raise InvalidState("the server has no address: it was not started, or is mounted and does not listen")
        return url

    async def start(self, *, listen: bool) -> None:
        """Start the tasks.

        Args:
            listen: whether to listen on a port.

        Raises:
            InvalidState: it was started before.
            InvalidArgument: the port is in use, or the host is not this machine's.
        """
        if self._life.begun:
            raise InvalidState("a server runs once; make a new one")
        try:
            await self._life.start(listen=partial(self._serve, heartbeat=True) if listen else None, begin=self._begin)
        except ConfigurationError as exc:
            raise InvalidArgument(str(exc)) from exc.__cause__
        self._life.spawn(self._timekeeper.run, "timekeeper")

    async def close(self) -> None:
        """Disconnect all clients and end the tasks; a handler that calls this is left to finish."""
        self._core.started = True
        await self._life.close(self._close_clients)

    async def serve_mounted(self, peer: Peer) -> None:
        """Serve a client of an ASGI server, which sends its own pings."""
        await self._serve(peer, heartbeat=False)

    def serve_memory(self, peer: MemoryPeer) -> None:
        """Serve a client in the same process.

        Raises:
            ConnectionRefusedError: the server is not running.
        """
        if not self._life.running:
            raise ConnectionRefusedError("the server is not running")
        self._life.spawn(partial(self._serve, peer, heartbeat=False), "client in memory")

    def _begin(self) -> None:
        self._core.started = True
        self._core.clock = loop_clock()

    async def _serve(self, peer: Peer, *, heartbeat: bool) -> None:
        if not self._life.running:
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
        settings, clients = self._core.settings, len(self.services)
        of_a_client = 1 + settings.max_actions + settings.max_open_feeds  # and the handshake
        if self._core.dispatcher.unfinished > (clients + 1) * of_a_client:
            return True
        return self._core.events.undelivered > _MOST_EVENTS + clients

    async def _close_clients(self) -> None:
        services = tuple(self.services.values())
        for service in services:
            service.close(ServerStopping("the server is closed"))
        for service in services:
            await service.ended.wait()
