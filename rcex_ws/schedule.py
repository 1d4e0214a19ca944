"""The delay before the next attempt. Pure: no clock and no I/O.

The default bands are those of @rc-ex/ws since 2026-08 (ringcentral-extensible#114): long enough that many clients do
not hammer a recovering server, random so that they do not reconnect at the same moment.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable

from rcex_ws.errors import ConfigurationError
from rcex_ws.named_log import Log
from rcex_ws.options import Wait, refusal, required_constraint

__all__ = ["ReconnectDelays", "Schedule", "default_delays", "within_window"]

ReconnectDelays = Callable[[int], float]
"""Return the delay in seconds after the n-th consecutive failure; n starts at 1."""

_BANDS = ((1.0, 1.0), (2.0, 6.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0), (80.0, 120.0))

_WAIT = required_constraint(Wait)

#: A longer delay, in seconds, was probably meant in milliseconds.
_LONG = 600.0

logger = logging.getLogger("rcex_ws.connection")

#: A connection that lasted this long, in seconds, shows that the server works.
STABLE_AFTER = 30.0

#: Seconds that `within_window` treats as so many at least: a wait is not shortened to less than 10.
_LEAST_LEFT = 25.0


def default_delays(failures: int) -> float:
    """Return a random delay after the n-th failure in a row, in seconds: 1; 2-6; 10-20; 20-40; 40-80; then 80-120."""
    import random  # at import time it would load hashlib and more

    return random.uniform(*_BANDS[min(failures, len(_BANDS)) - 1])


def within_window(delay: float, left: float) -> float:
    """Return `delay`, or less if it would use up more than about half of a window in which an attempt is worth more.

    So the attempts become denser towards the end of the window, at random, with 10 s between them at least. When the
    last one of them begins, less than 25 s are left. Half and not all: the end may be earlier than is known here.

    Args:
        delay: as scheduled.
        left: seconds until the last moment at which an attempt should begin; negative once that is over.
    """
    import random  # see above

    most = random.uniform(0.4, 0.6) * max(left, _LEAST_LEFT)
    return min(delay, most) if most <= left else delay


class Schedule:
    """Counter of consecutive failures, and the delay before the next attempt.

    Args:
        delays: returns the delay after the n-th consecutive failure. A function of the application, which may raise or
            return something else: then the default delay applies.
        on_misconfigured: called with the error in that case.
        log: gets a warning, once, when a delay is so long that it was probably meant in milliseconds.
    """

    def __init__(
        self,
        delays: ReconnectDelays = default_delays,
        on_misconfigured: Callable[[ConfigurationError], None] | None = None,
        log: Log = logger,
    ) -> None:
        self._delays = delays
        self._on_misconfigured = on_misconfigured
        self._log = log
        self._warned = False
        self.failures = 0

    def after_failure(self, retry_after: float | None = None) -> float:
        """Count a failed attempt and return the delay after it, at least `retry_after` seconds."""
        self.failures += 1
        return max(self._delay(), retry_after or 0.0)

    def after_loss(self, lived: float) -> float:
        """Return the delay after a connection that lasted `lived` seconds: zero if it was stable.

        Only a stable one resets the count: a server that accepts and drops at once must not be hammered.
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
            if inspect.iscoroutine(given):  # nothing will await it
                given.close()
            return self._default_delay(refusal("reconnect_delays", _WAIT, delay))
        if delay > _LONG and not self._warned:
            self._warned = True
            self._log.warning("reconnect_delays: a wait of %.0f seconds; are these milliseconds?", delay)
        return delay

    def _default_delay(self, error: ConfigurationError) -> float:
        if self._on_misconfigured is not None:
            self._on_misconfigured(error)
        return default_delays(self.failures)
