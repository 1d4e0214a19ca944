"""A running server: which connections it serves, and how they are closed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import anyio

from rcex_ws.errors import ConfigurationError, NotConnected, RcexError
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.rtm.server.admission import ClientAdmission
from rcex_ws.rtm.server.close_codes import MOVED
from rcex_ws.rtm.server.core import RtmServerCore
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.service import ConnectionService
from rcex_ws.rtm.server.sessions import Sessions
from rcex_ws.serving import ServerLife, Timekeeper
from rcex_ws.websocket.peer import Peer

__all__ = ["RtmServerRuntime"]

#: New clients are refused while this many calls more than the connected ones may have made wait.
_MOST_CALLS = 1000

#: New clients are refused while more events wait for their handlers than this, plus one for each connected client.
_MOST_EVENTS = 2000

#: How late the timekeeper may be, as a fraction of the shortest time-out.
_GRANULARITY = 1 / 20


class RtmServerRuntime:
    """The one run of a server.

    Args:
        core: the shared parts of the server.

    Attributes:
        life: its tasks.
    """

    def __init__(self, core: RtmServerCore) -> None:
        self._core = core
        settings = core.settings
        self._admission = ClientAdmission(core)
        self._services: dict[ConnectionService, None] = {}
        self._draining = False
        self._broker_known = Signal()
        self._broker_error: RcexError | None = None
        self.life = ServerLife(
            "rcex_ws rtm server", settings, dispatcher=core.dispatcher, events=core.events, report=core.report
        )
        times = (
            settings.heartbeat_interval,
            settings.heartbeat_timeout,
            settings.auth_timeout if settings.authenticate else math.inf,
            settings.resume_window or math.inf,
        )
        self._timekeeper = Timekeeper(self._polled, lambda: core.clock(), min(times) * _GRANULARITY)
        core.note = self._timekeeper.note

    async def start(self, *, listen: bool) -> None:
        """Start the tasks; see `RtmServer.start`."""
        if self.life.begun:
            raise ConfigurationError("a server runs once; make a new one")
        await self.life.start(listen=partial(self._serve, heartbeat=True) if listen else None, begin=self._begin)
        try:
            self.life.spawn(self._timekeeper.run, "timekeeper")
            self.life.spawn_late(self._run_broker, "broker")
            await self._wait_for_broker()
        except BaseException:  # nobody has the server yet, to close it
            await self.close()
            raise

    async def drain(self, within: float) -> None:
        """Refuse new clients, and have all others move, evenly spread over a time in seconds."""
        self._draining = True
        services = tuple(self._services)
        for number, service in enumerate(services):
            service.close(MOVED, "service restart")
            if within and number < len(services) - 1:
                await anyio.sleep(within / len(services))
        for service in services:
            await service.ended.wait()

    async def close(self) -> None:
        """Have all clients move, and end the tasks; a handler that calls this is left to finish."""
        self._core.started = True
        core = self._core
        await self.life.close(partial(self.drain, 0.0), settle=core.publisher.flush, last=core.broker.aclose)

    async def serve_mounted(self, peer: Peer) -> None:
        """Serve a client of an ASGI server, which sends its own pings."""
        if self.life.running:
            self._core.home.check()
        await self._serve(peer, heartbeat=False)

    def _begin(self) -> None:
        self._core.home.check()
        self._core.started = True
        self._core.clock = loop_clock()

    async def _run_broker(self) -> None:
        try:
            await self._core.broker.run(self._core.publisher.on_signal, self._on_broker)
        except RcexError as exc:
            self._on_broker(False, exc)
        finally:
            self._broker_known.set()

    async def _wait_for_broker(self) -> None:
        """Wait until the broker is connected, or is not.

        Raises:
            RcexError: it never can be.
        """
        await self._broker_known.wait()
        if self._broker_error is not None and not self._broker_error.retryable:
            raise self._broker_error

    def _on_broker(self, connected: bool, error: RcexError | None) -> None:
        events = self._core.events
        self._broker_error = error
        if connected:
            events.emit(RtmServerEvents.BROKER_READY)
        else:
            events.emit(RtmServerEvents.BROKER_LOST, error or NotConnected("the connection was lost"))
        self._broker_known.set()

    async def _serve(self, peer: Peer, *, heartbeat: bool) -> None:
        if not self.life.running or self._draining:
            await peer.refuse(503, body="The server is not running.\n")
            return
        if self._is_behind:
            await peer.refuse(503, body="The server is too busy.\n")
            return
        allowed, origin = self._core.settings.allowed_origins, peer.request.headers.get("origin")
        if allowed is not None and origin is not None and origin not in allowed:
            await peer.refuse(403, body="Pages of this origin may not connect.\n")
            return
        service = ConnectionService(self._core, self._admission, peer, heartbeat=heartbeat)
        self._services[service] = None
        self._timekeeper.note(service)
        try:
            await service.serve()
        finally:
            del self._services[service]

    def _polled(self) -> Iterator[ConnectionService | Sessions]:
        yield from self._services
        yield self._core.sessions

    @property
    def _is_behind(self) -> bool:
        """Whether so much is left to do for clients which have left that no more may come."""
        clients = len(self._services)
        if self._core.dispatcher.unfinished > (clients + 1) * self._core.settings.max_calls + _MOST_CALLS:
            return True
        return self._core.events.undelivered > clients + _MOST_EVENTS
