"""The session that outlives connections: its recovery token, and what is known of an outage. Pure, `now` is passed in.

It decides whether the token is offered again, what the server's answer means, and why notifications may be missing.
`Completeness` knows since when; the two outages begin and end side by side.
Facts: known outcomes of recoveries as published by the author of @rc-ex/ws (rc-ws-recover-test), error codes WSG-400,
WSG-1003 and WSG-1005; the window is `recoveryTimeout` of ConnectionDetails, counted from the loss.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct
from msgspec.structs import replace

from rcex_ws.connection import Loss, LossKind
from rcex_ws.readers import printable
from rcex_ws.secret import Secret
from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import ConnectionDetails, Outcome, Recovery

__all__ = ["GapCause", "LastEnd", "Outage", "Session", "gap_after_outage", "in_words"]


class LastEnd(Enum):
    """How the process before a restart ended."""

    CLEAN = auto()  #: with everything processed, and the server knew
    CLOSED = auto()  #: in order, but something was not received, processed or reported
    KILLED = auto()
    UNKNOWN = auto()  #: only its recovery token is known


class Outage(Struct, gc=False):
    """What is known of a time without a connection.

    Attributes:
        lost_at: the event loop's time of the loss; None after a restart, which only wall clocks span: they may have
            been set, so the server decides whether the recovery window is over.
        loss: how the connection ended; None after a restart.
        last_end: how the last process ended; None without a restart.
        attempts: number of attempts so far.
        first_attempt_at: the event loop's time of the first one; None before it.
        token_offered: whether the attempt under way has the token; if it is cut off, the server may have replayed.
        replay_cut: whether a connection was lost, or an attempt failed, while the server may have been replaying.
        outcome: how the outage ends; None until that is decided.
        error_code: the server's code with the outcome; None if it sent none.
    """

    lost_at: float | None
    loss: Loss | None = None
    last_end: LastEnd | None = None
    attempts: int = 0
    first_attempt_at: float | None = None
    token_offered: bool = False
    replay_cut: bool = False
    outcome: Outcome | None = None
    error_code: str | None = None

    @property
    def why_lost(self) -> str:
        """Why the session is gone, for people; empty if there was no subscription tied to it (WSG-1005)."""
        return "" if self.error_code == "WSG-1005" else self.describe()

    def describe(self) -> str:
        """Return how it ended, in words."""
        code = f" ({self.error_code})" if self.error_code else ""
        return f"session not recovered: {self.outcome and in_words(self.outcome)}{code}"


class GapCause(Struct, frozen=True, gc=False):
    """Why notifications are missing, or may be.

    Attributes:
        reason: for people.
        certain: whether they are.
    """

    reason: str
    certain: bool


class Session:
    """The recovery token and the outages of one session after the other.

    Args:
        wsc: the token of an earlier process, or None.

    Attributes:
        wsc: the newest token; None while there is no session to recover.
        details: ConnectionDetails of the newest connection.
        outage: the current outage, until it is concluded; None while connected, and before the first connection.
        last_recovery: how the last outage ended.
    """

    def __init__(self, wsc: Wsc | None = None) -> None:
        self.wsc = wsc
        self.details = ConnectionDetails()
        self.outage: Outage | None = None
        self.last_recovery: Recovery | None = None
        self._unreadable_in_a_row = 0

    def begin_outage(self, outage: Outage) -> None:
        """Record a loss; an earlier outage that is not concluded yet goes on instead."""
        if self.outage is None:
            self.outage = outage
        if outage.loss is None or outage.loss.kind is not LossKind.UNREADABLE:
            self._unreadable_in_a_row = 0
            return
        self._unreadable_in_a_row += 1
        if self._unreadable_in_a_row > 1:  # the server replays the unreadable frame on every recovery
            self.decide(Outcome.UNREADABLE, str(outage.loss.code))

    def token_to_offer(self, now: float) -> str | None:
        """Return the token for the next attempt, or None to begin a new session."""
        outage = self.outage
        if outage is None:
            return None
        outage.attempts += 1
        if outage.first_attempt_at is None:
            outage.first_attempt_at = now
        if self.wsc is None:
            self.decide(Outcome.REFUSED)  # unless it was decided before
            return None
        if outage.lost_at is not None and now - outage.lost_at > self.details.recovery_timeout:
            self.decide(Outcome.WINDOW_EXCEEDED)
            return None
        outage.token_offered = True
        return Secret(self.wsc.token)

    def seconds_left(self, now: float) -> float:
        """Return for how long the session can still be recovered: zero or less if it cannot, or if there is none.

        Counted from the loss that this side saw, or after a restart, as the loss was earlier, from the first attempt.
        The server counts from the loss that it saw. That of a silent network it may see later, or earlier by the time
        that the heartbeat took to find out: so the end is none to make use of to the last second.
        """
        outage = self.outage
        if outage is None or self.wsc is None or outage.outcome is not None:
            return 0.0
        counted_from = outage.first_attempt_at if outage.lost_at is None else outage.lost_at
        return 0.0 if counted_from is None else counted_from + self.details.recovery_timeout - now

    def end_attempt(self) -> None:
        """Record that an attempt has failed; not called if closing cuts it off."""
        if self.outage is not None:
            self.outage.token_offered = False

    def note_replay_cut(self) -> None:
        """Record that an attempt with a token failed after the server may have begun to replay."""
        if self.outage is not None:
            self.outage.replay_cut = True

    def decide(self, outcome: Outcome, error_code: str | None = None) -> None:
        """Record how the outage ends; the first outcome stays. All but RECOVERED end the session."""
        if outcome is not Outcome.RECOVERED:
            self.wsc = None
        if self.outage is not None and self.outage.outcome is None:  # RECOVERED is concluded at once
            self.outage.outcome, self.outage.error_code = outcome, error_code

    def on_details(self, details: ConnectionDetails, wsc: Wsc | None, *, token_offered: bool) -> None:
        """Handle ConnectionDetails, which decides on the recovery if a token was offered."""
        if details.recovery_state == "Successful":
            self.decide(Outcome.RECOVERED)
        elif token_offered:
            code = details.recovery_error_code
            self.decide(Outcome.REFUSED, None if code is None else printable(code))
        self.details = details
        if wsc is not None:
            self.wsc = wsc  # its sequence starts anew

    def offer_wsc(self, wsc: Wsc) -> bool:
        """Keep the token of a later frame if it is newer; return whether it is."""
        if self.wsc is not None and wsc.sequence <= self.wsc.sequence:
            return False
        self.wsc = wsc
        return True

    @property
    def recovered(self) -> bool:
        """Whether the present connection continues the session from before the outage."""
        return self.outage is not None and self.outage.outcome is Outcome.RECOVERED

    @property
    def may_be_marked_clean(self) -> bool:
        """Whether nothing can be missing up to the last frame, so that the next process may rely on the store."""
        outage = self.outage
        if outage is None:
            return True
        announced = outage.loss is not None and outage.loss.announced
        return not (outage.replay_cut or outage.token_offered) and (outage.last_end is LastEnd.CLEAN or announced)

    def conclude(self, now: float, seconds_away: float | None) -> tuple[Recovery, GapCause | None] | None:
        """End the outage: after a recovery at the server's first frame, otherwise once the new subscription is active.

        Args:
            now: the event loop's time.
            seconds_away: since the last proof, for an outage that began in an earlier process; None if unknown.

        Returns:
            The outcome, and why something may be missing if so; None if there was no session to recover.
        """
        outage, self.outage = self.outage, None
        if outage is None or outage.outcome is None:
            return None
        seconds = seconds_away if outage.lost_at is None else now - outage.lost_at
        self.last_recovery = Recovery(outage.outcome, outage.error_code, seconds, outage.attempts)
        return self.last_recovery, _cause_of_gap(outage)


def in_words(outcome: Outcome) -> str:
    """Return an outcome in words, for people."""
    return "the recovery window is over" if outcome is Outcome.WINDOW_EXCEEDED else str(outcome)


def gap_after_outage(open_gap: OpenGap, cause: GapCause | None) -> OpenGap | None:
    """Return what is missing, or may be, after an outage; None if nothing can be.

    Args:
        open_gap: since when, and whether an earlier process knew of a loss already.
        cause: as `Session.conclude` found it.
    """
    if cause is None and open_gap.certain:
        cause = GapCause("the last process had lost notifications", certain=True)
    if cause is None:
        return None
    return replace(open_gap, certain=cause.certain or open_gap.certain, reason=cause.reason)


def _cause_of_gap(outage: Outage) -> GapCause | None:
    if outage.outcome is not Outcome.RECOVERED:
        return GapCause(outage.describe(), certain=True)
    if outage.loss is not None and outage.loss.kind is LossKind.UNREADABLE:
        return GapCause(f"a message could not be read: {outage.loss}", certain=True)
    # The server buffers from the loss that *it* saw: what it had written before may never have arrived.
    if outage.replay_cut:
        return GapCause("an earlier recovery was cut off while the server may have been replaying", certain=False)
    if outage.loss is not None and not outage.loss.announced:
        return GapCause(f"the connection was lost without warning: {outage.loss}", certain=False)
    if outage.loss is None and outage.last_end is LastEnd.UNKNOWN:
        return GapCause("how the last process ended is not known", certain=False)
    if outage.loss is None and outage.last_end is LastEnd.CLOSED:
        return GapCause("the last process ended before everything was received and processed", certain=False)
    if outage.loss is None and outage.last_end is not LastEnd.CLEAN:
        return GapCause("the last process ended without closing", certain=False)
    return None
