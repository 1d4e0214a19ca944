"""Calls into the application: handlers, callbacks and hooks, sync or async, one at a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rcex_ws.connection.delivery import DeliveryQueue
from rcex_ws.loop import on_trio

__all__ = ["call", "deliver", "finish"]

T = TypeVar("T")


async def deliver(
    queue: DeliveryQueue[T], handler: Callable[[T], object], on_error: Callable[[T, Exception], object]
) -> None:
    """Call a handler with each item of a queue, in order, until the queue is closed and empty.

    Args:
        queue: the queue; its `in_hand` is the item that the handler is working on.
        handler: sync or async.
        on_error: called with the item and the exception of the handler; the next item follows.

    Raises:
        Exception: the one that the queue was closed with.
    """
    while True:
        item = queue.take_ready()
        if item is None:
            if not await queue.wait():
                return
            continue
        queue.in_hand = item
        try:
            result = handler(item)
            if result is not None and inspect.isawaitable(result):
                await result  # not by `finish`, which would cost a coroutine more for each item
        except Exception as exc:  # noqa: BLE001 - the caller reports it
            on_error(item, exc)
        except asyncio.CancelledError as exc:
            on_error(item, _as_error(exc))
        finally:
            queue.in_hand = None


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
        raise _as_error(exc) from exc


def _as_error(cancelled: asyncio.CancelledError) -> RuntimeError:
    """Return the error to report for a cancellation out of a handler; raise it if it is meant for the current task."""
    task = None if on_trio() else asyncio.current_task()
    if task is None or task.cancelling() > 0:
        raise cancelled
    error = RuntimeError("the handler awaited something that was cancelled")
    error.__cause__ = cancelled
    return error
