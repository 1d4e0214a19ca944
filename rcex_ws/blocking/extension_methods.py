"""Generated from `rcex_ws.wsg.extension.WebSocketExtension` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from rcex_ws.blocking.event_methods import BlockingEventMethods
from rcex_ws.blocking.facade import facade_of
from rcex_ws.blocking.link import Link
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.blocking.subscription import Subscription
from rcex_ws.connection import State, StateReason
from rcex_ws.options import checked
from rcex_ws.rest import Options, Response
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import ConnectionDetails, Recovery
from rcex_ws.wsg.telemetry import Stats

__all__ = ["BlockingExtensionMethods"]


class BlockingExtensionMethods(BlockingEventMethods):
    """An extension that gives a `RingCentral` client a WebSocket which survives everything."""

    @property
    def name(self) -> str:
        """As given."""
        return self._inner.name

    @property
    def enabled(self) -> bool:
        """Whether calls use it; while False they go by HTTPS."""
        return self._inner.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._inner.enabled = enabled

    @property
    def rest_over_websocket(self) -> bool:
        """Whether REST calls go over the socket; can be switched while it runs."""
        return run_sync(lambda: self._inner.rest_over_websocket)

    @rest_over_websocket.setter
    @checked
    def rest_over_websocket(self, rest_over_websocket: bool) -> None:
        run_sync(lambda: setattr(self._inner, "rest_over_websocket", rest_over_websocket))

    @property
    def state(self) -> State:
        """IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        return run_sync(lambda: self._inner.state)

    @property
    def state_reason(self) -> StateReason:
        """The reason for this state: `code` for programs; `text`, which is also its `str`, for people."""
        return run_sync(lambda: self._inner.state_reason)

    @property
    def state_since(self) -> datetime:
        """The time at which it entered this state, by the wall clock; aware."""
        return run_sync(lambda: self._inner.state_since)

    @property
    def next_attempt_at(self) -> datetime | None:
        """The time of the next attempt to connect, by the wall clock; aware; None while none is scheduled."""
        return run_sync(lambda: self._inner.next_attempt_at)

    @property
    def stats(self) -> Stats:
        """Counters since the extension was created; JSON-ready by `msgspec.to_builtins`; readable in any thread."""
        return run_sync(lambda: self._inner.stats)

    @property
    def ws(self) -> Link | None:
        """The connection: `id`, `opened_at`, `abort()`; None while it is lost."""
        found: Link | None = run_sync(lambda: facade_of(self._inner.ws))
        return found

    @property
    def wsc(self) -> Wsc | None:
        """The newest recovery token (`token`, `sequence`), a secret; None while there is none."""
        return run_sync(lambda: self._inner.wsc)

    @property
    def connection_details(self) -> ConnectionDetails | None:
        """The newest ConnectionDetails; defaults before the first connection; None before `install`."""
        return run_sync(lambda: self._inner.connection_details)

    @property
    def subscription(self) -> Subscription | None:
        """The active subscription; None while there is none."""
        found: Subscription | None = run_sync(lambda: facade_of(self._inner.subscription))
        return found

    @property
    def last_recovery(self) -> Recovery | None:
        """How the last outage ended; None before the first."""
        return run_sync(lambda: self._inner.last_recovery)

    def connect(self) -> None:
        """Begin a fresh session, and end the current one if there is one; also works after `revoke()`.

        Raises:
            NotConnected: it is not installed, or its client is closed.
            RcexError: as in `install`.
        """
        run(lambda: self._inner.connect())

    def recover(self) -> Recovery | None:
        """Make one attempt now, with the recovery token; do nothing while connected.

        Returns:
            How the outage ended; None if it was connected already.

        Raises:
            RcexError: the attempt failed.
            NotConnected: the extension is closed; use `connect()`.
        """
        return run(lambda: self._inner.recover())

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Response:
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
        return run(lambda: self._inner.request(method, path, **options))

    def enable(self) -> None:
        """Send REST calls over the socket again."""
        run_sync(lambda: self._inner.enable())

    def disable(self) -> None:
        """Stop sending REST calls over the socket; subscriptions are not affected."""
        run_sync(lambda: self._inner.disable())

    def revoke(self) -> None:
        """Delete the subscription, close, and forget the session; works offline. `connect()` begins a new one."""
        run(lambda: self._inner.revoke())

    def detach(self) -> None:
        """Close, but keep the session for the next process: deliver what is buffered, save, close."""
        run(lambda: self._inner.detach())

    def close(self) -> None:
        """Detach if there is a session_store, otherwise revoke; called by `rc.close()`."""
        run(lambda: self._inner.aclose())

    def wait_closed(self) -> None:
        """Wait until it is closed. If `connect()` reopens it meanwhile, keep waiting.

        Raises:
            RcexError: what made the state FAILED: a refused login or permission, an address that can never work.
            NotConnected: it is not installed.
        """
        run(lambda: self._inner.wait_closed())
