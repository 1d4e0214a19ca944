"""Open one WebSocket with the `websockets` library, on asyncio or on trio, behind one async context manager.

Called by the supervisor, once per attempt. Nothing above this file sees `websockets`: its exceptions and its log lines
carry the URL, and in the URL stands a token.
"""

from __future__ import annotations

import logging
import ssl as ssl_module
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import anyio
from websockets import exceptions as wse
from websockets.protocol import State
from websockets.uri import parse_uri

from rcex_ws.connection.tap import AsyncioTap, Reader, TrioTap, ignore
from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.home import close_in_children
from rcex_ws.loop import on_trio
from rcex_ws.retry_after import parse_retry_after
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, Frame, Ping, Pong, Text

if TYPE_CHECKING:
    import asyncio

    import trio

__all__ = ["Closed", "Socket", "open_socket"]

# websockets logs the request line, and with it the token, at DEBUG level. This logger stands in no hierarchy, so that
# no configuration can let it speak.
_silent = logging.Logger("rcex_ws.websockets", logging.CRITICAL + 1)

#: The close codes that websockets sends when it cannot read on: protocol error, bad data, message too big (RFC 6455).
_PROTOCOL_ERRORS = (1002, 1003, 1007, 1009)

#: Seconds that the peer has to end the stream after the closing handshake; websockets itself would wait for ever.
_END_TIMEOUT = 5.0


#: Bytes that wait in a transport before writers have to wait, too; the default of websockets' own `write_limit`.
_WRITE_BUFFER = 2**15


@dataclass(frozen=True, slots=True)
class Closed:
    """Say how a WebSocket ended.

    Attributes:
        code: the close code the peer sent, or that of our own protocol error; None without a close frame.
        reason: the text beside the code.
        by_peer: whether the peer sent a close frame: without one, frames may have been lost on the way.
        unreadable: whether this side ended it, because of what the peer sent: a frame over `max_size`, say.
    """

    code: int | None
    reason: str
    by_peer: bool
    unreadable: bool = False


@cache  # a class is large
def _tapped(tap: type, connection: type) -> Any:
    return type("TappedConnection", (tap, connection), {})


class Socket:
    """Wrap one open WebSocket: read all frames, write some, close politely or abort.

    Args:
        websocket: a connection of `websockets`, of either flavour, with a tap.
        close: does the closing handshake.
        abort: drops the connection.
        transport: on asyncio, where bytes can be written without waiting.
    """

    def __init__(
        self,
        websocket: Any,
        close: Callable[[int, str], Awaitable[None]],
        abort: Callable[[], Awaitable[None]],
        transport: asyncio.Transport | None = None,
    ) -> None:
        self._websocket = websocket
        self._close = close
        self._abort = abort
        self._transport = transport
        close_in_children(self)

    def descriptors(self) -> Iterable[int]:
        """Give the descriptor of the connection, if it has one and is open."""
        if self._transport is not None:
            socket = self._transport.get_extra_info("socket")
        else:
            stream = self._websocket.stream
            socket = getattr(getattr(stream, "transport_stream", stream), "socket", None)
        return () if socket is None or socket.fileno() < 0 else (socket.fileno(),)

    async def read(self, on_message: Callable[[bytes, bool], None], on_pong: Callable[[bytes], None]) -> Closed:
        """Hand over what comes until the WebSocket ends; tell how it ended. Pings are answered by themselves.

        Args:
            on_message: takes every message, fragments joined, and whether it was binary.
            on_pong: takes the data of every pong.
        """
        websocket = self._websocket
        reader = Reader(on_message, on_pong, websocket.end)
        for frame in websocket.early or ():
            reader.take(frame)
        websocket.on_frame, websocket.early = reader.take, None
        try:
            await websocket.end.wait()
        finally:
            websocket.on_frame = ignore
        if reader.failure is not None:
            raise reader.failure
        protocol = websocket.protocol
        rcvd, sent = protocol.close_rcvd, protocol.close_sent
        if sent is not None and not protocol.close_rcvd_then_sent and sent.code in _PROTOCOL_ERRORS:
            return Closed(sent.code, sent.reason, by_peer=False, unreadable=True)
        if rcvd is not None:
            return Closed(rcvd.code, rcvd.reason, by_peer=True)
        return Closed(None, "", by_peer=False)

    async def send(self, messages: Iterable[bytes | Frame]) -> bool:
        """Write messages, whole; tell whether the WebSocket was still open. Bytes are a text message, encoded."""
        try:
            async with self._websocket.send_context():
                self._frame(messages)
        except wse.ConnectionClosed:
            return False
        return True

    def can_write(self) -> bool:
        """Tell whether `write` is possible: on asyncio, while the WebSocket is open and its buffer not full."""
        transport = self._transport
        return (
            transport is not None
            and self._websocket.protocol.state is State.OPEN
            and not transport.is_closing()
            and transport.get_write_buffer_size() < _WRITE_BUFFER
        )

    def write(self, messages: Iterable[bytes | Frame]) -> None:
        """Write messages without waiting, in one system call if the network takes them; only if `can_write`."""
        if self._transport is None:
            raise AssertionError("only asyncio's transports can do this")
        self._frame(messages)
        self._transport.write(b"".join(self._websocket.protocol.data_to_send()))

    def _frame(self, messages: Iterable[bytes | Frame]) -> None:
        protocol = self._websocket.protocol
        for message in messages:
            if isinstance(message, bytes):
                protocol.send_text(message)
                continue
            match message:
                case Text(data):
                    protocol.send_text(data.encode())
                case Binary(data):
                    protocol.send_binary(data)
                case Ping(data):
                    protocol.send_ping(data)
                case Pong(data):
                    protocol.send_pong(data)
                case _:
                    raise AssertionError("a close frame goes by `close`")

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Do the closing handshake, for at most `within` seconds; then the connection is aborted."""
        try:
            with anyio.move_on_after(within):
                await self._close(code, reason)
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        with anyio.CancelScope(shield=True):
            await self._abort()


@asynccontextmanager
async def open_socket(endpoint: Endpoint, *, stream: trio.abc.Stream | None = None) -> AsyncGenerator[Socket, None]:
    """Open one WebSocket; on leaving, whatever is left of it is aborted.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.
        stream: on trio, a connected stream to use instead of a new TCP connection.

    Raises:
        UpgradeRefused: the server answered with an HTTP status other than 101.
        ConnectFailed: anything else, from name resolution to TLS.
    """
    options: dict[str, Any] = {
        "additional_headers": dict(endpoint.headers),
        "proxy": _proxy(endpoint.proxy),
        "max_size": endpoint.max_size,
        "max_queue": None,  # the reader never pauses; the bounds stand in the delivery queue
        "ping_interval": None,  # protocol pings prove nothing to some servers; the link has its own heartbeat
        "open_timeout": None,
        "close_timeout": _END_TIMEOUT,
        "logger": _silent,
    }
    if endpoint.ssl_context is not None and endpoint.url.startswith("wss:"):
        options["ssl"] = endpoint.ssl_context
    try:
        parse_uri(endpoint.url)
    except wse.InvalidURI:
        raise ConnectFailed("the WebSocket address is not a valid ws:// or wss:// URI", retryable=False) from None
    if on_trio():
        opened = _open_trio(endpoint.url, {**options, "stream": stream})
    else:
        opened = _open_asyncio(endpoint.url, options)
    async with opened as socket:
        yield socket


def _proxy(proxy: str | bool | None) -> str | Literal[True] | None:
    """Translate our three cases into the words of websockets, where None means no proxy."""
    if proxy is None or proxy is True:
        return True
    return proxy or None


@asynccontextmanager
async def _open_asyncio(url: str, options: dict[str, Any]) -> AsyncGenerator[Socket, None]:
    from websockets.asyncio.client import ClientConnection, connect

    try:
        websocket = await connect(url, create_connection=_tapped(AsyncioTap, ClientConnection), **options)
    except Exception as exc:  # noqa: BLE001 - every way to fail is one of ours
        raise _wrap(exc) from None

    async def close(code: int, reason: str) -> None:
        await websocket.close(code, reason)

    async def abort() -> None:
        websocket.transport.abort()
        await websocket.wait_closed()

    socket = Socket(websocket, close, abort, websocket.transport)
    try:
        yield socket
    finally:
        await socket.abort()


@asynccontextmanager
async def _open_trio(url: str, options: dict[str, Any]) -> AsyncGenerator[Socket, None]:
    import trio
    from websockets.trio.client import ClientConnection, connect

    try:
        opening = connect(url, create_connection=_tapped(TrioTap, ClientConnection), **options)
        websocket = await opening.__aenter__()
    except Exception as exc:  # noqa: BLE001 - every way to fail is one of ours
        raise _wrap(exc) from None

    async def close(code: int, reason: str) -> None:
        await websocket.aclose(code, reason)

    async def abort() -> None:
        # Not `wait_closed`: a cancellation from outside has ended the task of websockets that would set it.
        await trio.aclose_forcefully(websocket.stream)

    socket = Socket(websocket, close, abort)
    try:
        yield socket
    finally:
        await socket.abort()
        # The nursery of websockets must not see a pending exception, which it would wrap; it has nothing to wait for.
        await opening.__aexit__(None, None, None)


def _wrap(exc: Exception) -> ConnectFailed:
    """Turn what `websockets.connect` raises into our own error, without the URL."""
    # trio reports a failed TLS handshake as a broken stream, with the reason as its cause.
    if isinstance(exc.__cause__, ssl_module.SSLError):
        exc = exc.__cause__
    match exc:
        case wse.InvalidStatus():
            retry_after = parse_retry_after(exc.response.headers.get("Retry-After", ""), now=time.time())
            return UpgradeRefused(exc.response.status_code, retry_after=retry_after)
        case wse.InvalidURI():
            return ConnectFailed("the server redirected the upgrade to something else", upgrade_sent=True)
        case wse.InvalidProxy():
            return ConnectFailed(f"the proxy's address cannot be used: {exc.msg}", retryable=False)
        case ImportError():
            return ConnectFailed(f"the proxy needs a package: {exc}", retryable=False)
        case wse.ProxyError():
            return ConnectFailed(f"the proxy did not connect: {type(exc).__name__}")
        case OSError():  # also TLS errors
            return ConnectFailed(f"no connection to the server: {type(exc).__name__}: {exc.strerror or exc}")
        case _:
            return ConnectFailed(f"the WebSocket upgrade failed: {type(exc).__name__}", upgrade_sent=True)
