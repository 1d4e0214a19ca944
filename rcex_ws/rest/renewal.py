"""The timer that renews tokens before they expire, while an extension is installed.

Started by `rcex_ws.rest.client`; renews through `rcex_ws.rest.auth`.
"""

from __future__ import annotations

import logging
import time

import anyio

from rcex_ws.errors import RcexError
from rcex_ws.rest.token_owner import AnySession

__all__ = ["keep_fresh", "report_crash"]

_RETRY_FIRST, _RETRY_MAX = 2.0, 300.0

logger = logging.getLogger("rcex_ws.rest")


async def keep_fresh(auth: AnySession) -> None:
    """Renew each token before it expires, and sleep in between; run until cancelled."""
    failures, retry_after = 0, 0.0
    while True:
        token, changed = auth.token, auth.token_changed
        if token is None or token.renew_at is None or not auth.can_renew(token):
            await changed.wait()
            continue
        with anyio.move_on_after(max(token.renew_at - time.time(), _retry_delay(failures), retry_after)):
            await changed.wait()
            failures, retry_after = 0, 0.0
            continue
        try:
            await auth.renew(token)
        except RcexError as exc:
            if exc.retryable:
                failures, retry_after = failures + 1, exc.retry_after or 0.0
                logger.warning("renewing the token failed %s times in a row, it will be tried again: %s", failures, exc)
            else:
                logger.error("the session has ended and cannot be renewed, log in again: %s", exc)  # noqa: TRY400
                await changed.wait()


def report_crash(exc: Exception) -> None:
    """Log that the timer crashed."""
    logger.error("the timer that renews the token crashed; tokens are renewed on demand only", exc_info=exc)


def _retry_delay(failures: int) -> float:
    """Return the minimum delay in seconds after a number of consecutive failures."""
    doublings = min(failures - 1, 10)  # after some days the power would overflow a float
    return min(_RETRY_FIRST * 2**doublings, _RETRY_MAX) if failures else 0.0
