"""The events of a server, and the one queue that keeps them in order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial

from rcex_ws.connection import DeliveryQueue, EventEmitter, Overflow, deliver
from rcex_ws.errors import SlowConsumer

__all__ = ["ServerEventQueue", "ServerEvents"]

logger = logging.getLogger("rcex_ws.feedme.server")

#: Reports of bad messages and errors, beyond which the oldest are dropped: clients can cause any number of them.
_MOST_REPORTS = 1000
_MOST_BYTES = 16 * 2**20


class ServerEvents(StrEnum):
    """The events of a `FeedmeServer`, with the arguments of their handlers."""

    CONNECT = "connect"  #: (client), before its handshake
    DISCONNECT = "disconnect"  #: (client, error), a `ClientLost`, None if the application has disconnected the client
    BAD_CLIENT_MESSAGE = "bad_client_message"  #: (client, error), a `BadClientMessage`
    ERROR = "error"  #: (error): a handler raised it, or is too slow (`SlowConsumer`)


class ServerEventQueue:
    """The queue of the events of one server.

    Args:
        emitter: holds the handlers.
    """

    def __init__(self, emitter: EventEmitter) -> None:
        self._emitter = emitter
        self._queue: DeliveryQueue[Callable[[], Awaitable[None]]] = DeliveryQueue(
            max_items=_MOST_REPORTS, max_bytes=_MOST_BYTES, on_overflow=self._on_overflow
        )

    @property
    def waiting(self) -> int:
        """The number of queued events."""
        return len(self._queue)

    def emit(self, event: ServerEvents, *args: object) -> None:
        """Queue an event, which is never dropped."""
        self._queue.put(partial(self._emitter.dispatch, event, *args), 0, keep=True)

    def report_message(self, client: object, error: Exception, size: int) -> None:
        """Queue the report of a bad message; the oldest reports are dropped if there are too many.

        Args:
            client: who sent it.
            error: what is wrong with it.
            size: of the message in bytes.
        """
        if self._emitter.has_handlers(ServerEvents.BAD_CLIENT_MESSAGE):
            self._queue.put(partial(self._emitter.dispatch, ServerEvents.BAD_CLIENT_MESSAGE, client, error), size)

    def report(self, error: Exception, what: str = "the server itself") -> None:
        """Log what something has raised, and queue an `error`, as `report_message` does."""
        logger.error("%s raised %s: %s", what, type(error).__name__, error, exc_info=error)
        self.report_logged(error)

    def report_logged(self, error: Exception) -> None:
        """Queue an `error` if that has a handler."""
        if self._emitter.has_handlers(ServerEvents.ERROR):
            self._queue.put(partial(self._emitter.dispatch, ServerEvents.ERROR, error), 0)

    def close(self) -> None:
        """Accept nothing more once the handlers of what is queued have run; errors that they raise are delivered."""
        self._queue.put(self._end, 0, keep=True)

    async def run(self) -> None:
        """Call handlers until the queue is closed and empty."""
        await deliver(self._queue, lambda dispatch: dispatch(), lambda _, error: self.report(error))

    async def _end(self) -> None:
        self._queue.close()

    def _on_overflow(self, overflow: Overflow, ended: bool) -> None:
        if ended:
            logger.warning("%d reports were dropped", overflow.dropped)
        else:
            error = SlowConsumer("handlers are too slow: reports are dropped, the oldest first")
            logger.error("%s", error)
            if self._emitter.has_handlers(ServerEvents.ERROR):
                self.emit(ServerEvents.ERROR, error)
