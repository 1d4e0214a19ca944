"""One life of the extension, from connecting to closing: puts the parts together and owns their tasks.

Made by `WebSocketExtension` for each install or `connect()` and thrown away whole, so that nothing of an old session
can speak for a new one.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Awaitable, Callable, Collection

import anyio
from msgspec.structs import replace

from rcex_ws.connection import EventEmitter, Life, Opener, RequestTable, Supervisor
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.loop import now
from rcex_ws.readers import printable
from rcex_ws.rest import UNSET, Request, Response, RestError, RingCentral
from rcex_ws.rest.owner import Owner, owner_of
from rcex_ws.secret import redact
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap, gap_between
from rcex_ws.wsg.conversation import WsgShared
from rcex_ws.wsg.driver import WsgDriver
from rcex_ws.wsg.frames import Wsc, WsgFrame
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.keeper import Keeper
from rcex_ws.wsg.models import SubscriptionState
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.server_clock import Moment, ServerClock
from rcex_ws.wsg.session import Outage, Session
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.store import SessionStore
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.subscriptions import Subscriptions
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["WsgRuntime"]


class WsgRuntime:
    """Run one life.

    Args:
        rc: the client.
        emitter: runs the handlers of lifecycle events; outlives this.
        settings: the options.
        telemetry: what the operator sees; outlives this.
        store: where the session is kept, or None.
        open_socket: opens a WebSocket.

    Attributes:
        telemetry: as given.
        rest: REST over the socket.
        session: the recovery token, and what is known of an outage.
        subscriptions: the one subscription.
        supervisor: keeps the connection up.
        life: owns the tasks.
    """

    def __init__(
        self,
        rc: RingCentral,
        emitter: EventEmitter,
        settings: WsgSettings,
        telemetry: Telemetry,
        *,
        store: SessionStore | None,
        open_socket: Opener,
    ) -> None:
        self._rc = rc
        self._settings = settings
        self.telemetry = telemetry
        telemetry.begin_life()
        self._consumers: list[tuple[Subscription, BackgroundTask]] = []  # those with a callback
        self._all_delivered = False  # as far as closing has found
        self.session = Session()
        self._completeness = Completeness(ServerClock(time.time(), now()))
        self._announcer = Announcer(
            emitter, on_gap=settings.on_gap, gap_timeout=settings.gap_timeout, gap_told=self.touch, telemetry=telemetry
        )
        self._table: RequestTable[WsgFrame] = RequestTable(start_watcher=lambda: self.life.watch_deadlines(self._table))
        self.rest = RestTransport(self._table, rc.server, telemetry)
        machine: SubscriptionMachine[Subscription] = SubscriptionMachine()
        self._inbox = Inbox(
            machine,
            self._completeness,
            self._announcer,
            on_take=None if store is None else self.touch,
            max_messages=settings.max_pending,
            max_bytes=settings.max_pending_bytes,
            telemetry=telemetry,
        )
        api = SubscriptionApi(self._call, telemetry.trace)
        self.subscriptions = Subscriptions(self, api, machine, self._inbox, self._completeness, self._announcer)
        shared = WsgShared(
            session=self.session,
            completeness=self._completeness,
            table=self._table,
            inbox=self._inbox,
            subscriptions=self.subscriptions,
            announcer=self._announcer,
            release_timeout=settings.gap_timeout + settings.attempt_timeout,
            heartbeat_interval=settings.heartbeat_interval,
            closing=self._is_closing,
            on_frame=None if store is None else self.touch,
            suspended=self._suspended,
            show=_show if settings.debug_mode else None,
            telemetry=telemetry,
        )
        self._driver = WsgDriver(rc, shared, attempt_timeout=settings.attempt_timeout, max_size=settings.max_size)
        self.supervisor = Supervisor(
            self._driver,
            reconnect_hint=None if settings.auto_recover else "call recover(), or switch auto_recover on",
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=settings.heartbeat_interval,
            heartbeat_timeout=settings.heartbeat_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=open_socket,
            log=telemetry.log.of(logging.getLogger("rcex_ws.connection")),
            trace=telemetry.trace,
        )
        self.life = Life(self.supervisor, close_timeout=settings.close_timeout, root=rc.tasks)
        self._keeper = None if store is None else Keeper(store, shared, lambda: self.heard_at, self._whose)

    # -- starting --------------------------------------------------------------------------------------------------

    async def start(self, *, wsc_token: str | None, resume: bool) -> None:
        """Start the tasks; continue the stored session, or the one of the given token.

        Args:
            wsc_token: goes behind a stored session.
            resume: False to begin a fresh session whatever is stored.

        Raises:
            ConfigurationError: another process has the store.
        """
        if self._keeper is not None:
            await self._keeper.open(resume=resume)
            if self.life.closing:  # in the meantime, when there was nothing to close yet
                await self._keeper.close(keep_session=True, all_delivered=False)
                return
        if wsc_token is not None and self.session.outage is None:
            self.session.wsc = Wsc(wsc_token)
            self.session.begin_outage(Outage(lost_at=None, clean=None))
            self.telemetry.begin_recovery("restart")
            self._completeness.resume(OpenGap(-math.inf))
            self.subscriptions.resume_blind()
        await self.life.start()
        if self._keeper is not None:
            self.life.spawn(self._keeper.run, "session store")

    # -- while it runs ---------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether calls can go over the socket now."""
        return self.supervisor.is_ready

    @property
    def owner_id(self) -> str | None:
        """The extension that is logged in, if that is known."""
        return None if self._rc.token is None else self._rc.token.owner_id

    @property
    def heard_at(self) -> float:
        """The loop's time when the newest frame came; now if there is no connection."""
        link = self.supervisor.link
        return now() if link is None else link.last_inbound

    def _whose(self) -> Owner:
        known = Owner() if self._rc.token is None else owner_of(self._rc.token)
        return replace(known, server=self._rc.server, client_id=self._rc.client_id or known.client_id)

    def moment(self) -> Moment:
        """Give the server's time."""
        return self._completeness.clock.at(now())

    def check_home(self) -> None:
        """Raise `WrongEventLoop` when the caller is not where the client lives."""
        self._rc.home.check()

    def raise_unless_reconnecting(self) -> None:
        """See `Supervisor.raise_unless_reconnecting`."""
        self.supervisor.raise_unless_reconnecting()

    async def wait_ready(self) -> None:
        """Wait for the connection; see `Supervisor.wait_ready`."""
        await self.supervisor.wait_ready()

    def retry_delay(self, failures: int) -> float:
        """Give the wait in seconds after so many failures in a row."""
        return self._settings.reconnect_delays(failures)

    def start_call(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        """Run a call in the background; the caller waits for it, whatever it is itself a part of.

        Raises:
            NotConnected: the extension is closed.
        """
        if self.life.closing:
            raise NotConnected("the client is closed")
        return self.life.spawn(func, name, needed_to_close=True, caller_waits=True)

    async def send_when_ready(self, request: Request) -> Response:
        """Send a call over the socket as soon as there is one; what may be repeated is, after a loss.

        Raises:
            RequestLost: the connection went, and the server may have seen a POST or PATCH.
        """
        while True:
            await self.wait_ready()
            try:
                return await self.rest.send(request)
            except NotConnected:
                continue  # it went in this very moment
            except RequestLost as lost:
                if lost.sent and not request.idempotent:
                    raise

    def deliver(self, subscription: Subscription, after: Subscription | None) -> None:
        """Start the consumer of a subscription with a callback, after that of another."""

        async def deliver() -> None:
            await subscription.deliver(after)

        child = self.life.spawn(deliver, "delivery", needed_to_close=True)
        self._consumers = [*(pair for pair in self._consumers if not pair[1].done), (subscription, child)]

    def touch(self) -> None:
        """Hear that what should be stored has changed."""
        if self._keeper is not None:
            self._keeper.touch()

    async def store(self) -> None:
        """Store it now: a process killed in the next moment can go on."""
        if self._keeper is not None:
            await self._keeper.write_in_time()

    async def _call(self, method: str, path: str, body: object = None) -> Response:
        """Send a subscription call: through the middlewares and the rate gate, over this connection and no later one.

        What holds it back may last longer than the connection, and for the next one other calls are due.
        """
        link = self.supervisor.link

        async def send(request: Request) -> Response:
            if self.supervisor.link is not link:
                raise NotConnected("the connection that the call was meant for is gone")
            return await self.rest.send(request)

        return await self._rc.send(self._request(method, path, body), transport=send)

    def _request(self, method: str, path: str, body: object = None) -> Request:
        json = UNSET if body is None else body
        return Request(method, path, json=json, timeout=self._settings.request_timeout)

    def _suspended(self) -> None:
        async def check() -> None:
            try:
                await self._rc.ensure_token()
                await self._driver.ask_the_time()
            except Exception as exc:  # noqa: BLE001 - of a middleware, say; the next call will meet it again
                text = exc if isinstance(exc, RcexError) else type(exc).__name__
                self.telemetry.log.warning("the server was not reached after a suspend: %s", text)

        self.life.spawn(check, "check after a suspend")

    def _is_closing(self) -> bool:
        return self.life.closing

    # -- stopping --------------------------------------------------------------------------------------------------

    async def wait_closed(self) -> None:
        """Wait until it is closed.

        Raises:
            Exception: what made the state FAILED.
        """
        await self.supervisor.wait_ended()
        if self.supervisor.status.failure is not None:
            raise self.supervisor.status.failure
        await self.life.wait_closed()

    async def stop(self, *, keep_session: bool, quiet: bool = False) -> None:
        """Close, within `close_timeout` and whatever the state; everybody waits for the one closing.

        Args:
            keep_session: leave session and subscription to the next process, which finds them in the store;
                else delete the subscription and forget the session.
            quiet: see `Life.close`.
        """
        state = SubscriptionState.CLOSED if keep_session else SubscriptionState.REVOKED

        async def farewell() -> None:
            with anyio.move_on_after(self._settings.close_timeout / 5):  # the rest is for deleting
                await self.subscriptions.end_calls()
            if not keep_session or self._keeper is None:  # else the next process does
                self.subscriptions.tell_missed(state)
            await self._delete(self.subscriptions.take_ids(keep_wanted=keep_session))

        async def last() -> None:
            try:
                if self._keeper is not None:
                    await self._keeper.close(keep_session=keep_session, all_delivered=self._all_delivered)
            finally:
                self.telemetry.end_recovery("closed")
                self.subscriptions.close(state)

        await self.life.close(farewell=farewell, drain=self._drain, last=last, quiet=quiet)

    async def _delete(self, subscriptions: Collection[str]) -> None:
        """Delete what would count against the limit for a day; over a dead or full link only HTTPS works."""
        for subscription_id in subscriptions:
            request = self._request("DELETE", f"/restapi/v1.0/subscription/{subscription_id}")
            request.timeout = self._settings.close_timeout * 0.15
            for way in (self.rest.send, None) if self._table.connected else (None,):  # None is HTTPS
                try:
                    await self._rc.send(request, transport=way)
                except RestError as exc:
                    self.telemetry.log.info("a subscription was not deleted: %s", exc)
                except Exception as exc:  # noqa: BLE001 - a middleware may raise anything, which must not stop closing
                    text = exc if isinstance(exc, RcexError) else type(exc).__name__
                    self.telemetry.log.info("a subscription was not deleted that way: %s", text)
                    continue
                break

    async def _drain(self) -> None:
        """Let the callbacks have what is buffered; take them away what they did not get in time, and say so."""
        self._inbox.release()
        self.subscriptions.close_queue()
        try:
            for _, child in self._consumers:
                await child.wait()
        finally:
            self._end_delivery()

    def _end_delivery(self) -> None:
        waiting = [one for one, child in self._consumers if not child.done and not child.runs_caller()]
        interrupted = [one.queue.in_hand for one in waiting if one.queue.in_hand is not None]
        undelivered = [item for one, _ in self._consumers for item in one.queue.queued()]
        for subscription, _ in self._consumers:  # a callback that closes us finishes, and gets no more
            subscription.queue.close(discard=True)
        lost = [*interrupted, *undelivered]
        if lost:
            since = min(notification.made for notification in lost)
            counts = f"{len(undelivered)} notifications not delivered, {len(interrupted)} callbacks cancelled"
            self._announcer.gap(gap_between(since, self.moment().latest, certain=True, reason=f"closed with {counts}"))
        self._all_delivered = not lost and not self._inbox.undelivered()


def _show(direction: str, data: bytes) -> None:
    """Show a frame on stderr, whether logging is configured or not."""
    text = redact(data)
    text = printable(text, most=len(text))  # a frame may hold a line break, and colours
    print(f"rcex_ws {direction} {text}", file=sys.stderr, flush=True)  # noqa: T201 - debug_mode asks for it
