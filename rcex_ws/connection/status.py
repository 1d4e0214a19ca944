"""The states of a client, the transitions between them, and the reasons for these. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from rcex_ws.connection.loss import utc_now
from rcex_ws.loop import Signal
from rcex_ws.named_log import Log

__all__ = ["TRANSITIONS", "Reason", "State", "StateReason", "Status"]


class State(StrEnum):
    """The states of a client: IDLE, CONNECTING, READY, WAITING, FAILED, CLOSED."""

    IDLE = "idle"  #: not started
    CONNECTING = "connecting"  #: an attempt is under way
    READY = "ready"  #: connected
    WAITING = "waiting"  #: not connected; the next attempt is scheduled, or made on request
    FAILED = "failed"  #: another attempt cannot succeed
    CLOSED = "closed"  #: closed by the application, or ended by the protocol


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.IDLE: frozenset({State.CONNECTING, State.FAILED, State.CLOSED}),
    State.CONNECTING: frozenset({State.READY, State.WAITING, State.FAILED, State.CLOSED}),
    # To CONNECTING when the connection is lost while its replacement is being opened.
    State.READY: frozenset({State.WAITING, State.CONNECTING, State.FAILED, State.CLOSED}),
    State.WAITING: frozenset({State.CONNECTING, State.FAILED, State.CLOSED}),
    State.FAILED: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}
"""Which states may follow which; docs/architecture.md draws it."""


class Reason(StrEnum):
    """Why a client is in its state, as a code for programs."""

    NOT_STARTED = "not_started"
    STARTED = "started"
    CONNECTED = "connected"
    REPLACED = "replaced"  #: connected: the next connection took over before the old one was lost
    LOST = "lost"  #: the connection was lost
    ATTEMPT_FAILED = "attempt_failed"  #: the last attempt failed
    FATAL = "fatal"  #: because of the server or the configuration, another attempt cannot succeed
    BUG = "bug"  #: an unexpected exception, of this library or of a function of the application
    CLOSED = "closed"  #: the application closed the client
    ENDED = "ended"  #: ended by the protocol: after a loss, with reconnecting switched off


class StateReason(Struct, frozen=True, gc=False):
    """Why a client is in its state: a `Reason`, and a text for people.

    Attributes:
        code: the kind of reason.
        text: the details; what `str` returns.
    """

    code: Reason
    text: str = ""

    def __str__(self) -> str:
        return self.text


class Status:
    """The state of one client, with reason and time; CLOSED is final.

    Args:
        log: gets each change, at level DEBUG.

    Attributes:
        state: the current state.
        reason: why it was entered.
        since: when it was entered, by the wall clock.
        failure: the exception that made the state FAILED; it stays when the client is closed after that.
    """

    __slots__ = (
        "_changed",
        "_log",
        "failure",
        "reason",
        "since",
        "state",
    )

    def __init__(self, log: Log) -> None:
        self.state = State.IDLE
        self.reason = StateReason(Reason.NOT_STARTED)
        self.since = utc_now()
        self.failure: Exception | None = None
        self._log = log
        self._changed = Signal()

    @property
    def ended(self) -> bool:
        """Whether the state is CLOSED or FAILED: nothing connects any more."""
        return self.state in (State.CLOSED, State.FAILED)

    def enter(self, state: State, reason: StateReason) -> None:
        """Enter a state, or stay in it for another reason; ignored once CLOSED."""
        if self.state is State.CLOSED:
            return
        if state is not self.state:
            if state not in TRANSITIONS[self.state]:
                raise AssertionError(f"{self.state} cannot become {state}")
            self.since = utc_now()
        self._log.debug("%s -> %s (%s)", self.state, state, reason)
        self.state, self.reason = state, reason
        self._changed.set()
        self._changed = Signal()

    async def wait_changed(self) -> None:
        """Wait until `enter` is called."""
        await self._changed.wait()
