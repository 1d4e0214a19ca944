"""What all clients of one server share."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from rcex_ws.broker.interface import Broker
from rcex_ws.connection import EventEmitter
from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.errors import ConfigurationError
from rcex_ws.home import Home
from rcex_ws.loop import now
from rcex_ws.readers import is_text, printable
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import RESERVED, encode_event
from rcex_ws.rtm.server.channel import UserChannels, topic_of
from rcex_ws.rtm.server.errors import ClientGone
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.functions import RemoteFunctions
from rcex_ws.rtm.server.publisher import Publisher
from rcex_ws.rtm.server.pushes import Pushes
from rcex_ws.rtm.server.remote_client import RemoteClient
from rcex_ws.rtm.server.session import ClientSession, Outbound
from rcex_ws.rtm.server.sessions import Sessions
from rcex_ws.rtm.server.settings import RtmServerSettings
from rcex_ws.serving import Dispatcher
from rcex_ws.websocket.peer import NORMAL, Peer

__all__ = ["EVERYBODY", "RtmServerCore", "event_name", "group_of"]

logger = logging.getLogger("rcex_ws.rtm.server")

_MOST_REASON = 120  # bytes; a close frame has room for 123

#: Errors beyond which the oldest are dropped: clients can cause any number of them.
_MOST_ERRORS = 1000

EVERYBODY = "clients"
"""The group of all clients of all servers."""


def group_of(user_id: str) -> str:
    """Return the group that counts the connections of a user."""
    return f"user:{user_id}"


class RtmServerCore:
    """The shared parts of one server.

    Args:
        settings: the options.
        emitter: holds the handlers of events.
        broker: connects the server to others, or to itself alone.

    Attributes:
        settings: as given.
        broker: as given.
        events: the queue of events.
        home: the event loop of the server.
        started: whether the server was started; before that it has no event loop.
        clock: the clock of the event loop.
        functions: what clients can call.
        dispatcher: runs functions and hooks.
        sessions: the clients.
        channels: the users.
        pushes: the push subscriptions.
        publisher: publishes events to users.
        note: has the timekeeper note when something is due; set by the runtime.
    """

    def __init__(self, settings: RtmServerSettings, emitter: EventEmitter, broker: Broker) -> None:
        self.settings = settings
        self.broker = broker
        self.events = EventQueue(emitter, log=logger, max_pending=_MOST_ERRORS, max_pending_bytes=_MOST_ERRORS)
        self.home = Home("this server")
        self.started = False
        self.clock: Callable[[], float] = now  # until the server knows its loop
        self.note: Callable[[Sessions], None]
        self.functions = RemoteFunctions()
        self.dispatcher = Dispatcher(self.report, refusal=RemoteError)
        self.sessions = Sessions(settings.resume_window, self._on_gone)
        self.pushes = Pushes()
        self.publisher = Publisher(
            broker,
            lambda: self.clock(),
            publish_timeout=settings.publish_timeout,
            count_timeout=settings.count_timeout,
            report=partial(self.report, what="publishing an event"),
        )
        self.channels = UserChannels(broker, self.publisher.on_taken, settings.max_buffer)

    def check_home(self) -> None:
        """Check that the caller runs in the server's event loop; before the start there is none.

        Raises:
            WrongEventLoop: it does not.
        """
        if self.started:
            self.home.check()

    def report(self, error: Exception, what: str = "the server itself") -> None:
        """Log what something has raised, and queue an `error`."""
        logger.error("%s raised %s: %s", what, type(error).__name__, printable(error), exc_info=error)
        self.events.report_logged(error)

    # -- sending -------------------------------------------------------------------------------------------------------

    def outbound(self, event: str, data: tuple[Any, ...]) -> Outbound:
        """Check and encode an event.

        Raises:
            ConfigurationError: an argument is invalid.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self.check_home()
        return Outbound(encode_event(event_name(event), data))

    def emit(self, event: Outbound, wanted: Callable[[RemoteClient], object] | None) -> int:
        """Send an event to all clients, or to those that a filter wants; return how many of them are connected."""
        if wanted is None:
            return sum([session.send(event) for session in self.sessions])
        reached = 0
        error: Exception | None = None
        for session in self.sessions:
            try:
                verdict = wanted(session.client)
                if inspect.isawaitable(verdict):
                    raise TypeError("expected a plain result, got something to await")  # noqa: TRY301
                if verdict:
                    reached += session.send(event)
            except Exception as exc:  # noqa: BLE001 - counts as False
                error = error or exc
        if error is not None:  # of any number of clients
            self.report(error, "a filter")
        return reached

    def push(self, event: str, tags: Collection[str], data: tuple[Any, ...]) -> int:
        """Send an event to all clients with a push subscription to it; return how many of them are connected."""
        outbound = self.outbound(event, data)
        return sum([session.send(outbound) for session in self.pushes.matching(event, frozenset(tags))])

    async def publish(self, user_id: str, event: str, data: tuple[Any, ...]) -> int:
        """Publish an event to a user; see `RtmServer.publish`."""
        return await self.publisher.publish(topic_of(user_id), event, data)

    # -- counting ------------------------------------------------------------------------------------------------------

    def connected(self, session: ClientSession, peer: Peer, event: RtmServerEvents) -> Peer | None:
        """Note that a client is connected; return the connection that this takes over."""
        former = self.sessions.add(session, peer)
        self._count(session)
        self.events.emit(event, session.client)
        return former

    def left(self, peer: Peer) -> ClientSession | None:
        """Note that nothing can be sent over a connection any more; return its client, if that was let in."""
        session = self.sessions.leave(peer, self.clock())
        if session is not None:
            self._count(session)
            self.note(self.sessions)
        return session

    def disconnected(self, session: ClientSession, reason: Exception) -> None:
        """Note why the connection of a client has ended."""
        self.events.emit(RtmServerEvents.DISCONNECT, session.client, reason)

    def disconnect(self, session: ClientSession, reason: str) -> None:
        """Close the connection of a client for good; see `RemoteClient.disconnect`."""
        self.check_home()
        if not isinstance(reason, str) or not is_text(reason) or len(reason.encode()) > _MOST_REASON:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"reason: expected a text of at most {_MOST_REASON} bytes, got {reason!r:.200}")
        self.sessions.end(session)
        if session.peer is not None:
            session.ended = ClientGone(reason or "disconnected by the application", NORMAL, by_server=True)
            session.peer.close(NORMAL, reason)

    def _count(self, session: ClientSession) -> None:
        if self.settings.authenticate is None:
            return
        self.broker.set_member(EVERYBODY, len(self.sessions))
        user_id = session.client.user_id
        if user_id is not None:
            channel = self.channels.get(user_id)
            self.broker.set_member(group_of(user_id), 0 if channel is None else channel.connections)

    def _on_gone(self, session: ClientSession) -> None:
        self.channels.leave(session)
        self.pushes.remove_all(session)


def event_name(event: object) -> str:
    """Return the name of an event of the application.

    Raises:
        ConfigurationError: it is no text, or empty, or reserved.
    """
    if not isinstance(event, str) or not event:
        raise ConfigurationError(f"event: expected a text that is not empty, got {event!r:.80}")
    if event.startswith(RESERVED):
        raise ConfigurationError(f"event: {event!r:.80} is reserved, as all names that begin with {RESERVED!r}")
    return event
