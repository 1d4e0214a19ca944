"""`FeedmeServer`, which the application holds: handlers, feeds, and checks of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from rcex_ws.connection import EventEmitter, HasEvents
from rcex_ws.feedme.arguments import deltas_argument, feed_args, json_object, text_argument
from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.deltas import Delta
from rcex_ws.feedme.digest import feed_md5
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import SUBPROTOCOL, FeedArgs, FeedKey, feed_key
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.events import ServerEventQueue, ServerEvents
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.server.memory import MemoryTransport
from rcex_ws.feedme.server.runtime import ServerRuntime
from rcex_ws.feedme.server.settings import FeedmeServerSettings
from rcex_ws.options import options_of
from rcex_ws.serving import AsgiMount, MountableServer
from rcex_ws.websocket.server_handshake import UpgradeRequest

__all__ = ["FeedmeServer"]

MD5_LENGTH = 24
"""The characters of a FeedMd5."""

H = TypeVar("H", bound=Callable[..., object])


class FeedmeServer(MountableServer, HasEvents[Callable[..., object]]):
    """A server of the Feedme protocol.

    ::

        server = FeedmeServer(port=8080)
        scores = server.live_feed("scores", {}, {"ann": 0})

        @server.action("score")
        def score(client, args):
            with scores.change("scored", args) as draft:
                draft[args["player"]] += 1
            return {}

        async with server:
            await anyio.sleep_forever()

    It listens on a port of its own, or is mounted into an application of Starlette, see `asgi` and `mounted`. A server
    runs once. All times are in seconds, all sizes in bytes.

    Args:
        host: the address to listen on; "0.0.0.0" or "::" for all of this machine.
        port: the port to listen on; 0 for any free one.
        ssl_context: a TLS context with a certificate, for wss://.
        dialect: how to speak: see `Dialect`. All clients of a server must understand it.
        disconnect_on_violation: disconnect a client that breaks the rules, after telling it; otherwise go on.

        handshake_timeout: time-out for a client's handshake; 0 for none.
        termination_window: time after a termination in which a client may still close that feed, since the two messages
            can cross; 0 for the whole connection.
        heartbeat_interval: time between two pings. Best about that of the clients: while one side sends a large message
            over a slow link, its pings wait behind that, and only those of the other side show that both are alive.
        heartbeat_timeout: time without anything from a client, beyond `heartbeat_interval`, after which it is
            disconnected.
        close_timeout: time-out for closing a WebSocket, and for all of `aclose`.

        max_size: maximum size of an inbound message (1 MiB).
        max_buffer: bytes that may wait to be sent to a client; one that reads too slowly is disconnected with the close
            code 1013 (16 MiB). The data of any feed must fit into it.
        max_open_feeds: maximum number of feeds that a client may have open; the next one fails with TOO_MANY_FEEDS.
        max_actions: maximum number of unanswered actions of a client; the next one fails with TOO_MANY_ACTIONS. Their
            arguments are kept until then: up to `max_actions` times `max_size` bytes for each client.

    Raises:
        InvalidArgument: an option has an invalid value; the text names it.
    """

    @options_of(FeedmeServerSettings)
    def __init__(self, settings: FeedmeServerSettings) -> None:
        self._settings = settings
        self._emitter = EventEmitter(
            events=ServerEvents,
            error_event=ServerEvents.ERROR,
            report=lambda error: self._core.events.report_logged(error),
        )
        self._core = ServerCore(settings, ServerEventQueue(self._emitter))
        self._runtime = ServerRuntime(self._core)
        asgi = AsgiMount(self._runtime.serve_mounted, settings.peer_options, protocol="Feedme")
        super().__init__(self._core.home, self._runtime, asgi)

    # -- running -------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the server: ws://host:port/.

        Raises:
            InvalidState: it does not listen on a port of its own, or not yet.
        """
        return self._runtime.url

    @property
    def clients(self) -> tuple[ConnectedClient, ...]:
        """All clients that are connected."""
        return tuple(self._runtime.services)

    async def start(self) -> None:
        """Listen, until `aclose`.

        Raises:
            InvalidState: the server was started before.
            InvalidArgument: the port is in use, or the host is not this machine's.
        """
        await super().start()

    def memory_transport(self, path: str = "/", headers: Mapping[str, str] | None = None) -> MemoryTransport:
        """Return a transport that connects a `FeedmeClient` to this server within the process, without a socket.

        ::

            client = FeedmeClient(transport=server.memory_transport)
            ann = FeedmeClient(transport=partial(server.memory_transport, headers={"Authorization": "ann"}))

        Args:
            path: the path and query that handlers see in `client.request`.
            headers: the headers that they see there.
        """
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        request = UpgradeRequest(path, lowered, (SUBPROTOCOL,))
        return MemoryTransport(self._runtime.serve_memory, max_buffer=self._settings.max_buffer, request=request)

    # -- handlers ------------------------------------------------------------------------------------------------------

    def action(self, name: str | None = None) -> Callable[[H], H]:
        """Attach the handler of an action, sync or async; a decorator.

        It is called with the client and the action's arguments, a read-only JSON object, and returns a JSON object.

        Args:
            name: the action; None for all without a handler of their own. That handler is called with the client, the
                name and the arguments.

        Raises:
            InvalidArgument: there is such a handler already.
        """
        return self._core.handlers.add_action(name)

    def feed(self, name: str | None = None) -> Callable[[H], H]:
        """Attach the handler that opens a feed, sync or async; a decorator.

        It is called with the client and the feed's arguments, a dict of texts, and returns a `LiveFeed` or the feed's
        data, a JSON object: that of the moment when it returns, as the client gets what is revealed from then on.
        Without a handler for exactly this name, a `LiveFeed` is open to everyone.

        Args:
            name: the feed; None for all without a handler of their own. That handler is called with the client, the
                name and the arguments.

        Raises:
            InvalidArgument: there is such a handler already.
        """
        return self._core.handlers.add_feed(name)

    def feed_closed(self, handler: H) -> H:
        """Attach the handler that is told when a client closes a feed, or leaves; a decorator.

        It is called with the client, the name and the arguments: once for each feed that the client had open, unless
        the application has terminated that, and once for each feed that its handler opened when the client had left
        or the application had terminated it meanwhile.

        Raises:
            InvalidArgument: it cannot be called, or there is such a handler already.
        """
        self._core.handlers.set_feed_closed(handler)
        return handler

    def handshake(self, handler: H) -> H:
        """Attach the handler of handshakes, which may raise a `Refusal`; a decorator.

        It is called with the client; what it returns is ignored. A client that is refused may try again.

        Raises:
            InvalidArgument: it cannot be called, or there is such a handler already.
        """
        self._core.handlers.set_handshake(handler)
        return handler

    # -- feeds ---------------------------------------------------------------------------------------------------------

    def live_feed(self, name: str, args: Mapping[str, str] | None = None, data: object = None) -> LiveFeed:
        """Make a feed whose data the server holds.

        Args:
            name: the name of the feed.
            args: its arguments.
            data: its first data, a JSON object.

        Raises:
            InvalidArgument: an argument is invalid, there is such a feed already, or clients have it open: `terminate`
                it first.
        """
        return self._core.live_feeds.make(*self._feed_of(name, args), data)

    def reveal(
        self,
        name: str,
        args: Mapping[str, str] | None,
        action_name: str,
        action_data: object = None,
        deltas: Iterable[Delta | Mapping[str, Any]] = (),
        *,
        data: object = None,
        md5: str | None = None,
    ) -> int:
        """Send an action to all clients that have a feed open whose data the application holds.

        Args:
            name: the name of the feed.
            args: its arguments.
            action_name: what happened.
            action_data: a JSON object with more about it.
            deltas: the changes of the feed's data, as `Delta` or as in JSON.
            data: the data after the changes, of which the hash is made.
            md5: the hash itself; without either, clients cannot check their data.

        Returns:
            How many clients could be reached.

        Raises:
            InvalidArgument: an argument is invalid, or the server holds the feed's data: use `LiveFeed.change`.
        """
        self._core.check_home()
        key, name, args = self._feed_of(name, args)
        if self._core.live_feeds.get(key) is not None:
            raise InvalidArgument(f"name, args: the feed {name!r} {args!r} is a live one; use its own methods")
        if data is not None and md5 is not None:
            raise InvalidArgument("data, md5: expected one of them at most")
        action_name = text_argument("action_name", action_name)
        about = json_object("action_data", {} if action_data is None else action_data)
        message = self._core.notification(name, args, action_name, about, deltas_argument(deltas))
        if data is not None:
            message.feed_md5 = feed_md5(json_object("data", data))
        elif md5 is not None:
            if len(text_argument("md5", md5)) != MD5_LENGTH:
                raise InvalidArgument(f"md5: expected {MD5_LENGTH} characters, got {len(md5)}")
            message.feed_md5 = md5
        channel = self._core.channels.get(key)
        return 0 if channel is None else self._core.channels.publish(channel, encode(message))

    def terminate(
        self,
        name: str | None = None,
        args: Mapping[str, str] | None = None,
        *,
        client: ConnectedClient | None = None,
        code: str,
        data: object = None,
    ) -> int:
        """Close feeds that clients have open or are opening; return how many.

        Args:
            name: the name of the feed; None for all feeds of the client.
            args: the arguments of the feed.
            client: whose feeds; None for all clients.
            code: the application's error code.
            data: a JSON object with more about it.

        Raises:
            InvalidArgument: an argument is invalid, or neither a name nor a client is given.
        """
        self._core.check_home()
        if not isinstance(client, ConnectedClient | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            got = f"an object of the type {type(client).__name__}"
            raise InvalidArgument(f"client: expected a ConnectedClient, got {got}")
        about = json_object("data", {} if data is None else data)
        text_argument("code", code)
        if name is None and (client is None or args is not None):
            raise InvalidArgument("name, client: expected one of them at least, and no args without a name")
        key = None if name is None else self._feed_of(name, args)[0]
        if client is None:
            return 0 if key is None else self._core.channels.terminate(key, code, about)
        service = self._runtime.services.get(client)  # None if the client has left
        return 0 if service is None else service.conversation.terminate(code, about, key)

    # -- internals -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _feed_of(name: object, args: object) -> tuple[FeedKey, str, FeedArgs]:
        """Return the identity of a feed, its name and its arguments.

        Raises:
            InvalidArgument: the name is no text, or the arguments are no texts.
        """
        checked, texts = text_argument("name", name), feed_args(args)
        return feed_key(checked, texts), checked, texts
