"""What can happen to a handler, as it stands in the mailbox of a `CallbackRunner`. Frames stand there as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rcex_ws.loop import Signal, now
from rcex_ws.websocket.frames import Frame

__all__ = ["Connected", "Crash", "Disconnection", "Info", "Item", "Mark", "Stop"]


class Disconnection:
    """The end of a connection, or an attempt that failed; whoever reports it waits for what the handler decides.

    Args:
        reason: for `ondisconnect`.
        delay: seconds to wait before the next attempt, if the handler gives no delay of its own.
        at_least: seconds to wait whatever it gives.

    Attributes:
        reschedule: called with the new delay in seconds when the handler changes its decision; None to ignore that.
    """

    def __init__(self, reason: object, delay: float = 0.0, *, at_least: float = 0.0) -> None:
        self.reason = reason
        self.reschedule: Callable[[float], None] | None = None
        self._delay: float | None = delay
        self._at_least = at_least
        self._since = 0.0  # when it was first decided
        self._decided = Signal()

    def reconnect(self, delay: float | None) -> None:
        """Decide to connect again; may be decided anew while the next attempt is waited for."""
        waited = 0.0
        if self._decided.is_set():
            waited = now() - self._since
        else:
            self._since = now()
        if delay is not None:
            self._delay = max(delay, self._at_least - waited)
            if self.reschedule is not None:
                self.reschedule(self._delay)
        self._decided.set()

    def end(self) -> None:
        """Decide to end."""
        self._delay = None
        self._decided.set()

    @property
    def decided(self) -> float | None:
        """The seconds before the next attempt; None for the end, and while nothing was decided."""
        return self._delay if self._decided.is_set() else None

    async def decision(self) -> float | None:
        """Wait until it is decided."""
        await self._decided.wait()
        return self._delay


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is open."""

    ref: int


@dataclass(frozen=True, slots=True)
class Info:
    """A message for `websocket_info`."""

    message: object


@dataclass(frozen=True, slots=True)
class Crash:
    """Something is broken, and ends it all."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody waits until all that was put before is handled."""

    reached: Signal


class Stop:
    """The end is asked for."""


Item = Frame | Connected | Disconnection | Info | Crash | Mark | Stop
