"""The functions that clients can call, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rcex_ws.errors import ConfigurationError
from rcex_ws.options import check_handler
from rcex_ws.rtm.frames import RESERVED

__all__ = ["RemoteFunctions"]

F = TypeVar("F", bound=Callable[..., object])


class RemoteFunctions:
    """The functions of one server."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., object]] = {}

    def get(self, name: str) -> Callable[..., object] | None:
        """Return a function; None if there is none with this name."""
        return self._functions.get(name)

    def add(self, function: F, name: str | None) -> F:
        """Add a function.

        Raises:
            ConfigurationError: it cannot be called, has no name, or there is one with this name.
        """
        check_handler(function, "function")
        name = getattr(function, "__name__", None) if name is None else name
        if not isinstance(name, str) or not name or name == "<lambda>":
            raise ConfigurationError("name: the function has no name of its own; pass one")
        if name.startswith(RESERVED):
            raise ConfigurationError(f"name: {name!r} is reserved, as all names that begin with {RESERVED!r}")
        if name in self._functions:
            raise ConfigurationError(f"name: there is a function {name!r} already")
        self._functions[name] = function
        return function
