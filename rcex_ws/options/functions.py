"""Tell functions apart: those to wait for, those that never wait, those that never begin. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, cast, get_origin, get_type_hints

__all__ = [
    "accepts",
    "has_method",
    "is_async_function",
    "is_function",
    "is_sync_function",
    "returns_async_context",
    "returns_awaitable",
    "unwrapped",
]


def has_method(value: object, name: str, *, awaitable: bool = False, async_context: bool = False) -> bool:
    """Tell whether an object has a method, as far as can be seen.

    Args:
        value: the object.
        name: of the method.
        awaitable: whether it is to give something to wait for.
        async_context: whether it is to give an async context manager.
    """
    method = getattr(value, name, None)
    if not callable(method) or (isinstance(value, type) and not inspect.ismethod(method)):
        return False  # a class where its object is meant has methods, too, but they are bound to nothing
    if async_context:
        return not _is_surely_no_async_context(method)
    return not awaitable or not _is_surely_sync(method)


def accepts(function: Any, count: int) -> bool:
    """Tell whether a function can be called with so many arguments, as far as that can be seen."""
    try:
        # What is called is a decorator's function, whatever it wraps.
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return True  # of what is written in C not everything tells
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def is_function(value: object) -> bool:
    """Tell whether it can be called and does something then: a generator would never begin."""
    inner = unwrapped(value)
    return callable(value) and not inspect.isgeneratorfunction(inner) and not inspect.isasyncgenfunction(inner)


def is_async_function(value: object) -> bool:
    """Tell whether it is a function that gives something to wait for, as far as that can be seen."""
    return is_function(value) and not _is_surely_sync(value)


def is_sync_function(value: object) -> bool:
    """Tell whether it is a function, and not an async one."""
    return is_function(value) and not inspect.iscoroutinefunction(unwrapped(value))


def _is_surely_sync(value: object) -> bool:
    """Tell whether it certainly gives nothing to wait for; a lambda or what is not written in Python may."""
    inner = inspect.unwrap(unwrapped(value))  # a decorator mostly gives what the function gives
    if not inspect.isfunction(inner) or inner.__name__ == "<lambda>":
        return False
    return not inspect.iscoroutinefunction(inner) and not returns_awaitable(inner)


def _is_surely_no_async_context(value: object) -> bool:
    """Tell whether it certainly gives no async context manager: a `@contextmanager` gives one for `with`."""
    inner = inspect.unwrap(unwrapped(value))
    return inspect.isgeneratorfunction(inner) or inspect.iscoroutinefunction(inner)


def returns_async_context(function: Any) -> bool:
    """Tell whether a function is declared to give an async context manager."""
    return get_origin(get_type_hints(function).get("return")) is AbstractAsyncContextManager


def returns_awaitable(function: Any) -> bool:
    """Tell whether a function is async, or is declared to give something to wait for."""
    if inspect.iscoroutinefunction(function):
        return True
    try:
        result = get_type_hints(function).get("return")
    except (NameError, TypeError):
        result = function.__annotations__.get("return")
    if isinstance(result, str):
        return any(word in result for word in ("Awaitable", "Coroutine", "Future", "Task", "Any", "object"))
    kind = get_origin(result) or result
    return kind in (Any, object) or (isinstance(kind, type) and issubclass(kind, Awaitable))


def unwrapped(value: Any) -> Any:
    """Give the function inside of a partial, a bound method, or an object that can be called."""
    while isinstance(value, partial):
        value = cast("Any", value).func
    if not inspect.isroutine(value) and not isinstance(value, type) and hasattr(value, "__call__"):  # noqa: B004
        value = type(value).__call__
    return getattr(value, "__func__", value)
