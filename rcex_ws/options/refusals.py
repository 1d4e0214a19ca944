"""Make the errors that failed checks raise; they show no secrets. Pure."""

from __future__ import annotations

import inspect
from typing import Any

from rcex_ws.errors import ConfigurationError
from rcex_ws.options.constraints import Constraint
from rcex_ws.options.functions import unwrapped
from rcex_ws.secret import Secret, SecretDict

__all__ = ["refusal"]

_MAX_SHOWN = 60
_NUMBERS: tuple[type, ...] = (bool, int, float)


def refusal(name: str, constraint: Constraint, value: object) -> ConfigurationError:
    """Return the error for an argument with an invalid value."""
    why = constraint.fault(value)
    got = _described(value, secret=constraint.secret)
    return ConfigurationError(f"{name}: expected {constraint.expects}, got {got}{'' if why is None else f': {why}'}")


def _function_kind(function: Any) -> str:
    inner = unwrapped(function)
    if inspect.isasyncgenfunction(inner):
        return "async generator function"
    if inspect.isgeneratorfunction(inner):
        return "generator function"
    return "async function" if inspect.iscoroutinefunction(inner) else "function"


def _described(value: object, *, secret: bool) -> str:
    """Return a description of a value: its type, and the value itself if that is a scalar and not a secret."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the {_function_kind(value)} {getattr(value, '__name__', '?')}"
    kind = str if isinstance(value, Secret) else dict if isinstance(value, SecretDict) else type(value)
    if kind not in (*_NUMBERS, str, bytes):
        return f"an object of the type {kind.__module__}.{kind.__qualname__}".replace(" builtins.", " ")
    if secret and kind not in _NUMBERS:
        return f"{kind.__name__} (not shown)"
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        return f"an {kind.__name__} that is very long"
    return f"{kind.__name__} {text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}"
