"""When to try again: pure, no clock and no I/O.

The default bands are those of @rc-ex/ws since 2026-08 (ringcentral-extensible#114): long enough that a crowd of clients
does not hammer a server that comes back, random so that they do not come back together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Wait, refusal, required_constraint

__all__ = ["ReconnectDelays", "Schedule", "default_delays"]

ReconnectDelays = Callable[[int], float]
"""Give the wait in seconds after the n-th failure in a row, n from 1."""

_BANDS = ((1.0, 1.0), (2.0, 6.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0), (80.0, 120.0))

_WAIT = required_constraint(Wait)

#: A connection that lived this long, in seconds, has proved that the server is well.
STABLE_AFTER = 30.0


def default_delays(failures: int) -> float:
    """Draw the wait after the n-th failure in a row, in seconds: 1; 2-6; 10-20; 20-40; 40-80; then 80-120."""
    import random  # brings in hashes and more

    return random.uniform(*_BANDS[min(failures, len(_BANDS)) - 1])


class Schedule:
    """Count failures in a row and give the wait before the next attempt.

    Args:
        delays: gives the wait after the n-th failure in a row. It is the application's and may fail: then the default
            wait holds.
        on_misconfigured: hears of that.
    """

    def __init__(
        self,
        delays: ReconnectDelays = default_delays,
        on_misconfigured: Callable[[ConfigurationError], None] | None = None,
    ) -> None:
        self._delays = delays
        self._on_misconfigured = on_misconfigured
        self.failures = 0

    def after_failure(self, retry_after: float | None = None) -> float:
        """Count one failed attempt; `retry_after` (seconds) is a lower bound on the wait."""
        self.failures += 1
        return max(self._delay(), retry_after or 0.0)

    def after_loss(self, lived: float) -> float:
        """Give the wait after a connection that had lived `lived` seconds: none at all if it was stable.

        Only then the count starts anew: a server that accepts and drops at once must not be hammered.
        """
        if lived >= STABLE_AFTER:
            self.failures = 0
            return 0.0
        return self.after_failure()

    def _delay(self) -> float:
        try:
            delay = self._delays(self.failures)
        except Exception as exc:  # noqa: BLE001 - reported
            error = ConfigurationError(f"reconnect_delays: it raised {type(exc).__name__}, so the default wait holds")
            error.__cause__ = exc
            return self._default_delay(error)
        if not _WAIT.admits(delay):
            given: object = delay
            if inspect.iscoroutine(given):  # nobody will wait for it
                given.close()
            return self._default_delay(refusal("reconnect_delays", _WAIT, delay))
        return delay

    def _default_delay(self, error: ConfigurationError) -> float:
        if self._on_misconfigured is not None:
            self._on_misconfigured(error)
        return default_delays(self.failures)
