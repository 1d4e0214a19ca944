"""One connection: frames in, answers settled, notifications routed, the recovery of the session judged.

Made by the driver for each connection and discarded with it. `on_message` runs in the reader, on asyncio not a task,
and never waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from msgspec import Struct, field

from rcex_ws.connection import Conversation, Link, Loss, LossKind, Pending, RequestTable
from rcex_ws.errors import BadFrame
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.readers import printable
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap, gap_between
from rcex_ws.wsg.frames import WsgFrame, decode, encode_heartbeat, is_own_id, next_id, read_error
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.models import Events, Outcome, Recovery, parse_time, read_details
from rcex_ws.wsg.questions import Questions
from rcex_ws.wsg.rest_transport import RestTransport
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.session import LastEnd, Outage, Session, gap_after_outage, in_words
from rcex_ws.wsg.subscription_sync import SubscriptionSync
from rcex_ws.wsg.subscriptions import Subscriptions
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["WsgConversation", "WsgShared"]

#: Seconds that `creationTime` may be rounded to: milliseconds were observed, but nothing promises them.
_RESOLUTION = 1.0


class WsgShared(Struct, frozen=True, kw_only=True):
    """What the connections of one runtime share.

    Attributes:
        session, completeness, table, inbox, subscriptions, sync, announcer: see their classes.
        release_timeout: seconds after which delivery resumes even if lifecycle handlers still run.
        heartbeat_interval: seconds after which a server whose notifications prove nothing is sent a question.
        closing: returns whether the application is closing.
        mark_changed: called for each frame, so that the session is stored; None without a store.
        check_after_suspend: called after a suspend; checks the login and the server's time.
        show: prints a frame in debug mode; None otherwise.
        telemetry: log, trace and counters.
    """

    session: Session
    completeness: Completeness
    table: RequestTable[WsgFrame]
    inbox: Inbox
    subscriptions: Subscriptions
    sync: SubscriptionSync
    announcer: Announcer
    release_timeout: float
    heartbeat_interval: float
    closing: Callable[[], bool]
    mark_changed: Callable[[], None] | None
    check_after_suspend: Callable[[], None]
    show: Callable[[str, bytes], None] | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)

    def resume_outage(self, last_end: LastEnd, open_gap: OpenGap) -> None:
        """Continue the outage that began with the end of an earlier process."""
        self.session.begin_outage(Outage(lost_at=None, last_end=last_end))
        self.telemetry.begin_recovery("restart")
        self.completeness.resume(open_gap)


class WsgConversation(Conversation):
    """The gateway's protocol over one connection.

    Args:
        link: the connection.
        shared: what outlives it.
        token_offered: whether a recovery token was offered for it.
        began_at: the loop's time when the attempt began: the server made the connection after that.
        clock_was_read: whether the server's clock was read shortly before that.
    """

    def __init__(
        self, link: Link, shared: WsgShared, *, token_offered: bool, began_at: float, clock_was_read: bool = False
    ) -> None:
        self._link = link
        self._shared = shared
        self._token_offered = token_offered
        self._began_at = began_at
        self._clock_was_read = clock_was_read
        self._greeted = Signal()
        self._announced_ready = False
        self._hold_ticket = 0
        self._now = loop_clock()
        self._questions = Questions(began_at)
        self._date: str | None = None  # the newest `Date` header
        self._recovery: Recovery | None = None  # a success that is not logged yet
        self._restarted = False  # whether its outage began in an earlier process

    # -- in the reader ---------------------------------------------------------------------------------------------

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one frame."""
        shared = self._shared
        if shared.show is not None:
            shared.show("<", data)
        try:
            frame = decode(data)
        except BadFrame as exc:
            self._report_bad_frame(exc, certain=False)  # it may have been anything
            return
        if shared.mark_changed is not None:
            shared.mark_changed()
        meta = frame.meta
        kind = meta.type
        if kind != "ServerNotification":  # spares most frames the `lower`
            kind = kind.lower()
        if kind in ("ServerNotification", "servernotification"):
            try:
                has_timestamp = shared.inbox.receive(frame, len(data), self._link.last_inbound)
                if not has_timestamp:
                    self._ask_now_and_then()
            except BadFrame as exc:
                self._report_bad_frame(exc, certain=True)
        elif kind == "connectiondetails":
            self._on_details(frame)
            return
        else:
            self._on_answer(frame, kind)
            if kind == "heartbeat":
                self._link.heartbeat_answered()
                self._log_recovery()
        if meta.wsc is not None and shared.session.offer_wsc(meta.wsc):
            shared.announcer.new_wsc(meta.wsc)

    def heartbeat(self) -> bytes:
        """Return a Heartbeat: protocol pings do not reset the server's idle timer (ringcentral-python #68)."""
        key = next_id("h")
        frame = encode_heartbeat(key)
        self._questions.sent(key, self._now())
        if self._shared.show is not None:
            self._shared.show(">", frame)
        return frame

    def on_suspended(self, seconds: float) -> None:
        """Widen the bounds of the server's clock; check the server's time, and the login, which may have expired."""
        self._shared.completeness.clock.widen(seconds)
        self._shared.check_after_suspend()

    def on_lost(self, loss: Loss) -> None:
        """Fail the requests without an answer, and begin an outage."""
        shared = self._shared
        shared.telemetry.remember(self._link)
        shared.table.disconnect(RestTransport.lost_error)
        shared.sync.connection_lost()
        if self._greeted.is_set():
            shared.session.begin_outage(
                Outage(lost_at=self._now(), loss=loss, replay_cut=shared.completeness.replaying)
            )
            if not shared.closing():
                shared.telemetry.begin_recovery(str(loss))
            shared.completeness.begin_outage(self._link.last_inbound)
            # `after_ready`, which is cancelled with the connection, may not get to it any more.
            shared.announcer.then(partial(shared.inbox.release, self._hold_ticket))
        elif self._token_offered:
            shared.session.note_replay_cut()
        if self._announced_ready and not shared.closing():
            shared.announcer.emit(Events.DISCONNECTED, loss)

    # -- in the connection's task ----------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for ConnectionDetails; nothing may be sent before."""
        self._shared.announcer.emit(Events.NEW_WEBSOCKET_OBJECT, self._link)
        await self._greeted.wait()

    async def prepare(self) -> None:
        """Subscribe anew if the session was not recovered."""
        shared = self._shared
        outage = shared.session.outage
        if outage is not None:  # not recovered: otherwise it was concluded at the first frame
            # Of a session known by its token alone, `resubscribe` keeps the gap until its filters are known.
            can_miss = shared.sync.has_wanted_filters
            await shared.sync.resubscribe(outage.why_lost)
            self._conclude(shared.completeness.end_outage(self._now()), can_miss=can_miss)

    async def after_ready(self) -> None:
        """Report `connectionReady`, resume delivery once its handlers have run, then sync and clean up."""
        shared = self._shared
        self._announced_ready = True
        shared.announcer.emit(Events.CONNECTION_READY, self._link)
        told = Signal()
        shared.announcer.then(told.set)
        await told.wait(until=self._now() + shared.release_timeout)
        if not told.is_set():
            shared.telemetry.log.warning("delivery goes on though a lifecycle handler still runs")
        shared.inbox.release(self._hold_ticket)
        shared.announcer.gap_calls.connected()
        if shared.completeness.replaying:
            self._link.send_heartbeat(self.heartbeat())  # its answer shows that the replay is finished
        self._log_recovery()
        shared.sync.start()
        await shared.sync.delete_orphans()

    # -- questions and answers -------------------------------------------------------------------------------------

    def _send_request(self, request: Pending[WsgFrame]) -> None:
        self._questions.sent(request.key, self._now())
        if self._shared.show is not None:
            self._shared.show(">", request.frame)
        self._link.send(request)

    def _ask_now_and_then(self) -> None:
        """Send a heartbeat if due: notifications without timestamps prove nothing, but postpone regular heartbeats."""
        if self._now() - self._questions.last_sent_at >= self._shared.heartbeat_interval:
            self._link.send_heartbeat(self.heartbeat())

    def _on_answer(self, frame: WsgFrame, kind: str) -> None:
        key = frame.key
        asked_at = self._questions.settle(key)
        if asked_at is not None:
            completeness = self._shared.completeness
            date = (frame.meta.headers or {}).get("Date")
            if date is not None and date != self._date:  # at most once a second
                self._date = date
                completeness.clock.read_date(date, asked_at=asked_at, got_at=self._now())
            completeness.proven_by_answer(asked_at)
        if not self._shared.table.settle(key, frame) and kind == "error" and not is_own_id(key):
            self._on_error(frame)  # otherwise it is a late answer

    # -- session and recovery --------------------------------------------------------------------------------------

    def _on_details(self, frame: WsgFrame) -> None:
        """Handle the server's first frame, which also says whether the session was recovered."""
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
                got_at=self._now(),
                resolution=_RESOLUTION,
                narrows=self._clock_was_read,
            )
        session.on_details(details, frame.meta.wsc, token_offered=self._token_offered)
        self._hold_ticket = shared.inbox.hold()  # the replay may be in the same TCP segment
        if frame.meta.wsc is not None:
            shared.announcer.new_wsc(frame.meta.wsc)
        if session.recovered:
            open_gap = completeness.recover(self._now(), created=created, buffer_size=details.recovery_buffer_size)
            self._conclude(open_gap, can_miss=shared.sync.can_miss)
        else:
            completeness.begin_session(self._now())
        shared.table.connect(self._send_request, limit=details.max_active_requests)
        shared.telemetry.connected()
        self._greeted.set()

    def _on_error(self, frame: WsgFrame) -> None:
        """Handle an Error frame, after which the server closes; before ConnectionDetails it may concern the token."""
        error = read_error(frame.body)
        code = error.error_code or str(frame.meta.status)
        if not self._greeted.is_set() and self._token_offered:
            if code == "WSG-400":
                self._shared.session.decide(Outcome.UNREADABLE, code)
            elif code.startswith("WSG-10"):  # about the session; other errors may pass, and the token is still good
                self._shared.session.decide(Outcome.REFUSED, printable(code))
        self._link.lose(Loss(LossKind.REFUSED, code, error.message))

    def _conclude(self, open_gap: OpenGap, *, can_miss: bool) -> None:
        """Report how the outage ended: the gap first, so that the hook runs before anything is delivered."""
        shared, server_time = self._shared, self._server_time()
        seconds_away = None if open_gap.since == -math.inf else max(0.0, server_time.earliest - open_gap.since)
        outage = shared.session.outage
        concluded = shared.session.conclude(self._now(), seconds_away)
        if concluded is None:  # pragma: no cover - an outage has its verdict by then
            return
        recovery, cause = concluded
        self._restarted = outage is not None and outage.lost_at is None
        missing = gap_after_outage(open_gap, cause)
        shared.inbox.count_for(recovery)
        shared.telemetry.count_outage(recovery)
        recovered = recovery.outcome is Outcome.RECOVERED
        if recovered:
            self._recovery = recovery
        elif not can_miss:  # otherwise the gap reports it
            why = in_words(recovery.outcome)
            shared.telemetry.log.info("a new session has begun: the last one was not recovered (%s)", why)
        if can_miss and missing is not None:
            shared.announcer.gap(missing.until(server_time))
        event = Events.AUTO_RECOVER_SUCCESS if recovered else Events.AUTO_RECOVER_FAILED
        shared.announcer.emit(event, self._link)

    def _log_recovery(self) -> None:
        """Log a recovery once its replay is finished."""
        recovery = self._recovery
        if recovery is None or self._shared.completeness.replaying or not self._announced_ready:
            return
        self._recovery = None
        self._shared.telemetry.log.info(
            "recovered %s: %d notifications replayed, %d duplicates dropped",
            "the session of the last process" if self._restarted else f"after {recovery.outage:.1f} s",
            recovery.replayed,
            recovery.duplicates,
        )

    def _report_bad_frame(self, error: BadFrame, *, certain: bool) -> None:
        """Report a frame that cannot be read, and the gap if it was a notification, or may have been one."""
        shared = self._shared
        shared.announcer.error(error)
        if shared.sync.can_miss:
            since = shared.completeness.proven(self._link.last_inbound)
            shared.announcer.gap(gap_between(since, self._server_time().latest, certain=certain, reason=str(error)))

    def _server_time(self) -> ServerTime:
        return self._shared.completeness.clock.at(self._now())


def _seconds(text: str) -> float | None:
    parsed = parse_time(text)
    return None if parsed is None else parsed.timestamp()
