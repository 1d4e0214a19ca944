"""The logger of a client: one of its own, the application's, or one that calls a function."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count

from rcex_ws.errors import ConfigurationError

__all__ = ["Log", "make_logger"]

Log = logging.Logger | Callable[[int, str], object]
"""A logger, or a function called with a level (as in `logging`) and a message."""

_numbers = count(1)


class _UnregisteredLogger(logging.Logger):
    """A logger that `logging` does not keep for ever; not notified of level changes either, so it caches no levels."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is that of `logging`
        return not self.disabled and level > self.manager.disable and level >= self.getEffectiveLevel()


class _FunctionHandler(logging.Handler):
    """A handler that calls a function with each message."""

    def __init__(self, function: Callable[[int, str], object]) -> None:
        super().__init__()
        self._function = function

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._function(record.levelno, self.format(record))
        except Exception:  # noqa: BLE001 - a logger must not break its caller; logging reports this on stderr
            self.handleError(record)


def make_logger(log: Log | None, level: int | str | None) -> logging.Logger:
    """Return the logger of one client.

    Args:
        log: the application's logger or function; None for a logger below "rcex_ws.slack".
        level: as in `logging` ("DEBUG", 10); None to leave it unchanged.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    if isinstance(log, logging.Logger):
        logger = log
    elif log is None:
        logger = _UnregisteredLogger(f"rcex_ws.slack.{next(_numbers)}")
        logger.parent = logging.getLogger("rcex_ws.slack")
    elif callable(log):
        logger = _UnregisteredLogger(f"rcex_ws.slack.{next(_numbers)}")  # outside the hierarchy: no other handler
        logger.addHandler(_FunctionHandler(log))
    else:
        raise ConfigurationError(f"logger: expected a logging.Logger or a function (level, message), got {log!r}")
    if level is not None:
        try:
            logger.setLevel(level.upper() if isinstance(level, str) else level)
        except (ValueError, TypeError) as exc:
            raise ConfigurationError(f"log_level: {exc}") from None
    return logger
