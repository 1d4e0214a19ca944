"""`RetryExtension`: repeats calls that failed in passing. The counterpart of @rc-ex/retry."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rcex_ws.errors import RcexError, RequestLost
from rcex_ws.loop import Signal, now
from rcex_ws.options import NamesOfJavaScript, Number, Seconds, Wait, checked, refusal, required_constraint
from rcex_ws.rest.client import RingCentral
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.extensions.repeatable import has_own_schedule, may_repeat
from rcex_ws.rest.message import Request, Response, Send

__all__ = ["RetryDelay", "RetryExtension", "ShouldRetry", "default_retry_delay"]

logger = logging.getLogger("rcex_ws.rest")

ShouldRetry = Callable[[RcexError, int], bool]
"""Return whether to try again after an error, given the number of retries so far."""
RetryDelay = Callable[[RcexError, int], float]
"""Return the seconds to wait before the next attempt, given the number of retries so far."""

#: In seconds, from RingCentral's developer guide, "API error codes": for failed connections and 5xx.
_DELAYS = (2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 30.0)

_WAIT = required_constraint(Wait)


def default_retry_delay(error: RcexError, retries: int) -> float:
    """Return 2, 3, 5, 8, 13, 21, then 30 seconds, each up to a quarter more or less so that clients spread out."""
    import random  # at import time it would load hashlib and more

    return _DELAYS[min(retries, len(_DELAYS) - 1)] * random.uniform(0.75, 1.25)


def _is_retryable(error: RcexError, retries: int) -> bool:
    return error.retryable or isinstance(error, RequestLost)  # one that is not repeatable is not asked about


class RetryExtension(NamesOfJavaScript, Extension):
    """Repeats calls after errors that may pass: 408, 429, 5xx, and networks that fail.

    A call that is not idempotent (POST, PATCH) is repeated only if the server has certainly not executed it: it was
    never sent, or was answered 429. No option changes that. Calls for a wstoken and about subscriptions are left to
    the `WebSocketExtension`, which has a schedule of its own.

    Args:
        max_retries: how often a call is repeated at most.
        max_time: seconds from the first attempt until the last may begin.
        should_retry: decides instead of `error.retryable`; called with the error and the number of retries so far.
        retry_delay: returns the seconds to wait, given the same; a Retry-After or a closed rate gate makes it longer.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    @checked
    def __init__(
        self,
        *,
        max_retries: Number = 3,
        max_time: Seconds = 300.0,
        should_retry: ShouldRetry = _is_retryable,
        retry_delay: RetryDelay = default_retry_delay,
    ) -> None:
        self._max_retries = max_retries
        self._max_time = max_time
        self._should_retry = should_retry
        self._retry_delay = retry_delay
        self._closed = Signal()

    async def install(self, rc: RingCentral) -> None:
        """Begin; called by `rc.install_extension`."""
        self._closed = Signal()

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Send a call, and send it again where that can help.

        Raises:
            RcexError: that of the last attempt.
            ConfigurationError: `retry_delay` returned something other than seconds.
        """
        if has_own_schedule(request):
            return await call_next(request)
        retries, ends = 0, now() + self._max_time
        while True:
            try:
                return await call_next(request)
            except RcexError as error:
                if retries >= self._max_retries or not may_repeat(request, error):
                    raise
                if not self._should_retry(error, retries):
                    raise
                delay = self._delay(request, error, retries)
                if now() + delay >= ends:
                    raise
                retries += 1
                logger.info("retry %s of %s in %.1f s: %s", retries, self._max_retries, delay, error)
                await self._closed.wait(until=now() + delay)
                if self._closed.is_set():
                    raise

    async def aclose(self) -> None:
        """End the waits; the calls raise the errors that they have."""
        self._closed.set()

    def _delay(self, request: Request, error: RcexError, retries: int) -> float:
        delay = self._retry_delay(error, retries)
        if not _WAIT.admits(delay):
            raise refusal("retry_delay", _WAIT, delay) from error
        gate = 0.0 if self.client is None else self.client.gate.delay(request.method, request.path, now=now())
        return max(delay, error.retry_after or 0.0, gate)
