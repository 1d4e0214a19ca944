"""What is said over one connection: frames in, answers settled, notifications routed, the session judged.

Made by the driver for each connection and thrown away with it. `received` runs in the reader and never waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from msgspec import Struct, field
from msgspec.structs import replace

from rcex_ws.connection import Conversation, Link, Loss, LossKind, Pending, RequestTable
from rcex_ws.errors import BadFrame
from rcex_ws.loop import Signal, loop_clock, now
from rcex_ws.readers import printable
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap, gap_between
from rcex_ws.wsg.frames import WsgFrame, decode, encode_heartbeat, is_own_id, next_id, read_error
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.models import Events, Outcome, Recovery, parse_time, read_details
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.server_clock import Moment
from rcex_ws.wsg.session import Doubt, Outage, Session, in_words
from rcex_ws.wsg.subscriptions import Subscriptions
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["WsgConversation", "WsgShared"]

#: What `creationTime` is rounded to, in seconds: to milliseconds where it was seen, but nothing says so.
_RESOLUTION = 1.0


class WsgShared(Struct, frozen=True, kw_only=True):
    """What the connections of one life share.

    Attributes:
        session, completeness, table, inbox, subscriptions, announcer: see their classes.
        release_timeout: seconds after which delivery goes on though lifecycle handlers still run.
        heartbeat_interval: seconds within which a question is due to a server whose notifications prove nothing.
        closing: tells whether the application closes.
        on_frame: hears that something came, for the store; None without one.
        suspended: hears that the machine slept.
        show: shows a frame in debug mode; None otherwise.
        telemetry: what the operator sees.
    """

    session: Session
    completeness: Completeness
    table: RequestTable[WsgFrame]
    inbox: Inbox
    subscriptions: Subscriptions
    announcer: Announcer
    release_timeout: float
    heartbeat_interval: float
    closing: Callable[[], bool]
    on_frame: Callable[[], None] | None
    suspended: Callable[[], None]
    show: Callable[[str, bytes], None] | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)


class WsgConversation(Conversation):
    """Talk over one connection.

    Args:
        link: the connection.
        shared: what outlives it.
        offered: whether a recovery token was offered for it.
        began_at: the loop's time when this side began to connect: the server made the connection after that.
        dated: whether the server has told its time a moment before that.
    """

    def __init__(self, link: Link, shared: WsgShared, *, offered: bool, began_at: float, dated: bool = False) -> None:
        self._link = link
        self._shared = shared
        self._offered = offered
        self._began_at = began_at
        self._dated = dated
        self._greeted = Signal()
        self._told_ready = False
        self._hold = 0
        self._clock = loop_clock()
        self._asked: dict[str, float] = {}  # questions without an answer: by id, when they were sent; oldest first
        self._last_asked = began_at
        self._date: str | None = None  # of the last answer that had one
        self._recovery: Recovery | None = None  # that the log does not tell of yet

    # -- in the reader ---------------------------------------------------------------------------------------------

    def on_message(self, data: bytes, binary: bool) -> None:
        """Take one frame."""
        shared = self._shared
        if shared.show is not None:
            shared.show("<", data)
        try:
            frame = decode(data)
        except BadFrame as exc:
            self._unreadable(exc, certain=False)  # it may have been anything
            return
        if shared.on_frame is not None:
            shared.on_frame()
        meta = frame.meta
        kind = meta.type
        if kind != "ServerNotification":
            kind = kind.lower()
        if kind in ("ServerNotification", "servernotification"):
            try:
                if not shared.inbox.receive(frame, len(data), self._link.last_inbound):
                    self._ask_now_and_then()
            except BadFrame as exc:
                self._unreadable(exc, certain=True)
        elif kind == "connectiondetails":
            self._take_details(frame)
            return
        else:
            self._take_answer(frame, kind)
            if kind == "heartbeat":
                self._link.heartbeat_answered()
                self._say_recovered()
        if meta.wsc is not None and shared.session.offer_wsc(meta.wsc):
            shared.announcer.new_wsc(meta.wsc)

    def heartbeat(self) -> bytes:
        """Make a Heartbeat; protocol pings do not reset the server's idle timer, these do (ringcentral-python #68)."""
        key = next_id("h")
        frame = encode_heartbeat(key)
        self._note_question(key)
        if self._shared.show is not None:
            self._shared.show(">", frame)
        return frame

    def on_suspended(self, seconds: float) -> None:
        """Have the OAuth token checked: it may have expired meanwhile."""
        self._shared.completeness.clock.suspended(seconds)
        self._shared.suspended()

    def on_lost(self, loss: Loss) -> None:
        """Fail what waits for an answer, and begin an outage."""
        shared = self._shared
        shared.telemetry.remember(self._link)
        shared.table.disconnect(RestTransport.lost_error)
        shared.subscriptions.connection_lost()
        if self._greeted.is_set():
            shared.session.begin_outage(Outage(lost_at=now(), loss=loss, replay_cut=shared.completeness.replaying))
            if not shared.closing():
                shared.telemetry.begin_recovery(str(loss))
            shared.completeness.lost(self._link.last_inbound)
            shared.announcer.then(partial(shared.inbox.release, self._hold))  # `after_ready` may not get to it any more
        elif self._offered:
            shared.session.recovery_died()
        if self._told_ready and not shared.closing():
            shared.announcer.emit(Events.DISCONNECTED, loss)

    # -- beside the reader -----------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for ConnectionDetails; nothing may be sent before it."""
        self._shared.announcer.emit(Events.NEW_WEBSOCKET_OBJECT, self._link)
        await self._greeted.wait()

    async def prepare(self) -> None:
        """Subscribe anew if the session begins empty."""
        shared = self._shared
        outage = shared.session.outage
        if outage is not None:  # not recovered: that would have been concluded at the first frame
            subscribed = shared.subscriptions.is_known
            await shared.subscriptions.resubscribe(outage.why_lost)
            self._conclude(shared.completeness.end_outage(self._clock()), subscribed=subscribed)

    async def after_ready(self) -> None:
        """Tell the application, then let delivery go on; at last clear up behind lost sessions and replays."""
        shared = self._shared
        self._told_ready = True
        shared.announcer.emit(Events.CONNECTION_READY, self._link)
        told = Signal()
        shared.announcer.then(told.set)
        await told.wait(until=self._clock() + shared.release_timeout)
        if not told.is_set():
            shared.telemetry.log.warning("delivery goes on though a lifecycle handler still runs")
        shared.inbox.release(self._hold)
        if shared.completeness.replaying:
            self._link.send_heartbeat(self.heartbeat())  # its answer shows that the replay is over
        self._say_recovered()
        shared.subscriptions.sync_soon()
        await shared.subscriptions.clear_up()

    # -- questions -------------------------------------------------------------------------------------------------

    def _send(self, request: Pending[WsgFrame]) -> None:
        self._note_question(request.key)
        if self._shared.show is not None:
            self._shared.show(">", request.frame)
        self._link.send(request)

    def _note_question(self, key: str) -> None:
        self._last_asked = self._asked[key] = self._clock()

    def _ask_now_and_then(self) -> None:
        """Ask a server that sends notifications without timestamps: they prove nothing, and keep heartbeats away."""
        if self._clock() - self._last_asked >= self._shared.heartbeat_interval:
            self._link.send_heartbeat(self.heartbeat())

    def _take_answer(self, frame: WsgFrame, kind: str) -> None:
        key = frame.key
        if key in self._asked:
            asked_at, completeness = self._forget_questions_until(key), self._shared.completeness
            date = (frame.meta.headers or {}).get("Date")
            if date is not None and date != self._date:  # once a second at most
                self._date = date
                completeness.clock.read_date(date, asked_at=asked_at, got_at=self._clock())
            completeness.answered(asked_at)
        if not self._shared.table.settle(key, frame) and kind == "error" and not is_own_id(key):
            self._take_error(frame)  # else it is a late answer

    def _forget_questions_until(self, key: str) -> float:
        """Forget a question and all that were sent before it: their answers prove less. Give when it was sent."""
        while True:
            oldest = next(iter(self._asked))
            asked_at = self._asked.pop(oldest)
            if oldest == key:
                return asked_at

    # -- what frames mean ------------------------------------------------------------------------------------------

    def _take_details(self, frame: WsgFrame) -> None:
        """Take the server's first frame, and with it its word on the recovery."""
        shared, session = self._shared, self._shared.session
        details = read_details(frame.body)
        if self._greeted.is_set():  # a later one only brings a new token (ringcentral-php merges them)
            if frame.meta.wsc is not None and session.offer_wsc(frame.meta.wsc):
                shared.announcer.new_wsc(frame.meta.wsc)
            return
        completeness = shared.completeness
        created = _seconds(details.creation_time)
        if created is not None:
            completeness.clock.read(
                created,
                asked_at=self._began_at,
                got_at=self._clock(),
                resolution=_RESOLUTION,
                narrows=self._dated,
            )
        session.connected(details, frame.meta.wsc, offered=self._offered)
        self._hold = shared.inbox.hold()  # the replay may stand in the same TCP segment
        if frame.meta.wsc is not None:
            shared.announcer.new_wsc(frame.meta.wsc)
        if session.recovered:
            loss = completeness.recovered(self._clock(), created=created, buffer_size=details.recovery_buffer_size)
            self._conclude(loss, subscribed=shared.subscriptions.can_miss)
        else:
            completeness.new_session(self._clock())
        shared.table.connect(self._send, limit=details.max_active_requests)
        shared.telemetry.connected()
        self._greeted.set()

    def _take_error(self, frame: WsgFrame) -> None:
        """Take an Error frame: the server closes after it. Before ConnectionDetails it may be about the token."""
        error = read_error(frame.body)
        code = error.error_code or str(frame.meta.status)
        if not self._greeted.is_set() and self._offered:
            if code == "WSG-400":
                self._shared.session.decide(Outcome.UNREADABLE, code)
            elif code.startswith("WSG-10"):  # about the session; all else may pass, and the token is still good
                self._shared.session.decide(Outcome.REFUSED, printable(code))
        self._link.lose(Loss(LossKind.REFUSED, code, error.message))

    def _conclude(self, loss: OpenGap, *, subscribed: bool) -> None:
        """Say how the outage ended: the gap first, so that the hook can run before anything is delivered."""
        shared, moment = self._shared, self._moment()
        away = None if loss.since == -math.inf else max(0.0, moment.earliest - loss.since)
        concluded = shared.session.conclude(now(), away)
        if concluded is None:  # pragma: no cover - an outage has its verdict by then
            return
        recovery, doubt = concluded
        if doubt is None and loss.certain:
            doubt = Doubt("the last process had lost notifications", certain=True)
        shared.inbox.reconnected(recovery)
        shared.telemetry.recovered(recovery)
        recovered = recovery.outcome is Outcome.RECOVERED
        if recovered:
            self._recovery = recovery
        elif not subscribed:  # else the gap says it
            why = in_words(recovery.outcome)
            shared.telemetry.log.info("a new session has begun: the last one was not recovered (%s)", why)
        if subscribed and doubt is not None:
            told = replace(loss, certain=doubt.certain or loss.certain, reason=doubt.reason)
            shared.announcer.gap(told.until(moment))
        event = Events.AUTO_RECOVER_SUCCESS if recovered else Events.AUTO_RECOVER_FAILED
        shared.announcer.emit(event, self._link)

    def _say_recovered(self) -> None:
        """Say it once, when all is there that the server had kept."""
        recovery = self._recovery
        if recovery is None or self._shared.completeness.replaying or not self._told_ready:
            return
        self._recovery = None
        self._shared.telemetry.log.info(
            "recovered%s: %d notifications replayed, %d of what came was known already",
            "" if recovery.outage is None else f" after {recovery.outage:.1f} s",
            recovery.replayed,
            recovery.duplicates,
        )

    def _unreadable(self, error: BadFrame, *, certain: bool) -> None:
        """Report what could not be read, which is or may have been a notification."""
        shared = self._shared
        shared.announcer.error(error)
        if shared.subscriptions.can_miss:
            since = shared.completeness.proven(self._link.last_inbound)
            shared.announcer.gap(gap_between(since, self._moment().latest, certain=certain, reason=str(error)))

    def _moment(self) -> Moment:
        return self._shared.completeness.clock.at(self._clock())


def _seconds(text: str) -> float | None:
    parsed = parse_time(text)
    return None if parsed is None else parsed.timestamp()
