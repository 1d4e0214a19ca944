"""The server side of HTTP/1.1 over any trio stream: one request after the other, and the upgrade to a WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import trio

from oracle.wire.peer import READ_SIZE, Peer
from oracle.wire.websocket import accept_key

LARGEST_HEAD = 65536
LARGEST_BODY = 16 * 1024 * 1024
KEY_SIZE = 24  # 16 bytes as base64
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
Headers = Sequence[tuple[str, str]]


class BadRequest(Exception):
    """Report a request that HTTP or RFC 6455 forbids, or that ended in the middle."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end.

    Attributes:
        method: as sent.
        target: path and query, or a whole URI, as sent.
        headers: in order; names in lower case.
        body: without its transfer coding.
    """

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str, default: str = "") -> str:
        """Give a header; several of one name joined by commas, as RFC 9110 allows."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else default

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """The query; of several values of one name the last."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def is_upgrade(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return "websocket" in _words(self.header("upgrade")) and "upgrade" in _words(self.header("connection"))

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return self.version == "HTTP/1.1" and "close" not in _words(self.header("connection"))


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


def response(
    status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), *, chunk: int | None = None
) -> bytes:
    """Build a response, to be sent whole or in part.

    Args:
        status: the HTTP status.
        body: what it carries.
        headers: beside Content-Length or Transfer-Encoding.
        chunk: the size of chunks in bytes; None for a Content-Length.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    if chunk is not None:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)] + [b""]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    elif status >= 200 and status not in {204, 304}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class HTTPConnection:
    """Read requests from one connection and answer them.

    Args:
        stream: the connection.
        clock: gives the time for the Date header, in seconds since the epoch; None to send none.

    Attributes:
        stream: as given.
    """

    def __init__(self, stream: trio.abc.Stream, clock: Callable[[], float] | None = None) -> None:
        self.stream = stream
        self._clock = clock
        self._buffer = bytearray()

    async def read_request(self) -> Request | None:
        """Read one request with its body; None when the client closes between two.

        Raises:
            BadRequest: the client sent what is not HTTP/1.1, too much, or stopped in the middle.
            trio.BrokenResourceError: it reset the connection.
        """
        head = await self._read_head()
        if head is None:
            return None
        request_line, *lines = head.split("\r\n")
        method, target, version = _parse_request_line(request_line)
        headers = tuple(_parse_header(line) for line in lines)
        request = Request(method, target, version, headers)
        if len([None for name, _ in headers if name == "host"]) != 1:
            raise BadRequest("a request must have one Host")
        body = await self._read_body(request)
        return Request(method, target, version, headers, body)

    async def respond(
        self, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), *, chunk: int | None = None
    ) -> None:
        """Answer; see `response`."""
        if self._clock is not None:
            headers = (("Date", formatdate(self._clock(), usegmt=True)), *headers)
        await self.stream.send_all(response(status, body, headers, chunk=chunk))

    async def send(self, data: bytes) -> None:
        """Write garbage, or a part of a response."""
        await self.stream.send_all(data)

    async def upgrade(self, request: Request, *, first: bytes = b"", headers: Headers = ()) -> Peer:
        """Answer 101 and give the open WebSocket.

        Args:
            request: that of the client.
            first: frames to send in the same segment.
            headers: more of them.

        Raises:
            BadRequest: it is no opening handshake by RFC 6455, 4.1.
        """
        key = request.header("sec-websocket-key")
        if request.method != "GET" or not request.is_upgrade or len(key) != KEY_SIZE:
            raise BadRequest("no opening handshake")
        if request.header("sec-websocket-version") != "13":
            raise BadRequest("the version of the WebSocket protocol is not 13")
        switch = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
        await self.stream.send_all(response(101, b"", [*switch, *headers]) + first)
        surplus, self._buffer = bytes(self._buffer), bytearray()
        return Peer(self.stream, surplus)

    async def _read_head(self) -> str | None:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > LARGEST_HEAD:
                raise BadRequest("a head that is too large")
            if not await self._read_more():
                if self._buffer:
                    raise BadRequest("the head ended in the middle")
                return None
        head = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        return head

    async def _read_body(self, request: Request) -> bytes:
        lengths, coding = request.header("content-length"), request.header("transfer-encoding").lower()
        if coding:
            if coding != "chunked" or lengths:
                raise BadRequest("a body of unclear length")
            return await self._read_chunks()
        if not lengths:
            return b""
        if not lengths.isdecimal() or int(lengths) > LARGEST_BODY:
            raise BadRequest("a body that is too large, or of unclear length")
        return await self._read_exactly(int(lengths))

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = await self._read_line()
            try:
                size = int(line.partition(";")[0].strip(), 16)
            except ValueError:
                raise BadRequest("a chunk without a size") from None
            if not 0 <= size <= LARGEST_BODY - len(body):
                raise BadRequest("a body that is too large")
            if size == 0:
                while await self._read_line():
                    pass  # trailers
                return bytes(body)
            body += await self._read_exactly(size)
            if await self._read_exactly(2) != b"\r\n":
                raise BadRequest("a chunk that does not end with its size")

    async def _read_line(self) -> str:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LARGEST_HEAD or not await self._read_more():
                raise BadRequest("a line that does not end")
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        return line

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not await self._read_more():
                raise BadRequest("the body ended in the middle")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _read_more(self) -> bool:
        data = await self.stream.receive_some(READ_SIZE)
        self._buffer += data
        return bool(data)


def _parse_request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not set(parts[0]) <= TOKEN or parts[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadRequest("no request line")
    return parts[0], parts[1], parts[2]


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or not set(name) <= TOKEN:  # no folding, no space before the colon
        raise BadRequest("no header line")
    return name.lower(), value.strip(" \t")
