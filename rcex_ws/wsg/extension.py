"""`WebSocketExtension`: what the application holds. A thin front: each runtime behind it is a `WsgRuntime`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any, Unpack

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
from rcex_ws.errors import ConfigurationError, NotConnected, RequestLost
from rcex_ws.options import AttributesOfJavaScript, checked, options_of, required_constraint, trimmed
from rcex_ws.rest import CoreClient, Extension, Options, Request, Response, RingCentral, Send
from rcex_ws.secret import hide
from rcex_ws.wsg.event_methods import EventMethods
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.gap_hook import GapHook
from rcex_ws.wsg.models import ConnectionDetails, EventName, Events, Recovery
from rcex_ws.wsg.rest_transport import eligible
from rcex_ws.wsg.runtime import WsgRuntime
from rcex_ws.wsg.runtimes import Runtimes
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.telemetry import Stats, Telemetry

__all__ = ["WebSocketExtension"]

_numbers = count(1)

Handler = Callable[[Any], object]


class WebSocketExtension(AttributesOfJavaScript, HasEvents[Handler], EventMethods, Extension):
    """An extension that gives a `RingCentral` client a WebSocket which survives everything.

    It subscribes, sends REST calls over the socket, recovers its session, and reports what happened. All times are in
    seconds, all sizes in bytes.

    Args:
        rest_over_websocket: send REST calls over the socket where the gateway accepts them; can be switched later.
        auto_recover: reconnect automatically; otherwise the application calls `recover()` after a loss.
        wsc_token: the Wsc of an earlier process's `newWsc`, or its token; the session_store takes precedence.
        debug_mode: write all frames to stderr, without tokens, whether logging is configured or not.
        session_store: keeps session and subscription across restarts.
        start_in_background: `install_extension` returns at once; `subscribe` then waits for the connection.
        repeat_lost: repeat a GET, HEAD, PUT or DELETE by HTTPS if the connection was lost before its answer.
        on_gap: hook, sync or async, called with each `Gap` before newer notifications are delivered; called again while
            it fails. It can also be set later.
        name: identifies the extension in log lines, `stats` and traces; "extension 1" and so on by default.
        trace: sync hook, called with a `TraceEvent` when a step starts, succeeds or fails; see `Step`.
        open_timeout: for all of `install`.
        attempt_timeout: for one attempt: wstoken, TCP, TLS, upgrade, ConnectionDetails.
        request_timeout: for one call made by the extension itself.
        close_timeout: for closing, from any state.
        gap_timeout: for `on_gap`, which is then cancelled, and called again later.
        heartbeat_interval: a Heartbeat is sent after so long without an inbound frame.
        heartbeat_timeout: the connection is dropped after so long without an inbound frame since the Heartbeat.
        reconnect_delays: returns the delay after the n-th consecutive failure, n from 1; by default 1 s, then at random
            2 to 6, 10 to 20, and so on up to 80 to 120. None, yours included, steps over the end of the recovery
            window: one of more than 10 s takes at most about half of what is left of it.
        max_pending: notifications queued for a slow consumer; beyond that the oldest are dropped, as a gap.
        max_pending_bytes: bytes queued likewise (64 MiB).
        max_size: maximum size of an inbound frame (16 MiB).

    Attributes:
        event_emitter: emits the events of `Events`; handlers may be added at any time, even before `install`.
        name: as given.
        open_socket: function that opens a WebSocket; tests in virtual time replace it, see docs/testing.md.
    """

    name: str
    keeps_deadline = True
    open_socket: Opener = staticmethod(open_websocket)
    _event_name = required_constraint(EventName)
    _handler = required_constraint(Handler)

    @options_of(WsgSettings)
    def __init__(self, settings: WsgSettings) -> None:
        self._rest_over_websocket = settings.rest_over_websocket
        self.name = settings.name or f"extension {next(_numbers)}"
        self._telemetry = Telemetry(self.name, settings.trace)
        self._made_at = utc_now()
        log = self._telemetry.log.of(logging.getLogger("rcex_ws.events"))
        self.event_emitter: EventEmitter = EventEmitter(events=Events, log=log)
        self._emitter = self.event_emitter
        wsc = settings.wsc_token
        self._wsc_token = hide(wsc.token if isinstance(wsc, Wsc) else trimmed("wsc_token", wsc))
        runtimes = Runtimes(self._emitter, settings, self._telemetry)
        super().__init__(settings, runtimes, self._telemetry.log)

    def __repr__(self) -> str:
        return f"<WebSocketExtension {self.name!r} {self.state}>"

    @property
    def _runtime(self) -> WsgRuntime | None:
        return self._runtimes.current

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
    def on_gap(self) -> GapHook | None:
        """The hook for gaps, or None; can be set at any time, also before `install`."""
        return self._runtimes.announcer.gap_calls.hook

    @on_gap.setter
    @checked
    def on_gap(self, on_gap: GapHook | None) -> None:
        self._runtimes.announcer.gap_calls.hook = on_gap

    @property
    def state(self) -> State:
        """IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        return State.IDLE if self._runtime is None else self._runtime.supervisor.status.state

    @property
    def state_reason(self) -> StateReason:
        """The reason for this state: `code` for programs; `text`, which is also its `str`, for people."""
        return StateReason(Reason.NOT_STARTED) if self._runtime is None else self._runtime.supervisor.status.reason

    @property
    def state_since(self) -> datetime:
        """The time at which it entered this state, by the wall clock; aware."""
        return self._made_at if self._runtime is None else self._runtime.supervisor.status.since

    @property
    def next_attempt_at(self) -> datetime | None:
        """The time of the next attempt to connect, by the wall clock; aware; None while none is scheduled."""
        return None if self._runtime is None else self._runtime.supervisor.next_attempt_at

    @property
    def stats(self) -> Stats:
        """Counters since the extension was created; JSON-ready by `msgspec.to_builtins`; readable in any thread."""
        return self._telemetry.stats(
            state=self.state,
            since=self.state_since,
            link=None if self._runtime is None else self._runtime.supervisor.link,
            open_gaps=len(self._runtimes.announcer.gap_calls.open),
            https=0 if self._runtimes.rc is None else self._runtimes.rc.https_calls,
        )

    @property
    def ws(self) -> Link | None:
        """The connection: `id`, `opened_at`, `abort()`; None while it is lost."""
        return None if self._runtime is None or not self._runtime.is_ready else self._runtime.supervisor.link

    @property
    def wsc(self) -> Wsc | None:
        """The newest recovery token (`token`, `sequence`), a secret; None while there is none."""
        return None if self._runtime is None else self._runtime.session.wsc

    @property
    def connection_details(self) -> ConnectionDetails | None:
        """The newest ConnectionDetails; defaults before the first connection; None before `install`."""
        return None if self._runtime is None else self._runtime.session.details

    @property
    def subscription(self) -> Subscription | None:
        """The active subscription; None while there is none."""
        return None if self._runtime is None else self._runtime.subscriptions.current

    @property
    def last_recovery(self) -> Recovery | None:
        """How the last outage ended; None before the first."""
        return None if self._runtime is None else self._runtime.session.last_recovery

    # -- connecting ------------------------------------------------------------------------------------------------

    async def install(self, rc: CoreClient) -> None:
        """Connect; called by `rc.install_extension`.

        Args:
            rc: the client; any `CoreClient` will do. A `RingCentral` has to call this itself: it closes the extension.

        Raises:
            ConfigurationError: another process uses the session store, or nobody is logged in; or it was called with a
                `RingCentral` that does not know the extension.
            LoginRefused: the login is no longer valid.
            RestError: the application may not use WebSockets.
            ConnectFailed: there was no connection within `open_timeout`; a retry can help.
        """
        if isinstance(rc, RingCentral) and self.client is not rc:
            raise ConfigurationError("call `await rc.install_extension(ws_ext)` instead of `ws_ext.install(rc)`")
        await self._runtimes.open(rc, self.open_socket, self._wsc_token)

    async def connect(self) -> None:
        """Begin a fresh session, and end the current one if there is one; also works after `revoke()`.

        Raises:
            NotConnected: it is not installed, or its client is closed.
            RcexError: as in `install`.
        """
        self._runtimes.check_home()
        await self._runtimes.reopen(self.open_socket)

    async def recover(self) -> Recovery | None:
        """Make one attempt now, with the recovery token; do nothing while connected.

        Returns:
            How the outage ended; None if it was connected already.

        Raises:
            RcexError: the attempt failed.
            NotConnected: the extension is closed; use `connect()`.
        """
        self._runtimes.check_home()
        runtime = self._runtimes.require_current()
        if runtime.supervisor.is_ready:
            return None
        await runtime.supervisor.attempt_now()
        return runtime.session.last_recovery

    # -- calling ---------------------------------------------------------------------------------------------------

    async def request(self, method: str, path: str, **options: Unpack[Options]) -> Response:
        """Send a call over the socket; unlike `rc.request`, wait for the connection if necessary.

        Args:
            method: GET, POST, ...
            path: "/restapi/...".
            **options: as in `RingCentral.request`.

        Raises:
            ConfigurationError: the gateway does not accept such calls.
            RequestLost: the connection was lost, and the server may have seen a POST or PATCH.
            RcexError: as in `RingCentral.send`.
        """
        options.setdefault("timeout", self._settings.request_timeout)
        headers: object = options.get("headers")
        if headers is None:
            options.pop("headers", None)
        request = Request(method, path, **options)
        self._runtimes.check_home()
        rc, runtime = self._runtimes.require_client(), self._runtimes.require_current()
        if not eligible(request, rc.server):
            raise ConfigurationError(
                f"{request!r} cannot go over the WebSocket; use rc.request, which sends it by HTTPS"
            )
        return await rc.send(request, transport=runtime.send_when_ready)

    def takes(self, request: Request) -> bool:
        """Return whether a call may go over the socket now."""
        runtime = self._runtime
        return (
            self._rest_over_websocket
            and runtime is not None
            and runtime.supervisor.is_ready
            and eligible(request, runtime.rest.server)
        )

    async def transport(self, request: Request, call_next: Send) -> Response:
        """Send a call over the socket; pass it on if the connection is lost and it may be repeated."""
        try:
            return await self._runtimes.require_current().rest.send(request)
        except NotConnected:
            return await call_next(request)
        except RequestLost as lost:
            if lost.sent and not (request.idempotent and self._settings.repeat_lost):
                raise
            return await call_next(request)

    def enable(self) -> None:
        """Send REST calls over the socket again."""
        self.enabled = True

    def disable(self) -> None:
        """Stop sending REST calls over the socket; subscriptions are not affected."""
        self.enabled = False

    # -- closing ---------------------------------------------------------------------------------------------------

    async def revoke(self) -> None:
        """Delete the subscription, close, and forget the session; works offline. `connect()` begins a new one."""
        await self._runtimes.close(keep_session=False)

    async def detach(self) -> None:
        """Close, but keep the session for the next process: deliver what is buffered, save, close."""
        await self._runtimes.close(keep_session=True)

    async def aclose(self) -> None:
        """Detach if there is a session_store, otherwise revoke; called by `rc.aclose()`."""
        await self._runtimes.uninstall(keep_session=self._settings.session_store is not None)

    async def wait_closed(self) -> None:
        """Wait until it is closed. If `connect()` reopens it meanwhile, keep waiting.

        Raises:
            RcexError: what made the state FAILED: a refused login or permission, an address that can never work.
            NotConnected: it is not installed.
        """
        self._runtimes.check_home()
        await self._runtimes.wait_closed()
