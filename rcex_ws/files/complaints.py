"""How it is said that a store fails while its client goes on without it, and how often: people shall read on, too."""

from __future__ import annotations

import math

from rcex_ws.errors import RcexError
from rcex_ws.loop import now
from rcex_ws.named_log import Log

__all__ = ["Complaints"]

_PAUSE = 60.0


class Complaints:
    """Say what one store fails to do; what fails again and again once a minute.

    Args:
        logger: gets it, with a traceback only if the store has a bug: what the system or we refuse says why.
    """

    def __init__(self, logger: Log) -> None:
        self._logger = logger
        self._repeated_at = -math.inf

    def report(self, what: str, error: Exception) -> None:
        """Say it."""
        expected = isinstance(error, OSError | RcexError)
        self._logger.error("%s: %s", what, error, exc_info=None if expected else error)

    def report_repeated(self, what: str, error: Exception) -> bool:
        """Say it unless that was less than a minute ago; tell which."""
        if now() < self._repeated_at + _PAUSE:
            return False
        self._repeated_at = now()
        self.report(what, error)
        return True
