"""What is said over one connection: frames in, answers settled, notifications routed, the session judged.

Made by the driver for each connection and thrown away with it. `received` runs in the reader and never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio

from rcex_ws.connection import Link, Loss, LossKind, Pending, RequestTable, utc_now
from rcex_ws.loop import Signal, now
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.frames import BadFrame, Frame, decode, encode, is_own_id, next_id, read_error
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.models import Events, Outcome, Recovery, read_details
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.session import Outage, Session
from rcex_ws.wsg.subscriptions import Subscriptions

__all__ = ["Common", "WsgConversation"]

logger = logging.getLogger("rcex_ws.wsg")


@dataclass(slots=True, kw_only=True)
class Common:
    """What one connection has in common with the next.

    Attributes:
        session, table, inbox, subscriptions, announcer: see their classes.
        release_timeout: seconds after which delivery goes on though lifecycle handlers still run.
        on_frame: hears that something came, for the store.
        suspended: hears that the machine slept.
        trace: shows a frame in debug mode; None otherwise.
        last_recovery: how the last outage ended.
        closing: whether the application closes.
    """

    session: Session
    table: RequestTable[Frame]
    inbox: Inbox
    subscriptions: Subscriptions
    announcer: Announcer
    release_timeout: float
    on_frame: Callable[[], None]
    suspended: Callable[[], None]
    trace: Callable[[str, bytes], None] | None = None
    last_recovery: Recovery | None = None
    closing: bool = False


class WsgConversation:
    """Talk over one connection.

    Args:
        link: the connection.
        common: what outlives it.
        offered: whether a recovery token was offered for it.
    """

    def __init__(self, link: Link, common: Common, *, offered: bool) -> None:
        self._link = link
        self._common = common
        self._offered = offered
        self._greeted = Signal()
        self._told_ready = False
        self._hold = 0

    # -- in the reader ---------------------------------------------------------------------------------------------

    def received(self, data: bytes, binary: bool) -> None:
        """Take one frame."""
        common = self._common
        if common.trace is not None:
            common.trace("<", data)
        try:
            frame = decode(data)
        except BadFrame as exc:
            common.inbox.unreadable(exc, self._link.last_inbound_at, certain=False)  # it may have been anything
            return
        common.on_frame()
        meta = frame.meta
        kind = meta.type
        if kind != "ServerNotification":
            kind = kind.lower()
        if kind in ("ServerNotification", "servernotification"):
            try:
                common.inbox.take(frame, len(data))
            except BadFrame as exc:
                common.inbox.unreadable(exc, self._link.last_inbound_at, certain=True)
        elif kind == "connectiondetails":
            self._take_details(frame)
            return
        elif not common.table.settle(frame.key, frame) and kind == "error" and not is_own_id(frame.key):
            self._take_error(frame)  # else it is a late answer
        if meta.wsc is not None and common.session.offer_wsc(meta.wsc):
            common.announcer.emit(Events.NEW_WSC, meta.wsc)

    def ponged(self, data: bytes) -> None:
        """Ignore what nobody asked for."""

    def heartbeat(self) -> bytes:
        """Make a Heartbeat; protocol pings do not reset the server's idle timer, these do (ringcentral-python #68)."""
        frame = encode("Heartbeat", next_id("h"))
        if self._common.trace is not None:
            self._common.trace(">", frame)
        return frame

    def suspended(self, seconds: float) -> None:
        """Have the OAuth token checked: it may have expired meanwhile."""
        self._common.suspended()

    def lost(self, loss: Loss) -> None:
        """Fail what waits for an answer, and begin an outage."""
        common = self._common
        common.table.disconnect(RestTransport.lost)
        if self._greeted.is_set():
            since = self._link.last_inbound_at
            common.session.begin_outage(Outage(since=since, lost_at=now(), loss=loss))
            common.announcer.then(partial(common.inbox.release, self._hold))  # `ready` may not get to it any more
        elif self._offered:
            common.session.recovery_died()
        if self._told_ready and not common.closing:
            common.announcer.emit(Events.DISCONNECTED, loss)

    # -- beside the reader -----------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for ConnectionDetails; nothing may be sent before it."""
        self._common.announcer.emit(Events.NEW_WEBSOCKET_OBJECT, self._link)
        await self._greeted.wait()

    async def prepare(self) -> None:
        """Subscribe anew if the session begins empty."""
        common = self._common
        outage = common.session.outage
        if outage is not None:  # not recovered: that would have been concluded at the first frame
            subscribed = common.subscriptions.is_known
            await common.subscriptions.restore()
            self._conclude(subscribed=subscribed)

    async def ready(self) -> None:
        """Tell the application, then let delivery go on; at last clear up behind lost sessions."""
        common = self._common
        self._told_ready = True
        common.announcer.emit(Events.CONNECTION_READY, self._link)
        told = Signal()
        common.announcer.then(told.set)
        with anyio.move_on_after(common.release_timeout) as scope:
            await told.wait()
        if scope.cancelled_caught:
            logger.warning("delivery goes on though a lifecycle handler still runs")
        common.inbox.release(self._hold)
        await common.subscriptions.reassert()
        await common.subscriptions.clear_up()

    # -- what frames mean ------------------------------------------------------------------------------------------

    def _send(self, request: Pending[Frame]) -> None:
        if self._common.trace is not None:
            self._common.trace(">", request.frame)
        self._link.send(request)

    def _take_details(self, frame: Frame) -> None:
        """Take the server's first frame, and with it its word on the recovery."""
        common, session = self._common, self._common.session
        details = read_details(frame.body)
        if self._greeted.is_set():  # a later one only brings a new token (ringcentral-php merges them)
            if frame.meta.wsc is not None and session.offer_wsc(frame.meta.wsc):
                common.announcer.emit(Events.NEW_WSC, frame.meta.wsc)
            return
        session.connected(details, frame.meta.wsc, offered=self._offered)
        self._hold = common.inbox.hold()  # the replay may stand in the same TCP segment
        if frame.meta.wsc is not None:
            common.announcer.emit(Events.NEW_WSC, frame.meta.wsc)
        if session.recovered and session.outage is not None:
            since = session.outage.since
            self._conclude(subscribed=common.inbox.current is not None)
            common.inbox.expect_replay(since, details)
        common.table.connect(self._send, limit=details.max_active_requests)
        self._greeted.set()

    def _take_error(self, frame: Frame) -> None:
        """Take an Error frame: the server closes after it. Before ConnectionDetails it may be about the token."""
        error = read_error(frame.body)
        code = error.error_code or str(frame.meta.status)
        if not self._greeted.is_set() and self._offered:
            if code == "WSG-400":
                self._common.session.decide(Outcome.UNREADABLE, code)
            elif code.startswith("WSG-10"):  # about the session; all else may pass, and the token is still good
                self._common.session.decide(Outcome.REFUSED, code)
        self._link.lose(Loss(LossKind.REFUSED, code, error.message))

    def _conclude(self, *, subscribed: bool) -> None:
        """Say how the outage ended: the gap first, so that the hook can run before anything is delivered."""
        common = self._common
        concluded = common.session.conclude(now(), subscribed=subscribed, until=utc_now())
        if concluded is None:
            return
        recovery, gap = concluded
        if recovery.error_code == "WSG-1003":
            logger.warning("the session belonged to another login; a token_store keeps the login over a restart")
        common.last_recovery = recovery
        common.subscriptions.resumed(recovery)
        common.inbox.reconnected(recovery)
        if gap is not None:
            common.announcer.gap(gap)
        recovered = recovery.outcome is Outcome.RECOVERED
        event = Events.AUTO_RECOVER_SUCCESS if recovered else Events.AUTO_RECOVER_FAILED
        common.announcer.emit(event, self._link)
