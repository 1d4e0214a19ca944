"""The events of a server, and the one queue that keeps them in order."""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import partial

from rcex_ws.connection import EventEmitter
from rcex_ws.connection.event_queue import EventQueue

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


class ServerEventQueue(EventQueue):
    """The queue of the events of one server.

    Args:
        emitter: holds the handlers.
    """

    def __init__(self, emitter: EventEmitter) -> None:
        super().__init__(emitter, log=logger, max_pending=_MOST_REPORTS, max_pending_bytes=_MOST_BYTES)

    def report_message(self, client: object, error: Exception, size: int) -> None:
        """Queue the report of a bad message; the oldest reports are dropped if there are too many.

        Args:
            client: who sent it.
            error: what is wrong with it.
            size: of the message in bytes.
        """
        if self._emitter.has_handlers(ServerEvents.BAD_CLIENT_MESSAGE):
            self.put_or_drop(partial(self._emitter.dispatch, ServerEvents.BAD_CLIENT_MESSAGE, client, error), size)

    def report(self, error: Exception, what: str = "the server itself") -> None:
        """Log what something has raised, and queue an `error`, as `report_message` does."""
        logger.error("%s raised %s: %s", what, type(error).__name__, error, exc_info=error)
        self.report_logged(error)

    def close(self) -> None:
        """Accept nothing more once the handlers of what is queued have run; errors that they raise are delivered."""
        self.put(self._end)

    async def _end(self) -> None:
        super().close()
