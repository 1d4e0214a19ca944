"""One life of the extension, from connecting to closing: puts the parts together and owns their tasks.

Made by `WebSocketExtension` for each install or `connect()` and thrown away whole, so that nothing of an old session
can speak for a new one.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

from rcex_ws.connection import EventEmitter, Opener, ReconnectDelays, RequestTable, Supervisor, utc_now
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.rest import UNSET, Request, Response, RingCentral
from rcex_ws.tasks import Child, in_child
from rcex_ws.wsg.announcer import Announcer, GapHook
from rcex_ws.wsg.conversation import Common
from rcex_ws.wsg.driver import WsgDriver
from rcex_ws.wsg.frames import Frame, Wsc, redact
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.keeper import Keeper
from rcex_ws.wsg.models import ConnectionDetails, Gap, SubscriptionInfo, SubscriptionState
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.session import Outage, Session
from rcex_ws.wsg.store import SessionStore, StoredSession
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.subscriptions import Subscriptions

__all__ = ["Engine", "Settings"]

logger = logging.getLogger("rcex_ws.wsg")

#: Uuids kept over a restart: more than the server replays.
_STORED_UUIDS = 500

#: Seconds for cancelled tasks to end and the store to be written, after `close_timeout`.
_LAST_WORDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `WebSocketExtension` that hold for all its life; see there."""

    auto_recover: bool
    debug_mode: bool
    on_gap: GapHook | None
    open_timeout: float
    attempt_timeout: float
    request_timeout: float
    close_timeout: float
    gap_timeout: float
    heartbeat_interval: float
    heartbeat_timeout: float
    reconnect_delays: ReconnectDelays
    max_pending: int
    max_pending_bytes: int
    max_size: int


class Engine:
    """Run one life.

    Args:
        rc: the client.
        emitter: runs the handlers of lifecycle events; outlives this.
        settings: the options.
        store: where the session is kept, or None.
        open_socket: opens a WebSocket.
    """

    def __init__(
        self,
        rc: RingCentral,
        emitter: EventEmitter,
        settings: Settings,
        *,
        store: SessionStore | None,
        open_socket: Opener,
    ) -> None:
        self._rc = rc
        self._emitter = emitter
        self._settings = settings
        self._store = store
        self._children: list[Child] = []
        self._deliveries: list[Child] = []
        self._opened = False
        self._stopped = anyio.Event()

        self._worth_keeping = False
        self._stopped_reading = False
        self._undelivered = 0  # notifications that no consumer took before the end
        announcer = Announcer(emitter, on_gap=settings.on_gap, gap_timeout=settings.gap_timeout)
        self._keeper = None if store is None else Keeper(store, self._snapshot, announcer.error)
        inbox = Inbox(announcer, max_messages=settings.max_pending, max_bytes=settings.max_pending_bytes)
        table: RequestTable[Frame] = RequestTable()
        self._transport = RestTransport(table, rc.server)
        self.subscriptions = Subscriptions(
            inbox,
            announcer,
            call=self._call,
            wait_ready=self.wait_ready,
            deliver=self._deliver,
            changed=self._touch,
            reassert_soon=self._reassert_soon,
        )
        self.common = Common(
            session=Session(),
            table=table,
            inbox=inbox,
            subscriptions=self.subscriptions,
            announcer=announcer,
            release_timeout=settings.gap_timeout + settings.attempt_timeout,
            on_frame=self._touch,
            suspended=self._check_token,
            trace=_trace if settings.debug_mode else None,
        )
        driver = WsgDriver(rc, self.common, attempt_timeout=settings.attempt_timeout, max_size=settings.max_size)
        self.supervisor = Supervisor(
            driver,
            auto_reconnect=settings.auto_recover,
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=settings.heartbeat_interval,
            heartbeat_timeout=settings.heartbeat_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=open_socket,
        )

    # -- starting --------------------------------------------------------------------------------------------------

    async def start(self, wsc_token: str | None = None) -> None:
        """Start the tasks; continue the stored session, or the one of the given token.

        Raises:
            ConfigurationError: another process has the store.
        """
        stored = None
        if self._store is not None:
            stored = await self._store.open()
            self._opened = True
        if stored is not None:
            self._resume(stored)
        elif wsc_token is not None:
            self.common.session.wsc = Wsc(wsc_token)
            self.common.session.begin_outage(Outage(since=None, lost_at=None))
            self.subscriptions.resume(None)
        await self._rc.tasks.start()
        self._spawn(self.common.table.watch_deadlines, "request deadlines")
        if self._keeper is not None:
            self._spawn(self._keeper.run, "session store")
        self._spawn(self.supervisor.run, "supervisor")

    def _resume(self, stored: StoredSession) -> None:
        common = self.common
        for uuid in stored.uuids:
            common.inbox.seen.add(uuid)
        if stored.subscription is None:
            return  # without a subscription there is no session to recover (WSG-1005), and nothing to miss
        common.session.wsc = stored.wsc
        common.session.details = ConnectionDetails(recovery_timeout=stored.recovery_timeout)
        since = datetime.fromtimestamp(stored.last_frame_at, UTC)
        lost_at = anyio.current_time() - (time.time() - stored.last_frame_at)
        common.session.begin_outage(Outage(since=since, lost_at=lost_at, clean=stored.clean))
        self.subscriptions.resume(stored.subscription)

    # -- while it runs ---------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether calls can go over the socket now."""
        return self.supervisor.is_ready

    async def wait_ready(self) -> None:
        """Wait for the connection; see `Supervisor.wait_ready`."""
        await self.supervisor.wait_ready()

    async def subscribe(
        self,
        event_filters: Collection[str],
        callback: Callback | None,
        subscription_info: SubscriptionInfo | Mapping[str, Any] | None,
    ) -> Subscription:
        """Subscribe; when it returns, the store knows: a process killed in the next moment can go on."""
        subscription = await self.subscriptions.subscribe(event_filters, callback, subscription_info)
        if self._keeper is not None:
            await self._keeper.write()
        return subscription

    async def send(self, request: Request) -> Response:
        """Send a call over the socket, now; see `RestTransport.send`."""
        return await self._transport.send(request)

    async def send_when_ready(self, request: Request) -> Response:
        """Send a call over the socket as soon as there is one; what may be repeated is, after a loss.

        Raises:
            RequestLost: the connection went, and the server may have seen a POST or PATCH.
        """
        while True:
            await self.wait_ready()
            try:
                return await self._transport.send(request)
            except NotConnected:
                continue  # it went in this very moment
            except RequestLost as lost:
                if lost.sent and not request.idempotent:
                    raise

    async def _call(self, method: str, path: str, body: object = None) -> Response:
        """Send a subscription call: through the middlewares and the rate gate, over this socket."""
        return await self._rc.send(self._request(method, path, body), transport=self._transport.send)

    def _request(self, method: str, path: str, body: object = None) -> Request:
        json = UNSET if body is None else body
        return Request(method, path, json=json, timeout=self._settings.request_timeout)

    def _deliver(self, subscription: Subscription, after: Subscription | None) -> None:
        async def deliver() -> None:
            await subscription.deliver(after)

        self._deliveries = [child for child in self._deliveries if not child.done]
        self._deliveries.append(self._rc.tasks.spawn(deliver, name="delivery", on_crash=self.supervisor.crashed))

    def _check_token(self) -> None:
        async def check() -> None:
            try:
                await self._rc.ensure_token()
            except RcexError as exc:  # the next call will meet it again
                logger.warning("the access token could not be renewed after a suspend: %s", exc)

        self._spawn(check, "token check")

    def _reassert_soon(self) -> None:
        if not self.common.closing:
            self._spawn(self.subscriptions.reassert, "subscription check")

    def _touch(self) -> None:
        if self._keeper is not None:
            self._keeper.touch()

    def _spawn(self, func: Callable[[], Awaitable[None]], name: str) -> None:
        self._children = [child for child in self._children if not child.done]
        self._children.append(self._rc.tasks.spawn(func, name=name, on_crash=self.supervisor.crashed))

    def _snapshot(self) -> StoredSession | None:
        session, link = self.common.session, self.supervisor.link
        current = self.common.inbox.current
        if current is not None and current.info is not None:
            self._worth_keeping = True
        if session.wsc is None or not self._worth_keeping:  # only a session with a subscription can be recovered
            return None
        last_frame = link.last_inbound_at if link is not None else session.outage and session.outage.since
        return StoredSession(
            wsc=session.wsc,
            subscription=current.info if current is not None else None,
            last_frame_at=last_frame.timestamp() if last_frame else time.time(),
            recovery_timeout=session.details.recovery_timeout,
            clean=self._stopped_reading and session.is_clean and not self._undelivered,
            uuids=self.common.inbox.seen.last(_STORED_UUIDS),
        )

    # -- stopping --------------------------------------------------------------------------------------------------

    async def stop(self, *, keep_session: bool) -> None:
        """Close, within `close_timeout` and whatever the state. Idempotent; safe from inside a handler.

        Args:
            keep_session: leave session and subscription to the next process, which finds them in the store;
                else delete the subscription and forget the session.
        """
        if self.common.closing:
            if not in_child():  # a handler must not wait for what may be waiting for it
                await self._stopped.wait()
            return
        self.common.closing = True
        try:
            with anyio.move_on_after(self._settings.close_timeout, shield=True):
                if not keep_session:
                    await self._delete_subscription()
                await self._disconnect()
                await self._drain()
        finally:
            with anyio.move_on_after(_LAST_WORDS, shield=True):
                await self._end(keep_session=keep_session)
            self._stopped.set()

    async def _delete_subscription(self) -> None:
        subscription = self.common.inbox.current
        if subscription is None or subscription.info is None:
            return
        request = self._request("DELETE", f"/restapi/v1.0/subscription/{subscription.info.id}")
        try:
            await self._rc.send(request, transport=self._transport.send if self.is_ready else None)
        except RcexError as exc:
            logger.info("the subscription was not deleted: %s", exc)

    async def _disconnect(self) -> None:
        self.supervisor.close()
        link = self.supervisor.link
        if link is not None:
            await link.close(1000, "", within=self._settings.close_timeout / 2)

    async def _drain(self) -> None:
        """Let the callbacks have what is buffered."""
        if self.common.inbox.current is not None:
            self.common.inbox.current.queue.close()
        for child in self._deliveries:
            await child.wait()

    async def _end(self, *, keep_session: bool) -> None:
        """End everything, store what the next process needs."""
        self.supervisor.close()
        for child in (*self._children, *self._deliveries):
            child.cancel()
        for child in (*self._children, *self._deliveries):
            await child.wait()
        self._stopped_reading = True
        subscription = self.common.inbox.current
        self._undelivered = 0 if subscription is None else subscription.pending
        if self._undelivered and keep_session:
            reason = f"closed with {self._undelivered} notifications not delivered"
            self.common.announcer.gap(Gap(None, utc_now(), certain=True, reason=reason))
        if self._store is not None and self._opened:
            try:
                if self._keeper is not None and keep_session:
                    await self._keeper.write()
                else:
                    await self._store.clear()
            finally:
                await self._store.close()
        self.subscriptions.end(SubscriptionState.CLOSED if keep_session else SubscriptionState.REVOKED)


def _trace(direction: str, data: bytes) -> None:
    """Show a frame on stderr, whether logging is configured or not."""
    print(f"rcex_ws {direction} {redact(data)}", file=sys.stderr, flush=True)  # noqa: T201 - debug_mode asks for it
