"""`RtmClient`, which the application holds: checks arguments, and hands calls to the `RtmRuntime` of each life."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import partial
from itertools import count
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar, overload

from rcex_ws.connection import EventEmitter, HasEvents, Opener, State, Unsubscriber, open_websocket
from rcex_ws.emitter import no_handler
from rcex_ws.errors import BadFrame, ConfigurationError, NotConnected
from rcex_ws.home import Home
from rcex_ws.options import Name, NamesOfJavaScript, Rule, Seconds, checked, options_of, refusal, required_constraint
from rcex_ws.rtm.account import SessionAccount
from rcex_ws.rtm.callbacks import EventCallbacks
from rcex_ws.rtm.events import RtmEvents
from rcex_ws.rtm.frames import PUBLISH, RESERVED
from rcex_ws.rtm.pushes import PushSubscriptions
from rcex_ws.rtm.runtime import RtmRuntime, RtmStats
from rcex_ws.rtm.settings import RtmSettings

__all__ = ["RtmClient"]

logger = logging.getLogger("rcex_ws.rtm")

C = TypeVar("C", bound=Callable[..., object])


def _reserved(name: str) -> str | None:
    return f"names that begin with {RESERVED!r} belong to the protocol" if name.startswith(RESERVED) else None


_OwnName = Annotated[Name, Rule("a name that is not empty", _reserved)]


class RtmClient(NamesOfJavaScript, HasEvents[Callable[..., object]]):
    """A client of an RTM server, ours or the original one: it gets events, and calls functions of the server.

    `on` takes a name of `RtmEvents`; `subscribe` those of the server's events. All handlers and callbacks run one at a
    time, in the order in which things happened. All times are in seconds, all sizes in bytes::

        async with RtmClient("wss://rtm.example.com/", authentication=token) as client:
            client.subscribe("alert", lambda data: print(data[0]))
            print(await client.call_wait("add", 1, 2))

    Args:
        url: the ws:// or wss:// address of the server.
        authentication: any JSON value, or a function, sync or async, that returns one for each connection, for example
            a fresh token; None to send none.

        reconnect: False to end after the first loss or failed attempt.
        reconnect_delays: returns the delay after the n-th consecutive failure, n from 1. A connection that has lasted
            30 s is opened again at once; one that its server has closed with 1012 (a restart), within a second. None
            steps over the end of the time in which the session can be resumed: one of more than 10 s takes at most
            about half of what is left of it.
        resume: whether to ask for a session, in which a server of ours repeats what was missed during a loss. Other
            servers ignore that.

        open_timeout: time-out for all of `start`.
        attempt_timeout: time-out for one attempt, from the call of `authentication` to the server's reply to it.
        call_timeout: time-out for the reply to a call, including the time in the queue.
        close_timeout: time-out for all of `aclose`.
        heartbeat_interval: time without inbound traffic after which a ping is sent.
        heartbeat_timeout: time without inbound traffic after that, after which to reconnect.

        headers: additional headers of the upgrade request.
        proxy: URL of a proxy (http, https, socks5, socks5h); None or True for the environment's, False for none.
        ssl_context: TLS context for wss://.
        max_size: maximum size of an inbound frame (16 MiB).
        max_pending: frames queued for handlers; beyond that the oldest are dropped, with an `error` and a `gap`.
        max_pending_bytes: bytes queued for handlers, with the same effect (64 MiB).
        max_queue: maximum number of calls that wait for a connection.

        trace: sync hook, called with a `TraceEvent` when a step of connecting, a heartbeat or the closing starts,
            succeeds or fails.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.

    Attributes:
        open_socket: function that opens a WebSocket; tests may replace it.
    """

    open_socket: Opener = staticmethod(open_websocket)

    @options_of(RtmSettings)
    def __init__(self, settings: RtmSettings) -> None:
        self._settings = settings
        self._emitter = EventEmitter(
            events=RtmEvents, error_event=RtmEvents.ERROR, report=self._handler_failed, log=logger
        )
        self._callbacks = EventCallbacks(self._callback_failed)
        self._pushes = PushSubscriptions(timeout=settings.call_timeout, on_error=self._push_failed)
        self._ids = count(1)
        self._runtime: RtmRuntime | None = None
        self._account = SessionAccount(resume=settings.resume)
        self._wants_events = False
        self._failed = False  # the newest `start` has raised what made the state FAILED
        self._home = Home()

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The current state: IDLE, CONNECTING, READY, WAITING, FAILED or CLOSED."""
        if self._failed:
            return State.FAILED
        return State.IDLE if self._runtime is None else self._runtime.supervisor.status.state

    @property
    def connected(self) -> bool:
        """Whether calls are sent at once: a connection is ready."""
        return self._runtime is not None and self._runtime.calls.table.connected

    @property
    def authenticated(self) -> bool:
        """Whether the server has accepted the authentication for the current connection."""
        conversation = None if self._runtime is None else self._runtime.driver.conversation_now
        return conversation is not None and conversation.authenticated

    @property
    def stats(self) -> RtmStats:
        """The counters, since the client was started; those of its last life once it has ended."""
        return RtmStats() if self._runtime is None else self._runtime.stats

    # -- connecting ----------------------------------------------------------------------------------------------------

    @checked
    async def start(self, *, wait: bool = True) -> None:
        """Connect, and stay connected until `aclose`; do nothing if the client is running already.

        Args:
            wait: False to return at once; failures are then reported by events only.

        Raises:
            AuthenticationRefused: the server does not accept the authentication; the state is FAILED.
            ConnectFailed: no connection within `open_timeout`; a retry can help.
            NotConnected: the client was closed meanwhile.

        If the call that starts the client fails or is cancelled, nothing is left running.
        """
        self._home.check()
        former = runtime = self._runtime
        starts = runtime is None or runtime.ended
        if runtime is None or runtime.ended:
            runtime = self._runtime = self._new_runtime()
            self._failed = False
        try:
            if starts:
                if former is not None:
                    await former.stop()
                await runtime.start()
            if wait:
                await runtime.wait_ready(self._settings.open_timeout)
        except BaseException:
            if starts:
                failed = runtime.supervisor.status.state is State.FAILED
                await runtime.stop()
                self._failed = failed and self._runtime is runtime
            raise

    async def wait_ready(self) -> None:
        """Wait until there is a connection, through any failed attempts.

        Raises:
            AuthenticationRefused: the server does not accept the authentication.
            NotConnected: the client is not started, or has ended.
        """
        await self._started().wait_ready()

    async def wait_closed(self) -> None:
        """Wait until the client is closed, or ends by itself: a final refusal, or a loss without `reconnect`.

        Raises:
            AuthenticationRefused: the server does not accept the authentication.
            RcexError: what else made the state FAILED.
        """
        await self._started().wait_ended()

    async def aclose(self) -> None:
        """Close: settle all calls, deliver what is queued. Idempotent; `start` may follow, with a new session."""
        self._home.check()
        self._failed = False
        self._account = SessionAccount(resume=self._settings.resume)  # a new one for the next life
        if self._wants_events:
            self._account.want(time.time())
        if self._runtime is not None:
            await self._runtime.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- events --------------------------------------------------------------------------------------------------------

    @overload
    def subscribe(self, event: str, *, spread: bool = False) -> Callable[[C], C]: ...
    @overload
    def subscribe(self, event: str, callback: Callable[..., object], *, spread: bool = False) -> Unsubscriber: ...
    @checked
    def subscribe(
        self, event: _OwnName, callback: Callable[..., object] = no_handler, *, spread: bool = False
    ) -> Unsubscriber | Callable[[C], C]:
        """Have a callback called with each event of that name that the server sends; nothing is sent to the server.

        Works at any time, also before `start`. The callbacks of one event are called in the order of subscription.

        Args:
            event: the name of the event.
            callback: sync or async; called with a list, the data of the event. Without one, a decorator is returned.
            spread: whether to call it with the members of that list as arguments, as the original client does.

        Returns:
            A function that unsubscribes; the decorator returns the callback itself.

        Raises:
            ConfigurationError: the name is reserved, or the callback cannot be called so.
        """
        if callback is no_handler:
            return partial(self._decorate, event, spread)
        return self._add_callback(event, callback, spread)

    @checked
    async def subscribe_push(
        self, event: _OwnName, tags: Collection[str], callback: Callable[..., object], *, spread: bool = False
    ) -> Unsubscriber:
        """Ask the server to send what it pushes for an event and one of these tags; wait for its reply.

        It is asked again over each new connection whose session is not resumed. The callback is registered at once.

        Args:
            event: the name of the event.
            tags: texts; what they match is the server's to say.
            callback: as for `subscribe`.
            spread: likewise.

        Returns:
            A function that unsubscribes; a server of ours is told so when the last one of this event and these tags
            is unsubscribed.

        Raises:
            RemoteError: the server refused; nothing is left subscribed, likewise below.
            RequestTimeout: it did not reply within `call_timeout`, including the time without a connection.
            NotConnected: the client is not started, or has ended.
            ConfigurationError: an argument is invalid.
        """
        self._running()
        unsubscribe = self._add_callback(event, callback, spread)
        try:
            use = await self._pushes.subscribe(event, [*tags])
        except BaseException:
            unsubscribe()
            raise

        def unsubscribe_push() -> None:
            self._home.check()
            unsubscribe()
            self._pushes.release(use)

        return unsubscribe_push

    # -- calls ---------------------------------------------------------------------------------------------------------

    @checked
    def call(self, function: _OwnName, /, *args: Any) -> None:
        """Call a function of the server without waiting for its result; an error is emitted as `error`.

        Calls go out in their order. While there is no connection, they wait for the next one.

        Args:
            function: its name.
            *args: its arguments, JSON-ready.

        Raises:
            QueueFull: `max_queue` calls wait for a connection already.
            NotConnected: the client is not started, or has ended.
            ConfigurationError: JSON cannot express an argument; the message names it.
        """
        self._running().calls.submit(function, args, timeout=self._settings.call_timeout)

    @checked
    async def call_wait(self, function: _OwnName, /, *args: Any, timeout: Seconds | None = None) -> Any:
        """Call a function of the server, and return its result; None if it has none.

        Args:
            function: its name.
            *args: its arguments, JSON-ready.
            timeout: time-out for the reply, instead of `call_timeout`.

        Raises:
            RemoteError: the server refused, or the function failed; `.error` says why.
            RequestLost: the connection was lost before the reply came, so the function may have been called.
            RequestTimeout: the reply did not come in time.
            QueueFull: `max_queue` calls wait for a connection already.
            NotConnected: the client is not started, or has ended before the call was sent.
            ConfigurationError: JSON cannot express an argument; the message names it.
        """
        within = self._settings.call_timeout if timeout is None else timeout
        return await self._running().calls.call(function, args, timeout=within)

    @checked
    async def publish(self, user_id: Name, event: _OwnName, /, *data: Any) -> int:
        """Send an event to all connections of a user, on whatever server of ours they are.

        Args:
            user_id: the id of the user.
            event: the name of the event.
            *data: its data, JSON-ready.

        Returns:
            How many connections took it.

        Raises:
            RemoteError: the server refused, or is not one of ours.
            BadFrame: its reply is not a number.
            RcexError: as for `call_wait`.
        """
        reply = await self._running().calls.call(PUBLISH, (user_id, event, *data), timeout=self._settings.call_timeout)
        if not isinstance(reply, int) or isinstance(reply, bool):
            raise BadFrame("the reply to publish() is not a number")
        return reply

    # -- internals -----------------------------------------------------------------------------------------------------

    def _new_runtime(self) -> RtmRuntime:
        return RtmRuntime(
            self._settings,
            self._account,
            self._emitter,
            self._callbacks,
            self._pushes,
            self._ids,
            open_socket=self.open_socket,
        )

    def _started(self) -> RtmRuntime:
        self._home.check()
        if self._runtime is None:
            raise NotConnected("the client is not started; call start() first")
        return self._runtime

    def _running(self) -> RtmRuntime:
        runtime = self._started()
        runtime.raise_if_ended()
        return runtime

    def _add_callback(self, event: str, callback: Callable[..., object], spread: bool) -> Unsubscriber:
        if not spread and not _TAKES_LIST.admits(callback):
            error = refusal("callback", _TAKES_LIST, callback)
            raise ConfigurationError(
                f"{error}: it gets the data of the event as one list; spread=True passes them one by one"
            )
        self._wants_events = True
        self._account.want(time.time())
        return self._callbacks.add(event, callback, spread=spread)

    def _decorate(self, event: str, spread: bool, callback: C) -> C:
        if not _CALLBACK.admits(callback):
            raise refusal("callback", _CALLBACK, callback)
        self._add_callback(event, callback, spread)
        return callback

    async def _callback_failed(self, event: str, error: Exception) -> None:
        logger.error("a callback of the event %r raised; the next one follows", event, exc_info=error)
        if self._emitter.has_handlers(RtmEvents.ERROR):
            await self._emitter.dispatch(RtmEvents.ERROR, error)

    def _handler_failed(self, error: Exception) -> None:
        if self._runtime is not None:  # pragma: no branch - it has called the handler
            self._runtime.inbox.error_logged(error)

    def _push_failed(self, error: Exception) -> None:
        if self._runtime is not None:  # pragma: no branch - it has sent the request
            self._runtime.inbox.error(error)


_CALLBACK = required_constraint(Callable[..., object])
_TAKES_LIST = required_constraint(Callable[[list[Any]], object])
