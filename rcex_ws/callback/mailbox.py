"""The items in the mailbox of a `CallbackRunner`, next to the frames themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rcex_ws.loop import Signal, now
from rcex_ws.websocket.frames import Frame

__all__ = ["Connected", "Crash", "Disconnection", "Info", "Item", "Mark", "Stop"]


class Disconnection:
    """The end of a connection, or a failed attempt, about which the handler decides.

    Args:
        reason: the reason passed to `ondisconnect`.
        delay: seconds before the next attempt, if the handler returns no delay.
        at_least: lower bound on a delay that the handler returns, in seconds.

    Attributes:
        reschedule: called with a new delay in seconds when the handler changes its decision; None to ignore that.
    """

    def __init__(self, reason: object, delay: float = 0.0, *, at_least: float = 0.0) -> None:
        self.reason = reason
        self.reschedule: Callable[[float], None] | None = None
        self._delay: float | None = delay
        self._at_least = at_least
        self._since = 0.0  # time of the first decision
        self._decided = Signal()

    def reconnect(self, delay: float | None) -> None:
        """Decide to reconnect; callable again, with another delay, until the next attempt begins."""
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
        """Decide to end the client."""
        self._delay = None
        self._decided.set()

    @property
    def decided(self) -> float | None:
        """Seconds before the next attempt; None for the end, and before the decision."""
        return self._delay if self._decided.is_set() else None

    async def decision(self) -> float | None:
        """Wait for the decision, and return the seconds before the next attempt; None for the end."""
        await self._decided.wait()
        return self._delay


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection has been opened."""

    ref: int


@dataclass(frozen=True, slots=True)
class Info:
    """A message for `websocket_info`."""

    message: object


@dataclass(frozen=True, slots=True)
class Crash:
    """An error that ends the client."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that is reached when all earlier items have been handled."""

    reached: Signal


class Stop:
    """A request to stop."""


Item = Frame | Connected | Disconnection | Info | Crash | Mark | Stop
