"""The callback client: a handler with six methods over the same connection as everything else.

`WebSocketClient.run` is what a supervisor calls, `start` what code with a task group calls. It brings a driver and a
conversation to the engine's supervisor and feeds a `CallbackLoop`; the reader never runs user code.
"""

from __future__ import annotations

import math
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypedDict, TypeVar, Unpack

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from rcex_ws.connection.callbacks import CallbackLoop, Disconnection, running_client
from rcex_ws.connection.frames import Binary, CloseFrame, Frame, Ping, Pong, Text
from rcex_ws.connection.link import Link, Loss, LossKind
from rcex_ws.connection.options import check_options
from rcex_ws.connection.schedule import ReconnectDelays, default_delays
from rcex_ws.connection.socket import Endpoint, Opener, open_websocket
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.connection.websocket_handler import KEEPALIVE_TIMEOUT, REMOTE, CallbackClient, WebSocketHandler
from rcex_ws.errors import ConfigurationError, RcexError, TransportError

__all__ = ["NextUrl", "WebSocketClient", "WebSocketOptions"]

S = TypeVar("S")

NextUrl = Callable[[], Awaitable[str | bytes]]
"""Get the address for one attempt; an `RcexError` is an attempt that failed, anything else ends the client."""

_NO_STATUS = 1005  # how a close frame without a code shows (RFC 6455, section 7.4.1)
_BAD_TEXT = 1007


class WebSocketOptions(TypedDict, total=False):
    """Be the options of a client, all by keyword.

    Attributes:
        next_url: gives the address of every attempt after the first, where each serves only once.
        headers: extra headers of the upgrade request.
        proxy: None for the environment's proxy, a URL (http, https, socks5) for that one, False for none.
        ssl_context: for wss:// only; None for the system's trust store.
        max_size: the largest message accepted, in bytes (16 MiB).
        attempt_timeout: seconds for one attempt, `next_url` included (10).
        close_timeout: seconds for the closing handshake (5).
        reconnect_delays: gives the wait in seconds after the n-th failure in a row.
        max_pending: most frames that wait for the handler; beyond that the oldest go (10 000).
        max_pending_bytes: most bytes of them (64 MiB).
        open_socket: opens a WebSocket; a test may bring its own.
    """

    next_url: NextUrl | None
    headers: Mapping[str, str]
    proxy: str | bool | None
    ssl_context: ssl_module.SSLContext | None
    max_size: int
    attempt_timeout: float
    close_timeout: float
    reconnect_delays: ReconnectDelays
    max_pending: int
    max_pending_bytes: int
    open_socket: Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """Hold the checked options."""

    url: str = field(repr=False)
    keepalive: float | None
    next_url: NextUrl | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    proxy: str | bool | None = field(default=None, repr=False)
    ssl_context: ssl_module.SSLContext | None = None
    max_size: int = 16 * 2**20
    attempt_timeout: float = 10.0
    close_timeout: float = 5.0
    reconnect_delays: ReconnectDelays = default_delays
    max_pending: int = 10_000
    max_pending_bytes: int = 64 * 2**20
    open_socket: Opener = open_websocket

    def __post_init__(self) -> None:
        check_options(self)
        if self.keepalive is not None and not _is_seconds(self.keepalive):
            raise ConfigurationError(f"keepalive: expected None or seconds above 0, got {self.keepalive!r}")
        if self.next_url is not None and not callable(self.next_url):
            raise ConfigurationError(f"next_url: expected an async function, got {self.next_url!r}")

    def endpoint(self, url: str) -> Endpoint:
        return Endpoint(
            url, headers=self.headers, proxy=self.proxy, ssl_context=self.ssl_context, max_size=self.max_size
        )


class WebSocketClient:
    """Keep a handler connected; made by `start` and `run`. Its methods may be called from any task of the event loop."""

    def __init__(self, settings: _Settings, handler: WebSocketHandler[Any], state: Any) -> None:
        wire = _LinkWire()
        self._loop = CallbackLoop(
            self, wire, handler, state, max_pending=settings.max_pending, max_pending_bytes=settings.max_pending_bytes
        )
        silence = math.inf if settings.keepalive is None else settings.keepalive
        self._supervisor = Supervisor(
            _Driver(settings, wire, self._loop),
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=silence,
            heartbeat_timeout=silence,
            close_timeout=settings.close_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=settings.open_socket,
        )

    @classmethod
    async def run(
        cls,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        *,
        keepalive: float | None = None,
        task_status: TaskStatus[WebSocketClient] = TASK_STATUS_IGNORED,
        **options: Unpack[WebSocketOptions],
    ) -> object:
        """Run a handler until it ends; a cancellation drops the connection without calling anything.

        Args:
            url: the ws:// or wss:// address.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: seconds without an inbound frame after which to send a ping, and to wait for a sign of life after
                that; None for no pings.
            task_status: gets the client as soon as `init` is done, for `TaskGroup.start`.
            options: see `WebSocketOptions`.

        Returns:
            The final reason: `NORMAL`, or what a `Close` said.

        Raises:
            ConfigurationError: an option cannot work.
            TypeError: a callback gave what it may not give.
            Exception: a callback raised it, or it is the final reason.
        """
        client = cls(_Settings(url=_text(url), keepalive=keepalive, **options), handler, state)
        await client._loop.init()
        task_status.started(client)
        return await client._run()

    @classmethod
    async def start(
        cls,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        keepalive: float | None = None,
        *,
        task_group: TaskGroup,
        **options: Unpack[WebSocketOptions],
    ) -> WebSocketClient:
        """Run a handler in a task group; return as soon as `init` is done, before there is a connection.

        Args:
            url: as for `run`, like all that is not named here.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: seconds.
            task_group: the owner; what `run` raises ends it.
            options: see `WebSocketOptions`.

        Raises:
            Exception: what `init` raised, or an option that cannot work.
        """
        run = partial(cls.run, url, handler, state, keepalive=keepalive, **options)
        client: WebSocketClient = await task_group.start(run, name="rcex_ws callback client")
        return client

    @staticmethod
    def current() -> CallbackClient:
        """Give the client whose callback calls this.

        Raises:
            RuntimeError: the caller is not called by a callback.
        """
        client = running_client.get()
        if client is None:
            raise RuntimeError("only a callback of a WebSocketHandler has a current client")
        return client

    def cast(self, frame: Frame) -> None:
        """Send a frame; drop it with a warning when not connected. Never raises."""
        self._loop.cast(frame)

    def info(self, message: object) -> None:
        """Have `websocket_info` called with any message, in its turn. Never raises."""
        self._loop.info(message)

    async def stop(self) -> None:
        """Handle what was put before, close politely, and end; from inside a callback, without waiting for that."""
        await self._loop.stop()

    async def _run(self) -> object:
        reason: object = None
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._connect)
            try:
                reason = await self._loop.run()
            except Exception as exc:  # noqa: BLE001 - raised again outside the group, which would wrap it
                failure = exc
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return reason

    async def _connect(self) -> None:
        try:
            await self._supervisor.run()
        except Exception as exc:  # noqa: BLE001 - reaches the owner by way of the loop
            self._supervisor.crashed(exc)


class _LinkWire:
    """Give the loop the connection of the moment."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._closing = False  # nothing is sent after a close frame

    def connect(self, link: Link) -> None:
        self._link, self._closing = link, False

    def send(self, frame: Frame) -> bool:
        link = self._link
        if link is None or link.loss is not None or self._closing:
            return False
        self._closing = isinstance(frame, CloseFrame)
        link.send(frame)
        return True

    def close(self) -> bool:
        return self.send(CloseFrame()) or (self._link is not None and self._link.loss is None)


class _Driver:
    """Say where to connect, and let the handler decide what follows."""

    def __init__(self, settings: _Settings, wire: _LinkWire, loop: CallbackLoop[Any]) -> None:
        self._settings = settings
        self._wire = wire
        self._loop = loop
        self._first = True

    async def endpoint(self) -> Endpoint:
        url, next_url = self._settings.url, self._settings.next_url
        if next_url is not None and not self._first:
            url = _text(await next_url())
        self._first = False
        return self._settings.endpoint(url)

    def converse(self, link: Link) -> _Conversation:
        self._wire.connect(link)
        self._loop.connected(link.id)
        return _Conversation(link, self._loop)

    async def again(self, ended: Loss | RcexError, delay: float) -> float | None:
        reason: object = ended
        if isinstance(ended, Loss):
            reason = _reason(ended)
            if ended.kind is LossKind.CLOSED:
                self._loop.came(_close_frame(ended), 0)
        at_least = ended.retry_after or 0.0 if isinstance(ended, RcexError) else 0.0
        disconnection = Disconnection(reason, delay, at_least=at_least)
        self._loop.disconnected(disconnection)
        return await disconnection.decision()

    def failed(self, error: Exception) -> None:
        self._loop.crash(error)


class _Conversation:
    """Put what comes over one connection into the mailbox."""

    def __init__(self, link: Link, loop: CallbackLoop[Any]) -> None:
        self._link = link
        self._loop = loop

    def received(self, data: bytes, binary: bool) -> None:
        if binary:
            self._loop.came(Binary(data), len(data))
            return
        try:
            frame = Text(data.decode())
        except UnicodeDecodeError:
            self._link.lose(Loss(LossKind.UNREADABLE, _BAD_TEXT, "a text message that is not UTF-8"))
        else:
            self._loop.came(frame, len(data))

    def ponged(self, data: bytes) -> None:
        self._loop.came(Pong(data), len(data))

    def heartbeat(self) -> Frame:
        return Ping()

    def suspended(self, seconds: float) -> None:
        """Do nothing: the engine sends a ping at once."""

    def lost(self, loss: Loss) -> None:
        """Do nothing: the driver tells the handler, and waits for its decision."""

    async def handshake(self) -> None:
        """Do nothing: a WebSocket is ready when it is open."""

    async def prepare(self) -> None:
        """Do nothing, as above."""

    async def ready(self) -> None:
        """Do nothing, as above."""


def _reason(loss: Loss) -> object:
    match loss.kind:
        case LossKind.CLOSED:
            return REMOTE
        case LossKind.SILENT:
            return KEEPALIVE_TIMEOUT
        case LossKind.DROPPED:
            return TransportError("the connection ended without a close frame")
        case _:
            return TransportError(f"the connection was lost: {loss}")


def _close_frame(loss: Loss) -> CloseFrame:
    code = loss.code if isinstance(loss.code, int) and loss.code != _NO_STATUS else 1000
    return CloseFrame(code, loss.text)


def _text(url: str | bytes) -> str:
    if isinstance(url, str):
        return url
    try:
        return url.decode("ascii")
    except UnicodeDecodeError:
        raise ConfigurationError("url: the bytes of an address are ASCII") from None


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
