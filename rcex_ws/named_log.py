"""A log whose lines start with a client's name: the clients of one process share the package's loggers."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["Log", "NamedLog"]


class NamedLog:
    """Prefixes each line with a name: a `logging.LoggerAdapter` in a sixth of the space; an extension has four.

    Args:
        logger: writes the lines.
        name: the prefix.
    """

    __slots__ = ("_logger", "_name")

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name

    def of(self, logger: logging.Logger) -> NamedLog:
        """Return a log with the same name on another logger."""
        return NamedLog(logger, self._name)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is that of `logging`
        """Return whether lines of this level are written."""
        return self._logger.isEnabledFor(level)

    def log(self, level: int, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line."""
        self._write(level, msg, args, kwargs)

    def debug(self, msg: str, *args: object) -> None:
        """Write a line at DEBUG."""
        self._write(logging.DEBUG, msg, args, {})

    def info(self, msg: str, *args: object) -> None:
        """Write a line at INFO."""
        self._write(logging.INFO, msg, args, {})

    def warning(self, msg: str, *args: object) -> None:
        """Write a line at WARNING."""
        self._write(logging.WARNING, msg, args, {})

    def error(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line at ERROR."""
        self._write(logging.ERROR, msg, args, kwargs)

    def exception(self, msg: str, *args: object) -> None:
        """Write a line at ERROR, with the exception that is being handled."""
        self._write(logging.ERROR, msg, args, {"exc_info": True})

    def _write(self, level: int, msg: str, args: tuple[object, ...], kwargs: dict[str, Any]) -> None:
        # stacklevel: the caller of the public method that called this.
        self._logger.log(level, f"%s: {msg}", self._name, *args, stacklevel=3, **kwargs)


Log = logging.Logger | NamedLog
