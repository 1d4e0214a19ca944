"""`WebSocketExtension`: what the application holds. A thin front; each life behind it is an `WsgRuntime`.

* runtime.py: one life, its parts and their tasks; driver.py: where to connect; conversation.py: one connection
* session.py: the recovery token, and why something may be missing (pure)
* completeness.py, server_clock.py: since when, in the server's time (pure); gaps.py: gaps that wait to be told (pure)
* subscription_machine.py: what is wanted, what the server has, how sure we are (pure); subscriptions.py: the calls of
  the application; subscription_calls.py, subscription_api.py: those to the server; subscription.py: what subscribe()
  gives; operation.py: a call that outlives its caller; host.py: what they need of the life
* inbox.py: notifications on their way in; announcer.py: what is told, in order
* telemetry.py: what an operator sees
* rest_transport.py: REST over the WebSocket; store.py, file_lock.py, stored.py, keeper.py: surviving a restart
* frames.py, filters.py, models.py: pure
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Unpack

import anyio

from rcex_ws.connection import (
    EventEmitter,
    HasEvents,
    Link,
    Opener,
    Reason,
    State,
    StateReason,
    open_websocket,
    utc_now,
)
from rcex_ws.errors import ConfigurationError, NotConnected, RcexError, RequestLost
from rcex_ws.loop import Lock
from rcex_ws.options import NamesOfJavaScript, checked, options_of, required_constraint, trimmed
from rcex_ws.rest import Extension, Options, Request, Response, RingCentral, Send
from rcex_ws.secret import hide
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.filters import EventFilters
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import ConnectionDetails, EventName, Events, Recovery, SubscriptionInfo
from rcex_ws.wsg.rest_transport import eligible
from rcex_ws.wsg.runtime import WsgRuntime
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.telemetry import Stats, Telemetry

__all__ = ["WebSocketExtension"]

_numbers = count(1)

Handler = Callable[[Any], object]


class WebSocketExtension(NamesOfJavaScript, HasEvents[Handler], Extension):
    """An extension that gives a `RingCentral` client a WebSocket which survives everything.

    It subscribes, sends REST calls over the socket, recovers its session, and reports what happened. All times are in
    seconds, all sizes in bytes.

    Args:
        rest_over_websocket: send REST calls over the socket where the gateway can take them; can be switched later.
        auto_recover: reconnect automatically; otherwise the application calls `recover()` after a loss.
        wsc_token: from an earlier process: the Wsc of `newWsc`, or its token; the session_store takes precedence.
        debug_mode: write all frames to stderr, without tokens, whether logging is configured or not.
        session_store: keeps session and subscription across restarts.
        start_in_background: `install_extension` returns at once; `subscribe` then waits for the connection.
        repeat_lost: repeat a GET, HEAD, PUT or DELETE by HTTPS if the connection was lost before its answer.
        on_gap: hook, sync or async, called with each `Gap` before newer notifications are delivered.
        name: identifies the extension in log lines, `stats` and traces; "extension 1" and so on by default.
        trace: sync hook, called with a `TraceEvent` when a step starts, succeeds or fails; see `Step`.
        open_timeout: for all of `install`.
        attempt_timeout: for one attempt: wstoken, TCP, TLS, upgrade, ConnectionDetails.
        request_timeout: for one call made by the extension itself.
        close_timeout: for closing, from any state.
        gap_timeout: for `on_gap`, which is then cancelled.
        heartbeat_interval: send a Heartbeat after so long without an inbound frame.
        heartbeat_timeout: drop the connection after so long without an inbound frame since the Heartbeat.
        reconnect_delays: returns the delay after the n-th consecutive failure, n from 1.
        max_pending: notifications queued for a slow consumer; beyond that the oldest are dropped, as a gap.
        max_pending_bytes: bytes queued likewise (64 MiB).
        max_size: maximum size of an inbound frame (16 MiB).

    Attributes:
        event_emitter: emits the events of `Events`; handlers may be attached at any time, also before install.
        name: as given.
    """

    keeps_deadline = True
    #: Opens a WebSocket; `rcex_ws.testing` brings its own for tests in virtual time.
    open_socket: Opener = staticmethod(open_websocket)
    _event_name = required_constraint(EventName)
    _handler = required_constraint(Handler)

    @options_of(WsgSettings)
    def __init__(self, settings: WsgSettings) -> None:
        self._settings = settings
        self._rest_over_websocket = settings.rest_over_websocket
        self.name = settings.name or f"extension {next(_numbers)}"
        self._telemetry = Telemetry(self.name, settings.trace)
        self._made_at = utc_now()
        log = self._telemetry.log.of(logging.getLogger("rcex_ws.events"))
        self.event_emitter = self._emitter = EventEmitter(events=Events, log=log)
        wsc = settings.wsc_token
        self._wsc_token = hide(wsc.token if isinstance(wsc, Wsc) else trimmed("wsc_token", wsc))
        self._rc: RingCentral | None = None
        self._runtime: WsgRuntime | None = None
        self._emitting: BackgroundTask | None = None
        self._closings = 0  # requested so far; each makes an opening under way obsolete
        self._one_opening_at_a_time = Lock()

    def __repr__(self) -> str:
        return f"<WebSocketExtension {self.name!r} {self.state}>"

    # -- what it is doing ------------------------------------------------------------------------------------------

    @property
    def rest_over_websocket(self) -> bool:
        """Whether REST calls go over the socket; can be switched while it runs."""
        return self._rest_over_websocket

    @rest_over_websocket.setter
    @checked
    def rest_over_websocket(self, rest_over_websocket: bool) -> None:
        self._rest_over_websocket = rest_over_websocket

    @property
    def state(self) -> State:
        """IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        return State.IDLE if self._runtime is None else self._runtime.supervisor.status.state

    @property
    def state_reason(self) -> StateReason:
        """Why it is in this state: `code` for programs; `text`, which is what `str` gives, for people."""
        return StateReason(Reason.NOT_STARTED) if self._runtime is None else self._runtime.supervisor.status.reason

    @property
    def state_since(self) -> datetime:
        """Since when it is in this state, by the wall clock, aware."""
        return self._made_at if self._runtime is None else self._runtime.supervisor.status.since

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the next attempt to connect is due, by the wall clock, aware; None while none is waited for."""
        return None if self._runtime is None else self._runtime.supervisor.next_attempt_at

    @property
    def stats(self) -> Stats:
        """What it has done so far; JSON-ready by `msgspec.to_builtins`. Any thread may ask."""
        return self._telemetry.stats(
            state=self.state,
            since=self.state_since,
            link=None if self._runtime is None else self._runtime.supervisor.link,
            https=0 if self._rc is None else self._rc.https_calls,
        )

    @property
    def ws(self) -> Link | None:
        """The connection: `id`, `opened_at`, `abort()`; None while it is lost."""
        return None if self._runtime is None or not self._runtime.is_ready else self._runtime.supervisor.link

    @property
    def wsc(self) -> Wsc | None:
        """The newest recovery token (`token`, `sequence`); a secret."""
        return None if self._runtime is None else self._runtime.session.wsc

    @property
    def connection_details(self) -> ConnectionDetails | None:
        """What the server said of the connection first; None before the first one."""
        return None if self._runtime is None else self._runtime.session.details

    @property
    def subscription(self) -> Subscription | None:
        """The active subscription."""
        return None if self._runtime is None else self._runtime.subscriptions.current

    @property
    def last_recovery(self) -> Recovery | None:
        """How the last outage ended."""
        return None if self._runtime is None else self._runtime.session.last_recovery

    # -- connecting ------------------------------------------------------------------------------------------------

    async def install(self, rc: RingCentral) -> None:
        """Connect; called by `rc.install_extension`.

        Raises:
            ConfigurationError: another process has the session store, or nobody is logged in.
            LoginRefused: the login is not good any more.
            RestError: the application may not use WebSockets.
            ConnectFailed: no connection within `open_timeout`; trying again can help.
        """
        self._rc = rc
        closings = self._closings
        async with self._one_opening_at_a_time:
            self._check_still_wanted(closings)
            await self._open(self._wsc_token, resume=True)

    async def connect(self) -> None:
        """Begin a fresh session; also after `revoke()`. A session that was there is ended.

        Raises:
            NotConnected: it is not installed, or its client is closed.
            RcexError: as in `install`.
        """
        if self.client is None:
            raise NotConnected("the extension is not installed; use rc.install_extension(extension)")
        self._check_home()
        closings = self._closings
        async with self._one_opening_at_a_time:
            if self._runtime is not None:  # pragma: no branch - who is installed has had a life
                await self._runtime.stop(keep_session=False)
            self._check_still_wanted(closings)
            await self._open(None, resume=False)

    async def recover(self) -> Recovery | None:
        """Make one attempt now, with the recovery token; do nothing when connected.

        Returns:
            How the outage ended; None if there was none.

        Raises:
            RcexError: the attempt failed.
            NotConnected: the extension is closed; use `connect()`.
        """
        self._check_home()
        runtime = self._running()
        await runtime.supervisor.attempt_now()
        return runtime.session.last_recovery

    async def _open(self, wsc_token: str | None, *, resume: bool) -> None:
        rc = self._installed()
        self.event_emitter.start(self._run_handlers)
        runtime = WsgRuntime(
            rc,
            self.event_emitter,
            self._settings,
            self._telemetry,
            store=self._settings.session_store,
            open_socket=self.open_socket,
        )
        self._runtime = runtime
        try:
            await runtime.start(wsc_token=wsc_token, resume=resume)
            if self._settings.start_in_background:
                return
            await runtime.life.wait_open(self._settings.open_timeout)
        except BaseException as exc:
            if isinstance(exc, RcexError) and runtime.supervisor.status.failure is None:  # else the log says it already
                self._telemetry.log.warning("not connected: %s", exc)
            await self._stop(runtime, keep_session=True, quiet=True)
            raise

    # -- subscribing and calling -----------------------------------------------------------------------------------

    @checked
    async def subscribe(
        self,
        event_filters: EventFilters,
        callback: Callback | None = None,
        subscription_info: SubscriptionInfo | Subscription | Mapping[str, Any] | None = None,
    ) -> Subscription:
        """Subscribe; the subscription there was is replaced. Waits for the connection.

        With the same filters only the consumer changes, without a call to the server. A refusal leaves the earlier
        subscription untouched.

        Args:
            event_filters: paths such as "/restapi/v1.0/account/~/extension/~/message-store".
            callback: sync or async, called with one `Notification` after the other; None to iterate.
            subscription_info: of an earlier process, or its Subscription, to continue it; if the server does not know
                it any more, a new one is made and the gap reported.

        Raises:
            ConfigurationError: an argument is wrong.
            NotConnected: the extension is closed, or lost its connection and `auto_recover` is off.
            RestError: the server refused.
        """
        self._check_home()
        info = subscription_info.info if isinstance(subscription_info, Subscription) else subscription_info
        if info is None and subscription_info is not None:
            raise ConfigurationError("subscription_info: the server has not answered this subscription yet")
        return await self._running().subscriptions.subscribe(event_filters, callback, info)

    async def request(self, method: str, path: str, **options: Unpack[Options]) -> Response:
        """Send a call over the socket; wait for the connection if need be, which `rc.request` never does.

        Args:
            method: GET, POST, ...
            path: "/restapi/...".
            **options: as in `RingCentral.request`.

        Raises:
            ConfigurationError: the gateway cannot take such a call.
            RequestLost: the connection went, and the server may have seen a POST or PATCH.
            RcexError: as in `RingCentral.send`.
        """
        options.setdefault("timeout", self._settings.request_timeout)
        headers: object = options.get("headers")
        if headers is None:
            options.pop("headers", None)
        request = Request(method, path, **options)
        self._check_home()
        rc, runtime = self._installed(), self._running()
        if not eligible(request, rc.server):
            raise ConfigurationError(
                f"{request!r} cannot go over the WebSocket; use rc.request, which sends it by HTTPS"
            )
        return await rc.send(request, transport=runtime.send_when_ready)

    def takes(self, request: Request) -> bool:
        """Tell whether a call may go over the socket now."""
        runtime = self._runtime
        return (
            self._rest_over_websocket
            and runtime is not None
            and runtime.supervisor.is_ready
            and eligible(request, runtime.rest.server)
        )

    async def transport(self, request: Request, call_next: Send) -> Response:
        """Send a call over the socket; pass it on when the connection goes and it may be repeated."""
        try:
            return await self._running().rest.send(request)
        except NotConnected:
            return await call_next(request)
        except RequestLost as lost:
            if lost.sent and not (request.idempotent and self._settings.repeat_lost):
                raise
            return await call_next(request)

    def enable(self) -> None:
        """Let REST calls go over the socket again."""
        self.enabled = True

    def disable(self) -> None:
        """Let REST calls go around the socket; events are not touched."""
        self.enabled = False

    # -- closing ---------------------------------------------------------------------------------------------------

    async def revoke(self) -> None:
        """Delete the subscription, close, forget the session; works offline. `connect()` begins a new one."""
        await self._stop(self._runtime, keep_session=False)

    async def detach(self) -> None:
        """Close, but leave the session to the next process: deliver what is buffered, save, close."""
        await self._stop(self._runtime, keep_session=True)

    async def aclose(self) -> None:
        """Detach when there is a session_store, else revoke; called by `rc.aclose()`."""
        await self._stop(self._runtime, keep_session=self._settings.session_store is not None)

    async def wait_closed(self) -> None:
        """Wait until it is closed; `connect()` goes on with a new life, which is waited for, too.

        Raises:
            RcexError: what made the state FAILED: a refused login or permission, an address that can never work.
            NotConnected: it is not installed.
        """
        self._check_home()
        runtime = None
        while runtime is not self._runtime:
            runtime = self._running()
            await runtime.wait_closed()
            async with self._one_opening_at_a_time:  # else `connect` is about to make the next
                pass

    async def _stop(self, runtime: WsgRuntime | None, *, keep_session: bool, quiet: bool = False) -> None:
        self._closings += 1
        if runtime is None:
            return
        self._check_home()
        await runtime.stop(keep_session=keep_session, quiet=quiet)
        if runtime is not self._runtime:
            return  # connect() has begun a new life meanwhile
        last_turns = self._settings.close_timeout / 10
        self.event_emitter.stop(within=last_turns)
        if self._emitting is None:
            return
        with anyio.move_on_after(last_turns, shield=True):
            await self._emitting.wait()
        if not self._emitting.left_to_finish:
            self.event_emitter.cut_short()
        with anyio.move_on_after(last_turns, shield=True):
            await self._emitting.wait()
        if runtime is self._runtime:
            self._emitting.cancel()

    def _run_handlers(self, handlers: Callable[[], Awaitable[None]]) -> None:
        self._emitting = self._installed().tasks.spawn(handlers, name="events", on_crash=self._emitter_crashed)

    def _emitter_crashed(self, exc: Exception) -> None:
        if isinstance(exc, NotConnected):
            return  # a handler ended the program; if the loop goes on, so do the events
        self._telemetry.log.error("the task of lifecycle events crashed", exc_info=exc)

    def _check_still_wanted(self, closings: int) -> None:
        if self._closings != closings or self._installed().closing:
            raise NotConnected("the extension was closed in the meantime")

    def _check_home(self) -> None:
        self._installed().home.check()

    def _installed(self) -> RingCentral:
        if self._rc is None:
            raise NotConnected("the extension is not installed; use rc.install_extension(extension)")
        return self._rc

    def _running(self) -> WsgRuntime:
        self._installed()
        if self._runtime is None:
            raise NotConnected("the extension is not connected; use connect()")
        return self._runtime
