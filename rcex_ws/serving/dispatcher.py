"""Runs the handlers of the application: sync ones in the order of the requests, async ones concurrently."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from rcex_ws.connection import DeliveryQueue, Overflow, deliver
from rcex_ws.handlers import finish

__all__ = ["Dispatcher", "HandlerCall"]

_NO_LIMIT = 2**62


class HandlerCall(Struct, frozen=True):
    """One call of a handler.

    Attributes:
        what: what to call the handler in a log.
        call: calls it, and returns its result or an awaitable of it.
        succeed: called with the result; what this raises counts as raised by the handler.
        fail: called instead with what the handler raised.
    """

    what: str
    call: Callable[[], object]
    succeed: Callable[[Any], object]
    fail: Callable[[Exception], object]


class Dispatcher:
    """The queue of the requests for handlers.

    It drops none: each client has limits for its requests, and `unfinished` tells how many clients have left behind.

    Args:
        report: called with what a handler raises, and what to call the handler.
        refusal: what handlers raise on purpose, which is not reported.
    """

    def __init__(self, report: Callable[[Exception, str], None], *, refusal: type[Exception]) -> None:
        self._report = report
        self._refusal = refusal
        self._queue: DeliveryQueue[HandlerCall] = DeliveryQueue(
            max_items=_NO_LIMIT, max_bytes=_NO_LIMIT, on_overflow=_never
        )
        self._group: TaskGroup
        self._running = 0

    @property
    def unfinished(self) -> int:
        """The number of requests that wait for their handler, or for an async one to return."""
        return len(self._queue) + self._running

    def put(self, request: HandlerCall) -> None:
        """Queue a request; ignored once closed."""
        self._queue.put(request, 0)

    def close(self) -> None:
        """Accept nothing more; what is queued is still handled."""
        self._queue.close()

    async def run(self) -> None:
        """Run handlers until the queue is closed and all have returned."""
        async with anyio.create_task_group() as self._group:
            await deliver(self._queue, self._run, self._fail)

    def _run(self, request: HandlerCall) -> None:
        result = request.call()
        if inspect.isawaitable(result):
            self._running += 1
            self._group.start_soon(self._finish, request, result)
        else:
            request.succeed(result)

    async def _finish(self, request: HandlerCall, result: Awaitable[object]) -> None:
        try:
            request.succeed(await finish(result))
        except Exception as exc:  # noqa: BLE001 - reported
            self._fail(request, exc)
        finally:
            self._running -= 1

    def _fail(self, request: HandlerCall, error: Exception) -> None:
        request.fail(error)
        if not isinstance(error, self._refusal):
            self._report(error, request.what)


def _never(_: Overflow, __: bool) -> None:
    raise AssertionError("a queue without limits cannot overflow")
