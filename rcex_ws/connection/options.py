"""Check the options of a client once, by their types. Pure."""

from __future__ import annotations

from typing import Any

from rcex_ws.errors import ConfigurationError

__all__ = ["check_options"]


def check_options(options: Any) -> None:
    """Refuse a value that cannot work; called by the `__post_init__` of a class of options.

    A float is a time in seconds above 0 (or None, where its type says so), an int a number above 0, `ReconnectDelays` a
    function.

    Args:
        options: a Struct or dataclass, whose module has `from __future__ import annotations`: its types are strings.

    Raises:
        ConfigurationError: names the option.
    """
    annotations: dict[str, str] = type(options).__annotations__
    for name, kind in annotations.items():
        value: object = getattr(options, name)
        if kind == "float" and not _is_seconds(value):
            raise ConfigurationError(f"{name}: expected seconds above 0, got {value!r}")
        if kind == "float | None" and not (value is None or _is_seconds(value)):
            raise ConfigurationError(f"{name}: expected None or seconds above 0, got {value!r}")
        if kind == "int" and not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            raise ConfigurationError(f"{name}: expected a whole number above 0, got {value!r}")
        if kind == "bool" and not isinstance(value, bool):
            raise ConfigurationError(f"{name}: expected True or False, got {value!r}")
        if kind == "ReconnectDelays" and not callable(value):
            raise ConfigurationError(
                f"{name}: expected a function that gives the wait in seconds after the n-th failure, got {value!r}"
            )


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
