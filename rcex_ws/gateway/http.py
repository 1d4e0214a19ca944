"""A small HTTP server for ASGI applications that can reset a connection and stops at once. On asyncio.

Serves the REST API of the gateway and of the fake Slack. Production servers have no documented way to reset the
connection of a request, and are slow to stop, which would slow down every test. To reset the connection an application
raises `ConnectionResetError`; to send no answer it waits for "http.disconnect".

Requests on a kept-alive connection are served one after the other; bodies are buffered in both directions, but for
answers of the type text/event-stream, whose parts are written as they come.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import anyio
import h11

from rcex_ws.websocket.listen import accept_all
from rcex_ws.websocket.server_connection import reset

__all__ = ["Application", "Message", "Receive", "Scope", "Send", "serve_http"]

_logger = logging.getLogger(__name__)

_READ_SIZE = 2**16
_LONGEST_BODY = 50 * 2**20
"""Bytes; RingCentral's limit for the documents of a fax."""
_MOST_PIPELINED = 2**20
"""Bytes that may be pipelined after a request before it is answered."""
_LINGER = 5.0
"""Seconds for which the rest of a rejected request is discarded, so that the client reads the answer, not a reset."""
_EVENT_STREAM = b"text/event-stream"
_BODILESS = (204, 304)  # RFC 9110, section 6.4.1

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def serve_http(
    listener: socket.socket, application: Application, *, ssl_context: ssl.SSLContext | None = None
) -> None:
    """Serve until cancelled, then abort the open connections.

    Args:
        listener: a listening socket, see `rcex_ws.websocket.listen.bind`; it stays open.
        application: called for each request (ASGI).
        ssl_context: the server's TLS context, None for plain HTTP.
    """

    async def serve_one(sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # otherwise some answers are delayed by 40 ms
            client = sock.getpeername()
            reader, writer = await _streams(sock, ssl_context)
        except OSError:
            return  # the TLS handshake failed, or the client has disconnected
        try:
            await _HTTPConnection(reader, writer, client, application).serve()
        except (OSError, EOFError):
            pass  # the normal ways for a connection to end
        except Exception:  # a bug in serving one client must not affect the others
            _logger.exception("serving a connection failed")
        finally:
            writer.transport.abort()

    await accept_all(listener, serve_one)


async def _streams(
    sock: socket.socket, ssl_context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=ssl_context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _TooLarge(h11.RemoteProtocolError):
    """A request body that exceeds the limit."""

    def __init__(self) -> None:
        super().__init__("the body is too large", error_status_hint=413)


def _content_length(request: h11.Request) -> int:
    """Return the Content-Length of a request, 0 without one; h11 has checked that it is a number."""
    return int(next((value for name, value in request.headers if name == b"content-length"), b"0"))


def _dated(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers with a Date."""
    if any(name.lower() == b"date" for name, _ in headers):
        return list(headers)
    return [*headers, (b"date", formatdate(usegmt=True).encode())]


class _HTTPConnection:
    """One client connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Any, application: Application
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client
        self._application = application
        self._http = h11.Connection(h11.SERVER)
        writer.transport.set_write_buffer_limits(0)  # so that `drain` waits until everything is sent

    async def serve(self) -> None:
        """Answer requests until the client or an answer ends the connection."""
        try:
            while await self._answer(*await self._read_request()) and self._http.our_state is h11.DONE:
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as exc:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._reject(exc.error_status_hint)

    async def _reject(self, status: int) -> None:
        """Answer a request that was not read completely, and wait until the client has read the answer."""
        await self._write(status, [(b"connection", b"close")], b"")
        if self._writer.can_write_eof():
            self._writer.write_eof()
        with anyio.move_on_after(_LINGER):
            while await self._reader.read(_READ_SIZE):
                pass

    async def _read_request(self) -> tuple[h11.Request, bytes]:
        request: h11.Request | None = None
        body = bytearray()  # not a list of pieces, which may be two bytes each
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                data = await self._reader.read(_READ_SIZE)
                if not data and self._http.their_state is h11.IDLE:
                    raise EOFError
                self._http.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
                if _content_length(event) > _LONGEST_BODY:
                    raise _TooLarge
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _LONGEST_BODY:
                    raise _TooLarge
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return request, bytes(body)
            else:
                raise EOFError

    async def _answer(self, request: h11.Request, body: bytes) -> bool:
        """Have the application answer a request; return whether the connection can be reused."""
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        status, headers, parts = 500, list[tuple[bytes, bytes]](), list[bytes]()
        is_streamed = False

        async def receive() -> Message:
            if not pending:
                pipelined = 0
                with suppress(OSError):  # a client that ends by a RST is gone as well
                    while pipelined <= _MOST_PIPELINED and (data := await self._reader.read(_READ_SIZE)):
                        self._http.receive_data(data)  # a pipelined request
                        pipelined += len(data)
                pending.append({"type": "http.disconnect"})
            return pending[0] if pending[0]["type"] == "http.disconnect" else pending.pop()

        async def send(message: Message) -> None:
            nonlocal status, headers, is_streamed
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", ()))
                is_streamed = (b"content-type", _EVENT_STREAM) in headers
                if is_streamed:
                    await self._send(h11.Response(status_code=status, headers=_dated(headers)))
            elif is_streamed:
                with suppress(OSError):  # the application hears of it by `receive`
                    await self._send(h11.Data(data=message.get("body", b"")))
            else:
                parts.append(message.get("body", b""))

        try:
            await self._application(self._scope(request), receive, send)
        except ConnectionResetError:
            reset(self._writer.transport)
            return False
        except Exception:  # a bug in the application must not affect other connections
            _logger.exception("an application failed")
            if is_streamed:
                return False
            status, headers, parts = 500, [], [b"Internal Server Error"]
        if pending and pending[0]["type"] == "http.disconnect":
            return False
        if is_streamed:
            await self._send(h11.EndOfMessage())
            return True
        try:
            await self._write(status, headers, b"".join(parts), bodiless=request.method == b"HEAD")
        except h11.LocalProtocolError:
            _logger.exception("an application returned an invalid response")
            return False
        return True

    def _scope(self, request: h11.Request) -> Scope:
        path, _, query = bytes(request.target).partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode("ascii"),
            "scheme": "http",
            "method": request.method.decode("ascii"),
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(bytes(name), bytes(value)) for name, value in request.headers],
            "client": self._client[:2],
            "server": self._writer.get_extra_info("sockname")[:2],
        }

    async def _send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        """Write a part of an answer."""
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def _write(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, bodiless: bool = False
    ) -> None:
        """Write an answer in one piece."""
        named = {name.lower() for name, _ in headers}
        fields = _dated(headers)
        if b"content-length" not in named and status not in _BODILESS:
            fields.append((b"content-length", str(len(body)).encode()))
        http = self._http
        data = http.send(h11.Response(status_code=status, headers=fields)) or b""
        if body and not bodiless and status not in _BODILESS:
            data += http.send(h11.Data(data=body)) or b""
        self._writer.write(data + (http.send(h11.EndOfMessage()) or b""))
        await self._writer.drain()
