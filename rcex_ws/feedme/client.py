"""`FeedmeClient`, which the application holds: checks arguments, and hands calls to the `ClientCore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from rcex_ws.connection import EventEmitter, HasEvents, Opener, open_websocket
from rcex_ws.feedme.actions import ActionCall, ActionCallback
from rcex_ws.feedme.arguments import feed_args, handler_argument, json_object, text_argument
from rcex_ws.feedme.core import ClientCore, ClientState
from rcex_ws.feedme.driver import FeedmeDriver
from rcex_ws.feedme.errors import Destroyed
from rcex_ws.feedme.events import Events
from rcex_ws.feedme.feed import Feed
from rcex_ws.feedme.settings import FeedmeSettings
from rcex_ws.feedme.transport_socket import open_transport
from rcex_ws.options import NamesOfJavaScript, options_of

__all__ = ["FeedmeClient"]


class FeedmeClient(NamesOfJavaScript, HasEvents[Callable[..., object]]):
    """A client of a Feedme server: it performs actions, and keeps copies of feeds.

    `on` takes a name of `Events`. All times are in seconds, all sizes in bytes. As a context manager it is connected
    within the block, which begins when it is (see `open_timeout`), and destroyed after it::

        async with FeedmeClient("wss://feedme.example.com/") as client:
            async with client.feed("Board", {"game": "1"}) as board:
                print(board.data)
                await client.action("score", {"player": "ann"})

    Args:
        url: the ws:// or wss:// address of the server.
        transport: instead of it, a function that returns a new `Transport` for each attempt.

        open_timeout: time-out for the connection with which the block of the context manager begins, retries included.
        connect_timeout: time-out for one attempt, from its start to the end of the handshake; 0 for none.
        connect_retry: time after the first failed attempt until the next one; 0 for at once, negative for no retries.
        connect_retry_backoff: how much longer each further retry waits; in all 0.1 s at least.
        connect_retry_max: maximum of these times, at least `connect_retry`.
        connect_retry_max_attempts: maximum number of retries in a row; 0 for any number.
        reconnect: whether to connect again after a loss: at once if the connection has lasted 30 s, otherwise after
            the time of a retry.

        action_timeout: time-out for the answer to an action; 0 for none.
        feed_timeout: time-out for the opening of a feed; 0 for none. An answer that comes later opens the feed.
        reopen_max_attempts: how often to reopen a feed after notifications that do not fit its data; negative for
            always.
        reopen_trailing: time after which such a reopening no longer counts; 0 for the whole connection.

        headers: additional headers of the upgrade request, for example with a token.
        proxy: URL of a proxy (http, https, socks5, socks5h); None or True for the environment's, False for none.
        ssl_context: TLS context for wss://.
        heartbeat_interval: time between two pings; best about that of the server, see the server's.
        heartbeat_timeout: time without inbound traffic, beyond `heartbeat_interval`, after which the connection counts
            as lost.
        close_timeout: time-out for closing a connection, and for the events that are queued when the client is closed.

        max_size: maximum size of an inbound message (16 MiB).
        max_pending: events queued for handlers, and changes for each iteration over a feed; beyond that the oldest are
            dropped, with an `error`, or with a `FeedChange` without a name.
        max_pending_bytes: bytes of the messages that caused them, with the same effect (64 MiB).

        trace: sync hook, called with a `TraceEvent` when a step of connecting, a heartbeat or the closing starts,
            succeeds or fails.

    Raises:
        InvalidArgument: an option has an invalid value; the text names it.

    Attributes:
        open_socket: function that opens a WebSocket; tests may replace it.
    """

    open_socket: Opener = staticmethod(open_websocket)

    @options_of(FeedmeSettings)
    def __init__(self, settings: FeedmeSettings) -> None:
        self._settings = settings
        # Only when a handler raises is there a core to report it to.
        self._emitter = EventEmitter(
            events=Events, error_event=Events.ERROR, report=lambda error: self._core.events.report_logged(error)
        )
        open_socket = self.open_socket if settings.transport is None else partial(open_transport, settings.transport)
        self._core = ClientCore(
            settings, self._emitter, lambda core, root: FeedmeDriver(core, settings, open_socket, root)
        )

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        """The state: "disconnected", "connecting" (the handshake included) or "connected"."""
        return self._alive().state

    @property
    def destroyed(self) -> bool:
        """Whether the client was destroyed; never raises."""
        return self._core.destroyed

    @property
    def pending(self) -> tuple[ActionCall, ...]:
        """The actions that wait for an answer, as they were sent."""
        return self._alive().actions.pending

    # -- connecting ------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Start to connect; the state is "connecting" at once. A pending retry is dropped, and retries count anew.

        Raises:
            InvalidState: it is connecting or connected.
            Destroyed: it is destroyed.
        """
        self._alive().connect()

    def disconnect(self) -> None:
        """Disconnect, or stop connecting; the state is "disconnected" at once, and no retry follows.

        Raises:
            InvalidState: it is disconnected; `cancel_retry` stops a pending retry.
            Destroyed: it is destroyed.
        """
        self._alive().disconnect()

    def cancel_retry(self) -> None:
        """Stop a pending retry, if there is one.

        Raises:
            Destroyed: it is destroyed.
        """
        self._alive().cancel_retry()

    async def wait_connected(self) -> None:
        """Wait until the client is connected, through retries.

        Raises:
            FeedmeError: why it is disconnected, if no retry follows.
            Disconnected: it is disconnected because `connect` was not called, or `disconnect` was.
            Destroyed: it is destroyed.
        """
        await self._alive().wait_connected()

    def destroy(self) -> None:
        """Give up the client and its feeds; all but `destroyed`, `aclose` and `on` raises from then on.

        Events that are queued are still delivered, further ones are not queued. Handlers stay attached.

        Raises:
            InvalidState: it is connecting or connected.
            Destroyed: it is destroyed already.
        """
        self._alive().destroy()

    async def aclose(self) -> None:
        """Disconnect and destroy the client, and wait until its tasks have ended, at most `close_timeout`.

        Does nothing more if it is destroyed already.
        """
        self._core.check_home()
        if not self._core.destroyed:
            self._core.feeds.end_streams()
            if self._core.state != "disconnected":
                self._core.disconnect()
            self._core.destroy()
        await self._core.wait_finished()

    async def __aenter__(self) -> Self:
        try:
            if self.state == "disconnected":
                self.connect()
            await self._core.wait_connected(self._settings.open_timeout)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- actions and feeds -----------------------------------------------------------------------------------------

    def action(
        self, name: str, args: Mapping[str, Any] | None = None, callback: ActionCallback | None = None
    ) -> ActionCall:
        """Send an action; await the `ActionCall` that is returned for the action data, or pass a callback.

        Args:
            name: the name of the action.
            args: its arguments, a JSON object.
            callback: called with (error, action_data), one of them None, in order with the events.

        Raises:
            InvalidArgument: an argument is invalid, for example not expressible in JSON.
            Destroyed: the client is destroyed.
        """
        core = self._alive()
        if callback is not None:
            handler_argument("callback", callback)
        name, frozen = text_argument("name", name), json_object("args", {} if args is None else args)
        return core.actions.perform(name, frozen, self._settings.action_timeout, callback)

    def feed(self, name: str, args: Mapping[str, str] | None = None) -> Feed:
        """Return a new feed object, desired closed; this needs no connection.

        Args:
            name: the name of the feed.
            args: its arguments, whose values are texts.

        Raises:
            InvalidArgument: an argument is invalid.
            Destroyed: the client is destroyed.
        """
        core = self._alive()
        return Feed(text_argument("name", name), feed_args(args), core)

    # -- internals -------------------------------------------------------------------------------------------------

    def _alive(self) -> ClientCore:
        self._core.check_home()
        if self._core.destroyed:
            raise Destroyed("the client is destroyed")
        return self._core
