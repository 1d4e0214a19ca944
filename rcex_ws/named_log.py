"""A log whose lines say whose they are: several clients of one process share the package's loggers."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
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
        self._prefix = name.replace("%", "%%")

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Make the line."""
        return f"{self._prefix}: {msg}", kwargs

    def of(self, logger: logging.Logger) -> NamedLog:
        """Give the log that writes under the same name by another logger."""
        return NamedLog(logger, self._whose)
