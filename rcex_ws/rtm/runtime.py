"""One life of an `RtmClient`: creates its parts, and adds RTM's own steps to starting and closing."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from rcex_ws.connection import EventEmitter, Life, Opener, RequestTable, Supervisor
from rcex_ws.errors import NotConnected
from rcex_ws.rtm.account import SessionAccount
from rcex_ws.rtm.callbacks import EventCallbacks
from rcex_ws.rtm.calls import RemoteCalls
from rcex_ws.rtm.conversation import RtmShared
from rcex_ws.rtm.driver import RtmDriver
from rcex_ws.rtm.events import RtmInbox
from rcex_ws.rtm.pushes import PushSubscriptions
from rcex_ws.rtm.resumption import RtmGap
from rcex_ws.rtm.settings import RtmSettings
from rcex_ws.tasks import BackgroundTask
from rcex_ws.trace import Tracer

__all__ = ["RtmRuntime", "RtmStats"]

logger = logging.getLogger("rcex_ws.rtm")


class RtmStats(Struct, frozen=True):
    """The counters of an `RtmClient`, since it was started.

    Attributes:
        connections: connections that were ready.
        events: events of the server that were received.
        dropped: frames that were dropped because handlers were too slow.
        gaps: gaps told.
        undelivered: what is queued for handlers now.
        calls: calls that have no reply yet.
    """

    connections: int = 0
    events: int = 0
    dropped: int = 0
    gaps: int = 0
    undelivered: int = 0
    calls: int = 0


class RtmRuntime:
    """One life of a client, from `start` to `stop`.

    Args:
        settings: the options of the client.
        account: the session, which outlives this, like the next four.
        emitter: holds the handlers of lifecycle events.
        callbacks: those of the server's events.
        pushes: the push subscriptions.
        ids: the ids of frames.
        open_socket: opens a WebSocket.

    Attributes:
        inbox, calls, driver, supervisor, life: see their classes.
    """

    def __init__(
        self,
        settings: RtmSettings,
        account: SessionAccount,
        emitter: EventEmitter,
        callbacks: EventCallbacks,
        pushes: PushSubscriptions,
        ids: Iterator[int],
        *,
        open_socket: Opener,
    ) -> None:
        self._delivery: BackgroundTask | None = None
        self._settled = False
        self._pushes = pushes
        self._account = account
        self.inbox = RtmInbox(emitter, callbacks, settings, now=time.time, gap=self._gap_of_dropped)
        self.calls = RemoteCalls(
            ids, max_queue=settings.max_queue, on_error=self.inbox.error, watch=self._watch_deadlines
        )
        shared = RtmShared(
            account=account,
            inbox=self.inbox,
            calls=self.calls,
            pushes=pushes,
            resume=settings.resume,
            now=time.time,
        )
        self.driver = RtmDriver(shared, settings, self._settle)
        self.supervisor = Supervisor(
            self.driver,
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=settings.heartbeat_interval,
            heartbeat_timeout=settings.heartbeat_timeout,
            close_timeout=settings.close_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=open_socket,
            log=logger,
            trace=Tracer("rcex_ws.rtm", settings.trace, logger),
        )
        self.life = Life(self.supervisor, close_timeout=settings.close_timeout)

    @property
    def ended(self) -> bool:
        """Whether it is CLOSED or FAILED; tasks may still be finishing."""
        return self.supervisor.status.ended

    @property
    def stats(self) -> RtmStats:
        """The counters."""
        return RtmStats(
            connections=self.driver.connections,
            events=self.inbox.events,
            dropped=self.inbox.dropped,
            gaps=self.inbox.gaps,
            undelivered=self.inbox.undelivered,
            calls=len(self.calls.table),
        )

    async def start(self) -> None:
        """Start the tasks."""
        await self.life.start()
        if not self.life.closing:
            self._delivery = self.life.spawn(self.inbox.run, "handlers", needed_to_close=True)

    async def wait_ready(self, within: float = math.inf) -> None:
        """Wait for a connection, for so many seconds; raise what made it FAILED, also if it is closed by now."""
        try:
            await self.life.wait_open(within)
        except NotConnected as exc:
            raise self.supervisor.status.failure or exc from None

    def raise_if_ended(self) -> None:
        """Raise what made it FAILED, or `NotConnected` if it is CLOSED."""
        status = self.supervisor.status
        if status.failure is not None:
            raise status.failure
        self.supervisor.raise_if_ended()

    async def wait_ended(self) -> None:
        """Wait until no further attempt follows, and all queued events are delivered; raise what made it FAILED."""
        await self.life.wait_ended()
        if self._delivery is not None:
            await self._delivery.wait()
        failure = self.supervisor.status.failure
        if failure is not None:  # also if a handler has closed it since
            raise failure

    async def stop(self) -> None:
        """Settle all calls and deliver what is queued, within `close_timeout`. Idempotent; a handler may call it."""
        await self.life.close(drain=self._drain)

    async def _drain(self) -> None:
        self._settle()
        delivery = self._delivery
        try:
            if delivery is not None:
                await delivery.wait()
        finally:
            cut_short = delivery is not None and not delivery.done
            closed_by_handler = delivery is not None and delivery.left_to_finish  # it gets the queued events afterwards
            if (cut_short or self.inbox.undelivered) and not closed_by_handler:
                logger.warning("closed before all handlers had run: %d events were dropped", self.inbox.undelivered)

    def _settle(self) -> None:
        """Settle all that waits for the server, once: no further connection follows."""
        if self._settled:
            return  # the push subscriptions may belong to the next life already
        self._settled = True
        self._pushes.end()
        self.calls.end()
        self.inbox.close()

    def _watch_deadlines(self, table: RequestTable[Any]) -> None:
        self.life.watch_deadlines(table)

    def _gap_of_dropped(self, since: float, until: float, reason: str) -> RtmGap | None:
        return self._account.gap(since, until, certain=True, reason=reason)
