"""The queue that keeps all events of a client or a server in order, and calls their handlers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Final

from rcex_ws.connection.delivery import DeliveryQueue, Overflow
from rcex_ws.connection.handlers import deliver
from rcex_ws.emitter import EventEmitter
from rcex_ws.errors import SlowConsumer
from rcex_ws.readers import printable

__all__ = ["ERROR", "EventQueue"]

Step = Callable[[], Awaitable[object] | None]

ERROR: Final = "error"
"""The event of an error that nobody else is told, with the error."""


def _nothing() -> None:
    """Do nothing; the default of `start`."""


def _ignore(*_: object) -> None:
    """Do nothing; the default of `on_drop` and `on_overflow`."""


class EventQueue:
    """The queue of events, and of callbacks that have to keep their order.

    Args:
        emitter: holds the handlers.
        log: gets what has no handler.
        max_pending: maximum number of queued events of the kinds that a peer can cause without limit; beyond that the
            oldest are dropped, with an `error`.
        max_pending_bytes: maximum number of bytes that they hold, with the same effect.
        start: starts a task for `run`; called when the first event is queued.
        on_drop: called with each dropped step.
        on_overflow: called at the start and the end of each episode of dropping, like that of `DeliveryQueue`, after it
            was logged and reported.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        *,
        log: logging.Logger,
        max_pending: int,
        max_pending_bytes: int,
        start: Callable[[], object] = _nothing,
        on_drop: Callable[[Step], None] = _ignore,
        on_overflow: Callable[[Overflow, bool], object] = _ignore,
    ) -> None:
        self._emitter = emitter
        self._log = log
        self._start = start
        self._started = False
        self._tell_overflow = on_overflow
        self._queue: DeliveryQueue[Step] = DeliveryQueue(
            max_items=max_pending, max_bytes=max_pending_bytes, on_overflow=self._on_overflow, on_drop=on_drop
        )

    @property
    def undelivered(self) -> int:
        """The number of queued events."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether no handler runs or is still to run."""
        return len(self._queue) == 0 and self._queue.in_hand is None

    def emit(self, event: StrEnum, *args: object) -> None:
        """Queue an event, which is never dropped."""
        self.put(partial(self._emitter.dispatch, event, *args))

    def emit_or_drop(self, event: StrEnum, argument: object, size: int) -> None:
        """Queue an event that a message of `size` bytes causes; without a handler it is logged."""
        if self._emitter.has_handlers(event):
            self.put_or_drop(partial(self._emitter.dispatch, event, argument), size)
        else:
            self._log.warning("no handler for the event '%s': %s", event, printable(argument))

    def put(self, step: Step) -> None:
        """Queue what calls handlers; it is never dropped."""
        self._ensure_started()
        self._queue.put(step, 0, keep=True)

    def put_or_drop(self, step: Step, size: int) -> None:
        """Queue what calls handlers because of a message of `size` bytes."""
        self._ensure_started()
        self._queue.put(step, size)

    def report_logged(self, error: Exception) -> None:
        """Queue an `error` that has been logged already, if it has a handler."""
        if self._emitter.has_handlers(ERROR):
            self.put_or_drop(partial(self._emitter.dispatch, ERROR, error), 0)

    def close(self) -> None:
        """Accept nothing more; what is queued is still delivered."""
        self._queue.close()

    async def run(self) -> None:
        """Call handlers until the queue is closed and empty."""
        await deliver(self._queue, self._call, self._on_error)

    def _ensure_started(self) -> None:
        if not self._started:
            self._started = True
            self._start()

    @staticmethod
    def _call(step: Step) -> object:
        return step()

    def _on_error(self, _: Step, error: Exception) -> None:
        self._log.error("a callback raised; the next event follows", exc_info=error)
        self.report_logged(error)

    def _on_overflow(self, overflow: Overflow, ended: bool) -> None:
        if ended:
            self._log.warning("%d events were dropped", overflow.dropped)
        else:
            error = SlowConsumer("handlers are too slow: events are dropped, the oldest first")
            self._log.warning("%s", error)
            if self._emitter.has_handlers(ERROR):
                self.put(partial(self._emitter.dispatch, ERROR, error))
        self._tell_overflow(overflow, ended)
