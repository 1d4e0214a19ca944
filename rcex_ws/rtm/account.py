"""What a client has received in its session, and what may be missing. Pure: `now` is passed in.

All times are wall-clock seconds. Three facts decide about a gap: how the former connection ended, which session the new
one has, and what the server says about the events that it no longer has.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from rcex_ws.rtm.resumption import GapNotice, RtmGap, SessionRequest, SessionStart

__all__ = ["MARGIN", "SessionAccount"]

MARGIN = 5.0
"""Seconds for which what a server has sent may be on its way: a frame proves less than what was sent before it came."""

NOT_RESUMABLE = "this server does not resume sessions"
SWITCHED_OFF = "sessions are not resumed, as resume=False"
NEW_SESSION = (
    "a new session, as the client was away for too long, the server was restarted, or this is another one; "
    "what was emitted or pushed may be missing"
)
UNREPEATABLE = "an event among those that were missed is too large for this client, so that it cannot go on after them"


class SessionAccount:
    """The account of one life of a client.

    Args:
        resume: whether the client asks for sessions.

    Attributes:
        ours: whether the server of the current connection, or of the last one, has sessions.
        session: the session; "" while there is none.
        window: for how many seconds after a loss it can be resumed.
        received: how many events were received in it.
        position: of the last published event, or the one that the session began at; "" if there is none.
        decided: whether it is known which session the current connection has, if any.
        resumed: whether it is the one that the connection before it had.
    """

    def __init__(self, *, resume: bool) -> None:
        self.ours: bool = False
        self.session: str = ""
        self.window: float = 0.0
        self.received: int = 0
        self.position: str = ""
        self.decided: bool = False
        self.resumed: bool = False
        self._resume = resume
        self._earlier = False  # a connection before the current one was decided
        self._orderly = False  # the last decided connection was closed by its server so that nothing was lost
        self._heard_at = 0.0  # the last frame of a decided connection
        self._published_at = 0.0  # the last published event, or when the wait for them began
        self._missed_since = math.inf  # while events that were missed since then are still on their way
        self._missed = 0  # the number of these events
        self._wanted_since: float | None = None  # the first subscription
        self._given_up = False  # the session was, as what it would send next can never be received

    # -- what happens --------------------------------------------------------------------------------------------------

    def want(self, now: float) -> None:
        """Record that the application subscribes to an event; before that nothing can be missing."""
        if self._wanted_since is None:
            self._wanted_since = now

    def begin_connection(self) -> None:
        """Record that a connection is open, of which nothing is known yet."""
        self.decided = self.resumed = False

    def begin_session(self, start: SessionStart, now: float) -> list[RtmGap]:
        """Record the session of the current connection; return what may be missing before its first event."""
        missed_since, was_ours, position = self._complete_until(), self.ours, self.position
        self.resumed = start.resumed and start.session == self.session
        self.session, self.window = start.session, start.window
        gaps: list[RtmGap | None] = []
        if start.gap is not None:
            gaps.append(self._gap_of(start.gap, now))
        if not self.resumed:
            self.received, self.position = 0, start.position
            # Published events are repeated from a position, if this client had one.
            unknown = not was_ours or bool(start.position and not position)
            told = start.gap is not None and not start.gap.published
            if self._given_up:
                gaps.append(self.gap(missed_since, now, certain=True, reason=UNREPEATABLE))
            elif unknown or not (self._orderly or told):
                since = self._complete_until(published=unknown)
                gaps.append(self.gap(since, now, published=unknown, reason=NEW_SESSION))
        elif start.position:
            self.position = start.position
        goes_on = self.resumed or bool(position and start.position)
        missed = start.missed if goes_on else 0
        return self._decide(gaps, now, ours=True, goes_on=goes_on, missed=missed, missed_since=missed_since)

    def begin_without_session(self, now: float) -> list[RtmGap]:
        """Record that the current connection has no session; return what may be missing before its first event."""
        since, reason = self._complete_until(published=True), NOT_RESUMABLE if self._resume else SWITCHED_OFF
        self._forget_session()
        return self._decide([self.gap(since, now, reason=reason)], now, ours=False)

    def count(self, position: str | None, now: float) -> float:
        """Record an event, with its position if it was published to the user.

        Returns:
            The moment before which it cannot have happened: until then nothing was missing. One that is repeated is
            older than the frame before it.
        """
        since = self._complete_until(published=position is not None)
        self._heard_at = now
        if self.ours:
            self.received += 1
            if position is not None:
                self.position = position
            if self._missed > 0:
                self._missed -= 1
                self._missed_since = self._missed_since if self._missed else math.inf
            elif position is not None:
                self._published_at = now
        return since

    def hear(self, now: float) -> None:
        """Record anything else that was received."""
        if self.decided:
            self._heard_at = now

    def doubt(self, now: float, *, certain: bool, reason: str) -> list[RtmGap]:
        """Record a frame that cannot be used; return what is missing for it."""
        gap = self.gap(self._complete_until() if self._earlier else now, now, certain=certain, reason=reason)
        self.hear(now)
        return [] if gap is None else [gap]

    def notice(self, notice: GapNotice, now: float) -> list[RtmGap]:
        """Record what the server says to be missing; return it as a gap."""
        gap = self._gap_of(notice, now)
        if notice.published:
            self._published_at = now
        self.position = notice.position or self.position
        self.hear(now)
        return [] if gap is None else [gap]

    def lose(self, *, orderly: bool, too_large: bool = False) -> None:
        """Record the end of the current connection.

        Args:
            orderly: whether the server closed it, after all that it had to send.
            too_large: whether a frame has ended it that is larger than this client receives. One that would be repeated
                over each connection ends the session, or none of them would get beyond it.
        """
        if self.decided:
            self._orderly, self.decided = orderly, False
            if too_large and self._missed > 0:
                self._forget_session()
                self._given_up = True

    # -- what follows --------------------------------------------------------------------------------------------------

    def request(self) -> SessionRequest:
        """Return what to ask for when the next connection is opened."""
        return SessionRequest(self.session, self.received, self.position)

    def gap(
        self, since: float, until: float, *, reason: str, certain: bool = False, published: bool = True
    ) -> RtmGap | None:
        """Return the gap for a period, or None if the application wanted nothing then."""
        if self._wanted_since is None:
            return None
        begin = max(since - MARGIN, self._wanted_since)
        return RtmGap(
            since=datetime.fromtimestamp(begin, UTC),
            until=datetime.fromtimestamp(max(begin, until), UTC),
            certain=certain,
            published=published,
            reason=reason,
        )

    def _complete_until(self, *, published: bool = False) -> float:
        """Return the last moment at which nothing was missing.

        Args:
            published: whether published events may be missing: a server of ours may have got none for a while without
                knowing it, whereas all that it sends itself comes before the frame that was heard last.
        """
        since = min(self._heard_at, self._missed_since)
        return min(since, self._published_at) if published and self.ours else since

    def _forget_session(self) -> None:
        self.session, self.window, self.received, self.position = "", 0.0, 0, ""

    def _gap_of(self, notice: GapNotice, now: float) -> RtmGap | None:
        since = self._complete_until(published=notice.published)
        return self.gap(since, now, certain=notice.certain, published=notice.published, reason=notice.reason)

    def _decide(
        self,
        gaps: list[RtmGap | None],
        now: float,
        *,
        ours: bool,
        goes_on: bool = False,
        missed: int = 0,
        missed_since: float = 0.0,
    ) -> list[RtmGap]:
        first, self._earlier = not self._earlier, True
        self._heard_at = now
        if not goes_on:  # else a published event proves more than the beginning of a connection
            self._published_at = now
        self._missed, self._missed_since = missed, missed_since if missed > 0 else math.inf
        self.ours, self.decided, self._given_up = ours, True, False
        return [] if first else [gap for gap in gaps if gap is not None]
