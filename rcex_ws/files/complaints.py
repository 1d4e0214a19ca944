"""Log the failures of a store that its client can do without, without flooding the log."""

from __future__ import annotations

import math

from rcex_ws.errors import RcexError
from rcex_ws.loop import now
from rcex_ws.named_log import Log

__all__ = ["Complaints"]

_PAUSE = 60.0


class Complaints:
    """Logs the failures of one store; repeated ones once a minute.

    Args:
        logger: receives them, with a traceback only for a bug: errors of the system and our own explain themselves.
    """

    def __init__(self, logger: Log) -> None:
        self._logger = logger
        self._repeated_at = -math.inf

    def report(self, what: str, error: Exception) -> None:
        """Log a failure."""
        expected = isinstance(error, OSError | RcexError)
        self._logger.error("%s: %s", what, error, exc_info=None if expected else error)

    def report_repeated(self, what: str, error: Exception) -> bool:
        """Log a failure unless the last was less than a minute ago; return whether it was logged."""
        if now() < self._repeated_at + _PAUSE:
            return False
        self._repeated_at = now()
        self.report(what, error)
        return True
