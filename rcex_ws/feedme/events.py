"""What the application is told: the names of events, and the one queue that keeps all of them in order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial

from rcex_ws.connection import DeliveryQueue, EventEmitter, Overflow, deliver
from rcex_ws.errors import SlowConsumer
from rcex_ws.readers import printable

__all__ = ["EventQueue", "Events", "FeedEvents"]

logger = logging.getLogger("rcex_ws.feedme")

Step = Callable[[], Awaitable[object] | None]


class Events(StrEnum):
    """The events of a `FeedmeClient`, with the arguments of their handlers."""

    CONNECTING = "connecting"  #: ()
    CONNECT = "connect"  #: ()
    DISCONNECT = "disconnect"  #: (error), None if `disconnect` was called
    BAD_SERVER_MESSAGE = "bad_server_message"  #: (error), a `BadServerMessage`
    BAD_CLIENT_MESSAGE = "bad_client_message"  #: (diagnostics), from the server
    ERROR = "error"  #: (error): a handler raised it, or is too slow (`SlowConsumer`)


class FeedEvents(StrEnum):
    """The events of a `Feed`, with the arguments of their handlers."""

    OPENING = "opening"  #: ()
    OPEN = "open"  #: (data)
    CLOSE = "close"  #: (error), None if `desire_closed` was called
    ACTION = "action"  #: (name, action_data, new_data, old_data)


class EventQueue:
    """The queue of one client: of its events, those of its feeds, and the callbacks of its actions.

    Args:
        emitter: holds the handlers of the client.
        max_pending: maximum number of queued events of the kinds that a server can cause without limit; beyond that the
            oldest are dropped, with an `error`.
        max_pending_bytes: maximum number of bytes that they hold, with the same effect.
        start: starts a task for `run`; called when the first event is queued.
    """

    def __init__(
        self, emitter: EventEmitter, *, max_pending: int, max_pending_bytes: int, start: Callable[[], object]
    ) -> None:
        self._emitter = emitter
        self._start = start
        self._started = False
        self._queue: DeliveryQueue[Step] = DeliveryQueue(
            max_items=max_pending, max_bytes=max_pending_bytes, on_overflow=self._on_overflow
        )

    def emit(self, event: Events, *args: object) -> None:
        """Queue an event of the client."""
        self.put(partial(self._emitter.dispatch, event, *args))

    def emit_or_drop(self, event: Events, argument: object, size: int) -> None:
        """Queue an event that a message of `size` bytes causes; without a handler it is logged."""
        if self._emitter.has_handlers(event):
            self.put_or_drop(partial(self._emitter.dispatch, event, argument), size)
        else:
            logger.warning("no handler for the event '%s': %s", event, printable(argument))

    def put(self, step: Step) -> None:
        """Queue what calls handlers; it is never dropped."""
        if not self._started:
            self._started = True
            self._start()
        self._queue.put(step, 0, keep=True)

    def put_or_drop(self, step: Step, size: int) -> None:
        """Queue what calls handlers because of a message of `size` bytes."""
        self._queue.put(step, size)

    @property
    def idle(self) -> bool:
        """Whether no handler runs or is still to run."""
        return len(self._queue) == 0 and self._queue.in_hand is None

    @property
    def undelivered(self) -> int:
        """Number of events in the queue."""
        return len(self._queue)

    def report_logged(self, error: Exception) -> None:
        """Queue an `error` that has been logged already, if it has a handler."""
        if self._emitter.has_handlers(Events.ERROR):
            self.emit(Events.ERROR, error)

    def close(self) -> None:
        """Accept nothing more; what is queued is still delivered."""
        self._queue.close()

    async def run(self) -> None:
        """Call handlers until the queue is closed and empty."""
        await deliver(self._queue, self._call, self._on_error)

    @staticmethod
    def _call(step: Step) -> object:
        return step()

    def _on_error(self, _: Step, error: Exception) -> None:
        logger.error("a callback raised; the next event follows", exc_info=error)
        self.report_logged(error)

    def _on_overflow(self, overflow: Overflow, ended: bool) -> None:
        if ended:
            logger.warning("%d events were dropped", overflow.dropped)
        else:
            error = SlowConsumer("handlers are too slow: events are dropped, the oldest first")
            logger.warning("%s", error)
            self.report_logged(error)
