"""Hand the items of a queue to a handler of the application, one at a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TypeVar

from rcex_ws.connection.delivery import DeliveryQueue
from rcex_ws.handlers import as_error

__all__ = ["deliver"]

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
            on_error(item, as_error(exc))
        finally:
            queue.in_hand = None
