"""One life of the extension, from connecting to closing: puts the parts together and owns their tasks.

Made by `WebSocketExtension` for each install or `connect()` and thrown away whole, so that nothing of an old session
can speak for a new one.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio

from rcex_ws.connection import EventEmitter, Opener, RequestTable, Supervisor, utc_now
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.loop import Signal
from rcex_ws.rest import UNSET, Request, Response, RestError, RingCentral
from rcex_ws.tasks import Child, in_child
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.conversation import Common
from rcex_ws.wsg.driver import WsgDriver
from rcex_ws.wsg.frames import Frame, Wsc, redact
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.keeper import Keeper
from rcex_ws.wsg.models import Gap, SubscriptionInfo, SubscriptionState
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.session import Outage, Session
from rcex_ws.wsg.settings import Settings
from rcex_ws.wsg.store import SessionStore
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscriptions import Subscriptions

__all__ = ["Engine"]

logger = logging.getLogger("rcex_ws.wsg")


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
        self._settings = settings
        self._children: list[Child] = []
        self._consumers: list[tuple[Subscription, Child]] = []  # those with a callback
        self._supervising: Child | None = None
        self._stopped = Signal()

        announcer = Announcer(emitter, on_gap=settings.on_gap, gap_timeout=settings.gap_timeout)
        inbox = Inbox(announcer, max_messages=settings.max_pending, max_bytes=settings.max_pending_bytes)
        table: RequestTable[Frame] = RequestTable(watch=lambda: self._spawn(table.watch_deadlines, "request deadlines"))
        self._transport = RestTransport(table, rc.server)
        self.subscriptions = Subscriptions(
            SubscriptionApi(self._call),
            inbox,
            announcer,
            check_home=rc.home.check,
            wait_ready=self.wait_ready,
            check_connected=lambda: self.supervisor.check_connected(),
            owner_id=lambda: rc.token.owner_id if rc.token is not None else None,
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
        self._keeper = None if store is None else Keeper(store, self.common, lambda: self.supervisor.link)

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
        if wsc_token is not None and self.common.session.wsc is None:
            self.common.session.wsc = Wsc(wsc_token)
            self.common.session.begin_outage(Outage(since=None, lost_at=None))
            self.subscriptions.resume(None)
        await self._rc.tasks.start()
        if self._keeper is not None:
            self._spawn(self._keeper.run, "session store")
        self._supervising = self._spawn(self.supervisor.run, "supervisor")

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

    def send(self, request: Request) -> Awaitable[Response]:
        """Send a call over the socket, now; see `RestTransport.send`."""
        return self._transport.send(request)

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

        child = self._rc.tasks.spawn(deliver, name="delivery", on_crash=self.supervisor.crashed)
        self._consumers = [*(pair for pair in self._consumers if not pair[1].done), (subscription, child)]

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

    def _spawn(self, func: Callable[[], Awaitable[None]], name: str) -> Child:
        child = self._rc.tasks.spawn(func, name=name, on_crash=self.supervisor.crashed)
        self._children = [*(one for one in self._children if not one.done), child]
        return child

    # -- stopping --------------------------------------------------------------------------------------------------

    async def stop(self, *, keep_session: bool) -> None:
        """Close, within about `close_timeout` and whatever the state. Idempotent; safe from inside a handler.

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
            with self._share(0.6):
                if not keep_session:
                    await self._delete_subscriptions()
                await self._disconnect()
                await self._drain()
        finally:
            all_delivered = self._end_delivery()
            with self._share(0.1):
                await self._end_tasks()
            with self._share(0.2):
                if self._keeper is not None:
                    await self._keeper.close(keep_session=keep_session, all_delivered=all_delivered)
            self.subscriptions.end(SubscriptionState.CLOSED if keep_session else SubscriptionState.REVOKED)
            self._stopped.set()

    def _share(self, part: float) -> anyio.CancelScope:
        """Bound one step by its part of `close_timeout`, also when the caller is cancelled."""
        return anyio.move_on_after(part * self._settings.close_timeout, shield=True)

    async def _delete_subscriptions(self) -> None:
        """Delete what would count against the limit for a day; over a dead or full link only HTTPS works."""
        for subscription_id in self.subscriptions.take_ids():
            request = self._request("DELETE", f"/restapi/v1.0/subscription/{subscription_id}")
            request.timeout = self._settings.close_timeout * 0.15
            for way in (self._transport.send, None) if self.is_ready else (None,):  # None is HTTPS
                try:
                    await self._rc.send(request, transport=way)
                except RestError as exc:
                    logger.info("a subscription was not deleted: %s", exc)
                except RcexError as exc:
                    logger.info("a subscription was not deleted that way: %s", exc)
                    continue
                break

    async def _disconnect(self) -> None:
        """Close the link, and see to it that nothing connects again while the rest is closed."""
        self.supervisor.close()
        link = self.supervisor.link
        if link is not None:
            await link.close(1000, "", within=self._settings.close_timeout * 0.15)
        if self._supervising is not None:
            self._supervising.cancel()
            await self._supervising.wait()

    async def _drain(self) -> None:
        """Let the callbacks have what is buffered."""
        self.common.inbox.release()
        if self.common.inbox.current is not None:
            self.common.inbox.current.queue.close()
        for _, child in self._consumers:
            await child.wait()

    def _end_delivery(self) -> bool:
        """Take the callbacks away what they did not get, and say so; tell whether all was delivered."""
        waiting = [child for _, child in self._consumers if not child.done and not child.encloses_caller()]
        interrupted = sum(one.in_callback and child in waiting for one, child in self._consumers)
        undelivered = [item for one, _ in self._consumers for item in one.queue.waiting()]
        for subscription, _ in self._consumers:  # a callback that closes us finishes, and gets no more
            subscription.queue.close(discard=True)
        if interrupted or undelivered:
            since = datetime.fromtimestamp(min(item.received_at for item in undelivered), UTC) if undelivered else None
            reason = f"closed with {len(undelivered)} notifications not delivered, {interrupted} callbacks cancelled"
            self.common.announcer.gap(Gap(since, utc_now(), certain=True, reason=reason))
        return not (interrupted or undelivered or self.common.inbox.undelivered())

    async def _end_tasks(self) -> None:
        self.supervisor.close()
        children = [*self._children, *(child for _, child in self._consumers)]
        for child in children:
            child.cancel()
        for child in children:
            await child.wait()


def _trace(direction: str, data: bytes) -> None:
    """Show a frame on stderr, whether logging is configured or not."""
    print(f"rcex_ws {direction} {redact(data)}", file=sys.stderr, flush=True)  # noqa: T201 - debug_mode asks for it
