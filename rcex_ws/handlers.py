"""Call handlers, callbacks and hooks of the application, sync or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from rcex_ws.loop import on_trio

__all__ = ["as_error", "call", "finish"]


async def call(handler: Callable[..., object], *args: object) -> object:
    """Call a sync or async handler, and return its result.

    Raises:
        RuntimeError: something that the handler awaited was cancelled; see `finish`.
    """
    result = handler(*args)
    return await finish(result) if inspect.isawaitable(result) else result


async def finish(awaitable: Awaitable[object]) -> object:
    """Return the result of an awaitable that a handler returned.

    Raises:
        RuntimeError: something that the handler awaited was cancelled, but not the task that runs the handler;
            `asyncio.CancelledError` would end that task.
    """
    try:
        return await awaitable
    except asyncio.CancelledError as exc:
        raise as_error(exc) from exc


def as_error(cancelled: asyncio.CancelledError) -> RuntimeError:
    """Return the error to report for a cancellation out of a handler; raise it if it is meant for the current task."""
    task = None if on_trio() else asyncio.current_task()
    if task is None or task.cancelling() > 0:
        raise cancelled
    error = RuntimeError("the handler awaited something that was cancelled")
    error.__cause__ = cancelled
    return error
