"""`RtmServer`, which the application holds: functions, events, presence, and checks of arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypeVar, overload

from rcex_ws.broker.interface import Broker
from rcex_ws.broker.memory import MemoryBroker
from rcex_ws.connection import EventEmitter, HasEvents
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import NamesOfJavaScript, Wait, checked, options_of
from rcex_ws.options.functions import is_sync_function
from rcex_ws.readers import is_text
from rcex_ws.rtm.errors import NoUsers
from rcex_ws.rtm.server.channel import topic_of
from rcex_ws.rtm.server.core import EVERYBODY, RtmServerCore, event_name, group_of
from rcex_ws.rtm.server.events import RtmServerEvents
from rcex_ws.rtm.server.remote_client import RemoteClient
from rcex_ws.rtm.server.runtime import RtmServerRuntime
from rcex_ws.rtm.server.settings import RtmServerSettings
from rcex_ws.serving import AsgiMount, MountableServer

__all__ = ["RtmServer"]

F = TypeVar("F", bound=Callable[..., object])


class RtmServer(MountableServer, NamesOfJavaScript, HasEvents[Callable[..., object]]):
    """A server that sends events to users, and whose functions clients can call.

    ::

        def authenticate(client, token):
            return users.get(token)  # {"id": "ann", "name": "Ann"}, or None

        server = RtmServer(port=8080, authenticate=authenticate, redis="redis://localhost")

        @server.register
        async def greet(client, name):
            await server.publish("ann", "greeting", name)

        async with server:
            await anyio.sleep_forever()

    It listens on a port of its own, or is mounted into an application of Starlette, see `asgi` and `mounted`. With
    `redis`, any number of servers form one service. A server runs once. Handlers and hooks may be sync or async; sync
    ones run in order in the event loop, so they must not block, async ones concurrently. All times are in
    seconds, all sizes in bytes.

    Args:
        host: the address to listen on; "0.0.0.0" or "::" for all of this machine.
        port: the port to listen on; 0 for any free one.
        ssl_context: a TLS context with a certificate, for wss://.

        authenticate: called with a `RemoteClient` and what it has sent; what it returns becomes the client's
            `authentication`, and is sent to the client, so it has to be JSON. A client is refused for good if that
            is false, or if it raises a `RemoteError`, which one that resumes sessions is told. After any other
            exception it is disconnected with the close code 1011, and tries again. Without the handler, everyone may
            connect, and there are no users.
        user_id: called with the `authentication`; returns the id of the user. By default that is the authentication
            itself, a text or a number, or the first of its `id`, `uid`, `uuid`, `userId`, `sub` and `email`.
        on_auth_timeout: called with a client that has not authenticated in time.
        may_publish: called with a client, a user id and an event; returns whether the client may publish that. Without
            it, none may.
        may_subscribe: called with a client, an event and a list of tags; returns whether the client may subscribe to
            such pushes. Without it, all may.
        allowed_origins: origins of the pages that may connect, such as "https://example.com"; None for all. Clients
            that are no browsers send none.

        redis: redis:// or rediss:// URL of the Redis that connects several servers; None for a server by itself.
        broker: instead of it, a `Broker`.

        auth_timeout: time for a client to authenticate.
        resume_window: time for which a client may be away and still get what it missed; 0 for none.
        publish_timeout: time until an event must be written, while Redis is away, say.
        count_timeout: time to wait for other servers to say how many connections have taken an event.
        heartbeat_interval: time between two pings. An ASGI server that this one is mounted into sends its own.
        heartbeat_timeout: time without anything from a client, beyond `heartbeat_interval`, after which its connection
            counts as lost.
        close_timeout: time-out for closing a WebSocket, and for all of `aclose`.

        max_size: maximum size of an inbound message (1 MiB).
        max_buffer: bytes that may wait to be sent to a client; one that reads too slowly is disconnected with the close
            code 1013 (1 MiB).
        max_resume_events: maximum number of events to keep for a client that may have missed them.
        max_resume_bytes: maximum size of these events, but never more than half of `max_buffer` (256 KiB).
        max_calls: maximum number of unanswered calls of a client; the next one is refused.
        max_subscriptions: maximum number of push subscriptions of a client, each counted once for each of its tags; the
            next one is refused.
        max_rate: maximum number of messages of a client per second, in the long run; one that sends more is
            disconnected with the close code 4429.
        max_connections: maximum number of connections of a user to this server, likewise.

    Raises:
        ConfigurationError: an option has an invalid value; the text names it.
        NoUsers: there is `redis` or a `broker`, and no `authenticate`.
    """

    @options_of(RtmServerSettings)
    def __init__(self, settings: RtmServerSettings) -> None:
        self._settings = settings
        self._emitter = EventEmitter(
            events=RtmServerEvents,
            error_event=RtmServerEvents.ERROR,
            report=lambda error: self._core.events.report_logged(error),
        )
        self._core = RtmServerCore(settings, self._emitter, _broker(settings))
        self._runtime = RtmServerRuntime(self._core)
        asgi = AsgiMount(self._runtime.serve_mounted, settings.peer_options, protocol="RTM")
        super().__init__(self._core.home, self._runtime, asgi)

    # -- running -------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the server: ws://host:port/.

        Raises:
            ConfigurationError: it does not listen on a port of its own, or not yet.
        """
        url = self._runtime.life.url
        if url is None:
            raise ConfigurationError("url: the server was not started, or is mounted and does not listen")
        return url

    @property
    def id(self) -> str:
        """What the other servers call this one, see `presence`."""
        return self._core.broker.node

    async def start(self) -> None:
        """Listen, until `aclose`. A Redis that is away is waited for in the background.

        Raises:
            ConfigurationError: the server was started before, the port is in use, or the host is not this machine's.
            RcexError: Redis refuses this server, for example its password.
        """
        await super().start()

    @checked
    async def drain(self, within: Wait = 10.0) -> None:
        """Refuse new clients, and have all others move to another server; for a planned end, before `aclose`.

        They are disconnected with the close code 1012, evenly spread over the time, so that they do not all come to the
        other servers at once.

        Args:
            within: the time in seconds.

        Raises:
            ConfigurationError: the time is invalid, or the server was not started.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self._check_started("drain")
        await self._runtime.drain(within)

    # -- functions -----------------------------------------------------------------------------------------------------

    @overload
    def register(self, function: F, *, name: str | None = None) -> F: ...
    @overload
    def register(self, function: None = None, *, name: str | None = None) -> Callable[[F], F]: ...
    def register(self, function: F | None = None, *, name: str | None = None) -> F | Callable[[F], F]:
        """Let clients call a function; also a decorator.

        It is called with the `RemoteClient` and the arguments of the call. The reply is what it returns, any JSON, or
        what a `RemoteError` says. Anything else that it raises is reported here, and to the client an "internal error".

        Args:
            function: the function, sync or async.
            name: what clients call it; by default its own name.

        Raises:
            ConfigurationError: it cannot be called, or its name is taken, or reserved.
        """
        if function is not None:
            return self._core.functions.add(function, name)
        return lambda decorated: self._core.functions.add(decorated, name)

    # -- events --------------------------------------------------------------------------------------------------------

    @property
    def clients(self) -> tuple[RemoteClient, ...]:
        """All clients that are connected to this server and, with an authentication handler, authenticated."""
        return tuple([session.client for session in self._core.sessions.connected])

    def emit(self, event: str, filter: Callable[[RemoteClient], object] | None = None, *data: Any) -> int:
        """Send an event to clients of this server.

        Args:
            event: its name.
            filter: called with each client, for example
                `lambda client: client.authentication["email"] == "ann@example.com"`; None for all clients. An exception
                is reported and counts as False.
            *data: its arguments, any JSON.

        Returns:
            How many connected clients got it. Those that have lost their connection get it if they come back in time.

        Raises:
            ConfigurationError: an argument is invalid.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        if filter is not None and not is_sync_function(filter):
            raise ConfigurationError(
                f"filter: expected a function, not async, or None for all clients, got an object of the type "
                f"{type(filter).__name__}; the data of the event come after it"
            )
        return self._core.emit(self._core.outbound(event, data), filter)

    def push(self, event: str, tags: Collection[str] = (), *data: Any) -> int:
        """Send an event to the clients of this server that have a push subscription to it which shares a tag.

        Args:
            event: its name.
            tags: its tags; without any, it goes to all subscriptions to the event. A subscription without tags gets
                it in any case.
            *data: its arguments, any JSON.

        Returns:
            How many connected clients got it, as for `emit`.

        Raises:
            ConfigurationError: an argument is invalid.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        is_list = isinstance(tags, Collection) and not isinstance(tags, str)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not is_list or not all(isinstance(tag, str) for tag in tags):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"tags: expected a list of texts, got {tags!r:.80}")
        return self._core.push(event, tags, data)

    @overload
    async def publish(self, user_id: str, event: str, *data: Any, wait: Literal[True] = True) -> int: ...
    @overload
    async def publish(self, user_id: str, event: str, *data: Any, wait: Literal[False]) -> None: ...
    async def publish(self, user_id: str, event: str, *data: Any, wait: bool = True) -> int | None:
        """Publish an event to a user, who gets it over each of the user's connections, to whichever server.

        Args:
            user_id: the id of the user, see the option `user_id`.
            event: its name.
            *data: its arguments, any JSON.
            wait: False to return at once: what then goes wrong becomes an `error` event.

        Returns:
            How many connections have taken it, as far as all servers have said so within `count_timeout`; None without
            `wait`.

        Raises:
            NoUsers: the server has no authentication handler, so it knows no users.
            ConfigurationError: an argument is invalid, or the server was not started.
            BrokerFull: too much waits to be published already.
            BrokerUnavailable: it could not be published within `publish_timeout`.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        if self._settings.authenticate is None:
            raise NoUsers("publish: without the option `authenticate` no client is known as a user; use emit")
        self._check_started("publish")
        _check_user_id(user_id)
        event_name(event)
        if wait:
            return await self._core.publish(user_id, event, data)
        self._core.publisher.publish_soon(topic_of(user_id), event, data)
        return None

    # -- presence ------------------------------------------------------------------------------------------------------

    async def presence(self, user_id: str) -> Mapping[str, int]:
        """Return how many connections a user has to each server, by the server's `id`; empty if there is none.

        A server that was killed is missing from it within seconds.

        Raises:
            ConfigurationError: the user id is invalid, or the server was not started.
            BrokerUnavailable: Redis did not answer.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self._check_started("presence")
        _check_user_id(user_id)
        return await self._core.broker.members(group_of(user_id))

    async def count(self) -> int:
        """Return how many clients are connected to all servers.

        Raises:
            ConfigurationError: the server was not started.
            BrokerUnavailable: Redis did not answer.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self._check_started("count")
        if self._settings.authenticate is None:  # then there are no other servers
            return len(self._core.sessions)
        return sum((await self._core.broker.members(EVERYBODY)).values())

    def _check_started(self, what: str) -> None:
        self._core.check_home()
        if not self._core.started:
            raise ConfigurationError(f"{what}: the server was not started")


def _broker(settings: RtmServerSettings) -> Broker:
    if settings.broker is not None:
        return settings.broker
    if settings.redis is not None:
        from rcex_ws.broker import RedisBroker

        return RedisBroker(settings.redis)
    return MemoryBroker()


def _check_user_id(user_id: object) -> None:
    if not isinstance(user_id, str) or not user_id or not is_text(user_id):
        raise ConfigurationError(f"user_id: expected a text that is not empty, got {user_id!r:.80}")
