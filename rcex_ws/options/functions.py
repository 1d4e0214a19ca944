"""Classify callables: sync, async or generator function, and what they accept and return. Pure."""

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
    """Return whether an object has a method, as far as inspection can show.

    Args:
        value: the object.
        name: the name of the method.
        awaitable: whether the method must return an awaitable.
        async_context: whether it must return an async context manager.
    """
    method = getattr(value, name, None)
    if not callable(method) or (isinstance(value, type) and not inspect.ismethod(method)):
        return False  # a class in place of its instance: its methods are not bound
    if async_context:
        return not _is_surely_no_async_context(method)
    return not awaitable or not _is_surely_sync(method)


def accepts(function: Any, count: int) -> bool:
    """Return whether a function can be called with `count` arguments, as far as inspection can show."""
    try:
        # The wrapper is what gets called, whatever function it wraps.
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return True  # some functions written in C have no signature
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def is_function(value: object) -> bool:
    """Return whether calling it runs it: it is callable and not a generator function, whose body would never run."""
    inner = unwrapped(value)
    return callable(value) and not inspect.isgeneratorfunction(inner) and not inspect.isasyncgenfunction(inner)


def is_async_function(value: object) -> bool:
    """Return whether it is a function that returns an awaitable, as far as inspection can show."""
    return is_function(value) and not _is_surely_sync(value)


def is_sync_function(value: object) -> bool:
    """Return whether it is a function, and not an async one."""
    return is_function(value) and not inspect.iscoroutinefunction(unwrapped(value))


def _is_surely_sync(value: object) -> bool:
    """Return whether it certainly returns no awaitable; a lambda, or a function in C, might."""
    inner = inspect.unwrap(unwrapped(value))  # a wrapper usually returns what the function returns
    if not inspect.isfunction(inner) or inner.__name__ == "<lambda>":
        return False
    return not inspect.iscoroutinefunction(inner) and not returns_awaitable(inner)


def _is_surely_no_async_context(value: object) -> bool:
    """Return whether it certainly returns no async context manager, as with `@contextmanager` or `async def`."""
    inner = inspect.unwrap(unwrapped(value))
    return inspect.isgeneratorfunction(inner) or inspect.iscoroutinefunction(inner)


def returns_async_context(function: Any) -> bool:
    """Return whether the declared return type is an async context manager."""
    return get_origin(get_type_hints(function).get("return")) is AbstractAsyncContextManager


def returns_awaitable(function: Any) -> bool:
    """Return whether a function is async, or its declared return type may be an awaitable."""
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
    """Return the function inside a partial, a bound method or a callable object."""
    while isinstance(value, partial):
        value = cast("Any", value).func
    if not inspect.isroutine(value) and not isinstance(value, type) and hasattr(value, "__call__"):  # noqa: B004
        value = type(value).__call__
    return getattr(value, "__func__", value)
