"""A log whose lines say whose they are: several clients of one process share the package's loggers."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["Log", "NamedLog"]

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class NamedLog(logging.LoggerAdapter[logging.Logger]):
    """Put a name before each line.

    Args:
        logger: writes the lines.
        name: whose they are.
    """

    def __init__(self, logger: logging.Logger, name: str) -> None:
        super().__init__(logger)
        self._whose = name

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a line; all other methods come here."""
        if self.isEnabledFor(level):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the line is our caller's
            self.logger.log(level, f"%s: {msg}", self._whose, *args, **kwargs)

    def of(self, logger: logging.Logger) -> NamedLog:
        """Give the log that writes under the same name by another logger."""
        return NamedLog(logger, self._whose)
