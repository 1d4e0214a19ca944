"""`RateLimitExtension`: what calls do at RingCentral's rate limit. The counterpart of @rc-ex/rate-limit.

The client's gate knows until when a group of calls may not be sent (`rcex_ws.rest.gate`). Without this extension a call
waits for it as long as its own time-out lasts, and a 429 is raised.
"""

from __future__ import annotations

import logging

import anyio

from rcex_ws.address import may_have_token
from rcex_ws.errors import RateLimited
from rcex_ws.loop import now
from rcex_ws.options import NamesOfJavaScript, Number, Seconds, checked
from rcex_ws.rest.client import RingCentral
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.extensions.repeatable import body_can_be_sent_again, has_own_schedule
from rcex_ws.rest.message import Request, Response, Send

__all__ = ["RateLimitExtension"]

logger = logging.getLogger("rcex_ws.rest")


class RateLimitExtension(NamesOfJavaScript, Extension):
    """Lets calls wait for the rate limit, outside of their time-out, and repeats those that were answered 429.

    A 429 was not executed, so that any method may be repeated. Calls that had to wait are then sent one after the
    other, so that they do not reach the limit again all at once. Calls for a wstoken and about subscriptions are left
    to the `WebSocketExtension`, which has a schedule of its own.

    Args:
        max_retries: how often a call that was answered 429 is repeated.
        max_wait: seconds that a call may spend waiting, in all its attempts.
        rate_limit_window: seconds to wait, doubled each time, after a 429 that says nothing about it.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    @checked
    def __init__(
        self, *, max_retries: Number = 3, max_wait: Seconds = 300.0, rate_limit_window: Seconds = 60.0
    ) -> None:
        self._max_retries = max_retries
        self._max_wait = max_wait
        self._window = rate_limit_window
        self._turn = anyio.Lock()

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Send a call when the rate limit allows it.

        Raises:
            RateLimited: that would take longer than `max_wait`; nothing was sent since the last 429.
            RestError: as always; after `max_retries` also a 429.
        """
        rc = self.client
        if rc is None or has_own_schedule(request) or not _goes_to(rc.server, request.path):
            return await call_next(request)
        retries, deadline = 0, 0.0
        while True:
            waits = rc.gate.may_be_closed and self._is_closed(rc, request)
            if waits:
                deadline = deadline or now() + self._max_wait
                await self._wait_for_turn(rc, request, deadline)
            try:
                if waits and self._is_closed(rc, request):  # by the call before
                    continue
                return await call_next(request)
            except RateLimited:
                if not self._is_closed(rc, request):
                    raise
            except RestError as error:
                if error.status_code != 429 or retries >= self._max_retries or not body_can_be_sent_again(request):
                    raise
                if error.retry_after is None and error.response.headers.get("X-Rate-Limit-Window") is None:
                    rc.gate.hold(request.method, request.path, seconds=self._window * 2**retries, now=now())
                retries += 1
                logger.info("the rate limit was reached, retry %s of %s: %s", retries, self._max_retries, error)
            finally:
                if waits:
                    self._turn.release()

    @staticmethod
    def _is_closed(rc: RingCentral, request: Request) -> bool:
        return rc.gate.delay(request.method, request.path, now=now()) > 0

    async def _wait_for_turn(self, rc: RingCentral, request: Request, deadline: float) -> None:
        """Wait for the gate, then for the calls that have waited longer; the caller releases the turn."""
        logger.info("the rate limit holds %s back", request)
        await rc.gate.wait(request.method, request.path, deadline=deadline)
        with anyio.CancelScope(deadline=deadline) as scope:
            await self._turn.acquire()
        if scope.cancelled_caught:
            raise RateLimited(f"{request}: others wait for the rate limit, too, and longer", retry_after=1.0)


def _goes_to(server: str, path: str) -> bool:
    """Return whether a path or URL is of this server: the limit of another is not RingCentral's."""
    return path.startswith("/") or may_have_token(server, path)
