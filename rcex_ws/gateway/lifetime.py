"""The deadlines of one WebSocket: idle time, absolute age, ping and pong. Pure: `now` is passed in.

Used by `websocket.py` each time a deadline may have passed. Only messages reset the idle timer; protocol pings and
pongs do not (WSG-902, found by users of RingCentral's Python SDK).
"""

from __future__ import annotations

from enum import Enum, auto

from rcex_ws.gateway.options import GatewayOptions

__all__ = ["Due", "Lifetime"]


class Due(Enum):
    """What is due at a given time."""

    NOTHING = auto()
    PING = auto()
    NO_PONG = auto()
    IDLE = auto()
    TOO_OLD = auto()


class Lifetime:
    """The deadlines of one connection.

    Args:
        options: the intervals and timeouts.
        now: the time when the connection opened.
    """

    def __init__(self, options: GatewayOptions, now: float) -> None:
        self._options = options
        self._too_old_at = now + options.absolute_timeout
        self._pong_by: float | None = None
        self._ping_at = now + options.ping_interval
        self._idle_at = now + options.idle_timeout

    def on_message(self, now: float) -> None:
        """Record a message in either direction."""
        self._idle_at = now + self._options.idle_timeout

    def on_pong(self) -> None:
        """Record that the client answered a ping."""
        self._pong_by = None

    def next_deadline(self) -> float:
        """Return when to call `due` again, on the clock of `now`."""
        waiting = self._ping_at if self._pong_by is None else min(self._ping_at, self._pong_by)
        return min(self._too_old_at, self._idle_at, waiting)

    def due(self, now: float) -> Due:
        """Return what is due; a ping counts as sent once it is returned."""
        if self._pong_by is not None and now >= self._pong_by:
            return Due.NO_PONG
        if now >= self._too_old_at:
            return Due.TOO_OLD
        if now >= self._idle_at:
            return Due.IDLE
        if now >= self._ping_at:
            self._ping_at = now + self._options.ping_interval
            if self._pong_by is None:
                self._pong_by = now + self._options.pong_timeout
            return Due.PING
        return Due.NOTHING
