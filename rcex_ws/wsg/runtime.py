"""One run of the extension, from connecting to closing: puts the parts together and owns their tasks.

Made by `Runtimes` for each install or `connect()` and discarded as a whole, so that nothing of an old session can be
taken for part of a new one.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import anyio
from msgspec.structs import replace

from rcex_ws.caller import CallOrigin, current_caller
from rcex_ws.connection import Life, Opener, RequestTable, Supervisor
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.home import Home
from rcex_ws.loop import now
from rcex_ws.readers import printable
from rcex_ws.rest import UNSET, CoreClient, Request, Response, RestError
from rcex_ws.rest.owner import Owner, owner_of
from rcex_ws.secret import redact
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap
from rcex_ws.wsg.conversation import WsgShared
from rcex_ws.wsg.deliveries import Deliveries
from rcex_ws.wsg.driver import WsgDriver
from rcex_ws.wsg.event_waiters import EventWaiters
from rcex_ws.wsg.frames import Wsc, WsgFrame
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.keeper import Keeper
from rcex_ws.wsg.models import Notification, SubscriptionState
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.server_clock import ServerClock, ServerTime
from rcex_ws.wsg.session import LastEnd, Session
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.store import SessionStore
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_calls import SubscriptionCalls
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.subscription_sync import SubscriptionSync
from rcex_ws.wsg.subscriptions import Subscriptions
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["WsgRuntime"]


class WsgRuntime:
    """One run of the extension.

    Args:
        rc: the client.
        announcer: reports to the application; outlives this.
        settings: the options.
        telemetry: log, trace and counters; outlives this.
        store: where the session is kept; None without one.
        open_socket: opens a WebSocket.
        home: refuses calls from another event loop, thread or process.

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
        rc: CoreClient,
        announcer: Announcer,
        settings: WsgSettings,
        telemetry: Telemetry,
        *,
        store: SessionStore | None,
        open_socket: Opener,
        home: Home,
    ) -> None:
        self._rc = rc
        self._home = home
        self._settings = settings
        self.telemetry = telemetry
        telemetry.drop_queues()
        self.session = Session()
        self._completeness = Completeness(ServerClock(time.time(), now()))
        self._announcer = announcer
        self._table: RequestTable[WsgFrame] = RequestTable(start_watcher=lambda: self.life.watch_deadlines(self._table))
        self.rest = RestTransport(self._table, rc.server, rc.user_agent, telemetry)
        machine: SubscriptionMachine[Subscription] = SubscriptionMachine()
        self._inbox = Inbox(
            machine,
            self._completeness,
            self._announcer,
            on_take=None if store is None else self.mark_changed,
            max_messages=settings.max_pending,
            max_bytes=settings.max_pending_bytes,
            telemetry=telemetry,
        )
        self._deliveries = Deliveries(self._inbox, self._announcer, self.server_time)
        api = SubscriptionApi(self._call, telemetry.trace)
        calls = SubscriptionCalls(self, api, machine, self._completeness, self._announcer)
        self._sync = SubscriptionSync(self, machine, calls, self._completeness, self._announcer)
        self.subscriptions = Subscriptions(self, api, machine, self._inbox, self._sync, self._announcer)
        self._shared = shared = WsgShared(
            session=self.session,
            completeness=self._completeness,
            table=self._table,
            inbox=self._inbox,
            subscriptions=self.subscriptions,
            sync=self._sync,
            announcer=self._announcer,
            release_timeout=settings.gap_timeout + settings.attempt_timeout,
            heartbeat_interval=settings.heartbeat_interval,
            closing=self._is_closing,
            mark_changed=None if store is None else self.mark_changed,
            check_after_suspend=self._check_after_suspend,
            show=partial(_show, telemetry.name) if settings.debug_mode else None,
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
        self._keeper = None if store is None else Keeper(store, shared, lambda: self.last_inbound, self._owner)

    # -- starting --------------------------------------------------------------------------------------------------

    async def start(self, *, wsc_token: str | None, resume: bool) -> None:
        """Start the tasks; continue the stored session, or that of the token.

        Args:
            wsc_token: used if no session is stored.
            resume: False to begin a fresh session whatever is stored.

        Raises:
            ConfigurationError: another process uses the store.
        """
        if self._keeper is not None:
            await self._keeper.open(resume=resume)
            if self.life.closing:  # meanwhile, when there was nothing to close yet
                await self._keeper.close(keep_session=True, all_processed=False)
                return
        if wsc_token is not None and self.session.outage is None:
            self.session.wsc = Wsc(wsc_token)
            self._shared.resume_outage(LastEnd.UNKNOWN, OpenGap(-math.inf))
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
        """The id of the logged-in extension; None if it is not known."""
        return None if self._rc.token is None else self._rc.token.owner_id

    @property
    def waiters(self) -> EventWaiters:
        """The callers of `wait_for`."""
        return self._inbox.waiters

    def behind_handler(self) -> list[Notification] | None:
        """Return what waits behind the handler of notifications that called the current code; None if none did."""
        return self._inbox.undelivered() if self._deliveries.run_caller() else None

    @property
    def last_inbound(self) -> float:
        """The loop's time of the newest frame; now if there is no connection."""
        link = self.supervisor.link
        return now() if link is None else link.last_inbound

    def _owner(self) -> Owner:
        known = Owner() if self._rc.token is None else owner_of(self._rc.token)
        return replace(known, server=self._rc.server, client_id=self._rc.client_id or known.client_id)

    def server_time(self) -> ServerTime:
        """Return the server's time."""
        return self._completeness.clock.at(now())

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
        self._home.check()

    def raise_unless_reconnecting(self) -> None:
        """See `Supervisor.raise_unless_reconnecting`."""
        self.supervisor.raise_unless_reconnecting()

    async def wait_ready(self) -> None:
        """Wait for the connection; see `Supervisor.wait_ready`."""
        await self.supervisor.wait_ready()

    def retry_delay(self, failures: int) -> float:
        """Return the delay in seconds after so many consecutive failures."""
        return self._settings.reconnect_delays(failures)

    def start_call(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        """Start a call in the background for a caller that waits for it, from whatever task.

        Raises:
            NotConnected: the extension is closed.
        """
        if self.life.closing:
            raise NotConnected("the client is closed")
        return self.life.spawn(func, name, needed_to_close=True, caller_waits=True)

    async def send_when_ready(self, request: Request) -> Response:
        """Send a call over the socket as soon as it is ready; repeat it after a loss if that is safe.

        Raises:
            RequestLost: the connection was lost, and the server may have seen a POST or PATCH.
        """
        while True:
            await self.wait_ready()
            try:
                return await self.rest.send(request)
            except NotConnected:
                continue  # it was lost in this very moment
            except RequestLost as lost:
                if lost.sent and not request.idempotent:
                    raise

    def start_delivery(self, subscription: Subscription, after: Subscription | None) -> None:
        """Start delivering to a subscription's callback, once that of `after` has had everything."""
        task = self.life.spawn(partial(subscription.run_callback, after), "delivery", needed_to_close=True)
        self._deliveries.add(subscription, after, task)

    def report(self, error: RcexError) -> None:
        """Report an error by the event `error`."""
        self._announcer.error(error)

    def mark_changed(self) -> None:
        """Record that what is stored has changed; a write follows."""
        if self._keeper is not None:
            self._keeper.mark_changed()

    async def store(self) -> None:
        """Store the session now, so that it can be continued if the process is killed next."""
        if self._keeper is not None:
            await self._keeper.write_in_time()

    async def _call(self, method: str, path: str, body: object = None) -> Response:
        """Send a subscription call through the middlewares and the rate gate, over this connection and no later one.

        They may delay it beyond the end of the connection, and the next one needs other calls.
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

    def _check_after_suspend(self) -> None:
        async def check() -> None:
            try:
                await self._rc.ensure_token()
                await self._driver.ask_the_time()
            except Exception as exc:  # noqa: BLE001 - of a middleware, say; the next call will raise it again
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
        """Close within `close_timeout`, whatever the state; concurrent calls wait for the same closing.

        Args:
            keep_session: leave session and subscription to the next process, which finds them in the store; otherwise
                delete the subscription and forget the session.
            quiet: see `Life.close`.
        """
        state = SubscriptionState.CLOSED if keep_session else SubscriptionState.REVOKED
        self._inbox.waiters.end(NotConnected("the extension was closed"))
        closer = current_caller()

        async def farewell() -> None:
            with anyio.move_on_after(self._settings.close_timeout / 5):  # the rest of the time is for deleting
                await self._sync.operations.end_all()
            if not keep_session or self._keeper is None:  # otherwise the next process does
                self._sync.report_missed(state)
            await self._delete(self._sync.pop_ids(keep_wanted=keep_session))

        async def last() -> None:
            if keep_session and self._keeper is not None and not self._deliveries.all_processed:
                self.telemetry.log.warning("closing before everything was processed; the next process is told")
            elif self._inbox.in_hand():  # what nobody has taken was left on purpose
                self.telemetry.log.warning(
                    "closing before what was in hand was processed; nobody is told, as no session is kept"
                )
            try:
                if self._keeper is not None:
                    await self._keeper.close(keep_session=keep_session, all_processed=self._deliveries.all_processed)
            finally:
                self.telemetry.end_recovery("closed")
                self._sync.close(state)

        await self.life.close(farewell=farewell, drain=partial(self._drain, closer), last=last, quiet=quiet)

    async def _delete(self, subscriptions: Collection[str]) -> None:
        """Delete subscriptions that would count against the limit for a day; if the socket fails, try HTTPS."""
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

    async def _drain(self, closer: CallOrigin) -> None:
        """Let callbacks and loops have what is buffered; report as a gap what callbacks do not get in time."""
        self._inbox.release()
        self._sync.close_queue()
        await self._deliveries.drain(closer)


def _show(name: str, direction: str, data: bytes) -> None:
    """Print a frame to stderr, whether logging is configured or not."""
    text = redact(data)
    text = printable(text, most=len(text))  # a frame may contain line breaks and escape sequences
    print(f"rcex_ws {name!r} {direction} {text}", file=sys.stderr, flush=True)  # noqa: T201 - debug_mode requests it
