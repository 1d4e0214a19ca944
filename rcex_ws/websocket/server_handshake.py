"""The server's side of the opening handshake: parses a request, sends a response, makes an open `Codec`. Pure.

The parser of `websockets` gets only the head of the request: it would parse and answer frames that arrive before the
server has accepted. Its reaction to a bad request differs between versions, so the limits and the request line are
checked here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as WireRequest
from websockets.http11 import Response
from websockets.server import ServerProtocol

from rcex_ws.websocket.codec import Codec
from rcex_ws.websocket.handshake import DEFLATE, silent_logger

__all__ = ["ServerHandshake", "UpgradeRequest", "answer"]

_END_OF_HEAD = b"\r\n\r\n"

# Limits of a request, in bytes and lines; slightly below those of `websockets`.
_MAX_HEAD = 2**16
_MAX_LINE = 8000
_MAX_LINES = 100

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_TARGET = re.compile(rb"[!-~]+")
_VERSION = re.compile(rb"HTTP/\d\.\d")
_UNSAFE = re.compile(r"[\r\n\0]")

_DEFLATE = ServerPerMessageDeflateFactory(**DEFLATE)


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A client's request for a WebSocket.

    Attributes:
        path: the path with its query, as received; may contain secrets, so it is never shown.
        headers: names in lower case; repeated headers are joined by a comma.
        subprotocols: those that the client supports, in its order.
    """

    path: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    subprotocols: tuple[str, ...] = ()


class _BadUpgradeRequest(Exception):
    """A request that cannot become a WebSocket; has the response to it."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, why)
        self.answer = answer(status, headers, why + "\n")


class ServerHandshake:
    """The opening handshake of one WebSocket.

    Args:
        max_size: the largest message accepted later, in bytes.
        compress: whether messages may be compressed (permessage-deflate).

    Attributes:
        request: the client's request; None until it is complete.
        refusal: the response to an invalid or oversized request, which ends the connection.
        deflates: whether compression was negotiated.
    """

    __slots__ = ("_data", "_max_size", "_protocol", "_response", "deflates", "refusal", "request")

    def __init__(self, *, max_size: int, compress: bool = True) -> None:
        self.request: UpgradeRequest | None = None
        self.refusal = b""
        self.deflates = False
        self._max_size = max_size
        self._protocol = ServerProtocol(
            extensions=[_DEFLATE] if compress else None, max_size=max_size, logger=silent_logger
        )
        self._response: Response | None = None
        self._data = bytearray()  # the head received so far, later the data that followed it

    def feed(self, data: bytes) -> bool:
        """Parse received data; return whether `request` or `refusal` has just been set."""
        if self.refusal:
            return False
        if self.request is not None:
            self._data += data
            return False
        try:
            self.request = self._read(data)
        except _BadUpgradeRequest as refused:
            self.refusal = refused.answer
            self._data.clear()
            return True
        return self.request is not None

    def accept(self, subprotocol: str | None = None, headers: Mapping[str, str] | None = None) -> tuple[bytes, Codec]:
        """Accept the `request`.

        Args:
            subprotocol: one that the client supports.
            headers: additional headers of the response.

        Returns:
            The response, and the codec that reads and writes the WebSocket from then on.

        Raises:
            ValueError: the client does not support the subprotocol, or a header cannot be sent.
        """
        request, response = self.request, self._response
        if request is None or response is None:
            raise AssertionError("the request comes first")
        if subprotocol is not None:
            if subprotocol not in request.subprotocols:
                raise ValueError(f"the client does not speak the subprotocol {subprotocol!r}")
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        _put(response.headers, headers or {})
        self._protocol.send_response(response)
        self._response = None
        codec = Codec(self._protocol, max_size=self._max_size)
        if self._data:
            codec.feed(bytes(self._data))
            self._data.clear()
        return b"".join(self._protocol.data_to_send()), codec

    def _read(self, data: bytes) -> UpgradeRequest | None:
        """Buffer data until the head is complete, then parse it; None until then.

        Raises:
            _BadUpgradeRequest: the request is too large or invalid.
        """
        begin = max(0, len(self._data) - len(_END_OF_HEAD) + 1)
        self._data += data
        end = self._data.find(_END_OF_HEAD, begin)
        size = len(self._data) if end < 0 else end
        if size > _MAX_LINE and self._data.find(b"\r\n", 0, _MAX_LINE) < 0:
            raise _BadUpgradeRequest(414, "The request line is too long.")
        if size > _MAX_HEAD:
            raise _BadUpgradeRequest(431, "The head of the request is too large.")
        if end < 0:
            return None
        end += len(_END_OF_HEAD)
        head = bytes(self._data[:end])
        del self._data[:end]
        _check(head)
        return self._parse(head)

    def _parse(self, head: bytes) -> UpgradeRequest:
        """Parse the request with the library, and have it checked."""
        protocol = self._protocol
        protocol.receive_data(head)
        request = next((event for event in protocol.events_received() if isinstance(event, WireRequest)), None)
        if request is None:
            raise _BadUpgradeRequest(400, "This is not a request for a WebSocket.")
        try:
            self._response = response = protocol.accept(request)
        except UnicodeEncodeError:  # pragma: no cover - websockets 15 alone fails to encode its own error message
            raise _BadUpgradeRequest(400, "A header is not ASCII.") from None
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            upgrade = {"Upgrade": "websocket"} if response.status_code == HTTPStatus.UPGRADE_REQUIRED else {}
            raise _BadUpgradeRequest(response.status_code, bytes(response.body).decode().strip(), upgrade)
        self.deflates = "Sec-WebSocket-Extensions" in response.headers
        headers: dict[str, str] = {}
        for name, value in request.headers.raw_items():
            name = sys.intern(name.lower())  # most clients send the same names
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        spoken = headers.get("sec-websocket-protocol", "").split(",")
        request.headers.clear()  # the parser keeps the request for as long as the connection lives
        return UpgradeRequest(request.path, headers, tuple(filter(None, (one.strip() for one in spoken))))


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> bytes:
    """Return an HTTP response that is no upgrade and closes the connection.

    Args:
        status: 200 to 999.
        headers: they replace ours of the same name.
        body: text is encoded as UTF-8.

    Raises:
        ValueError: a header or the status cannot be sent.
    """
    if not 200 <= status <= 999:
        raise ValueError(f"a refusal has a status from 200 to 999, not {status}")
    content = body.encode() if isinstance(body, str) else body
    ours = Headers(Date=formatdate(usegmt=True), Connection="close")
    if content:
        ours["Content-Type"] = "text/plain; charset=utf-8"
    ours["Content-Length"] = str(len(content))
    _put(ours, headers or {})
    phrase = HTTPStatus(status).phrase if status in {known.value for known in HTTPStatus} else "Refused"
    protocol = ServerProtocol(logger=silent_logger)
    protocol.send_response(Response(status, phrase, ours, content))
    return b"".join(protocol.data_to_send())


def _check(head: bytes) -> None:
    """Check the request line and the sizes, so that every version of the library can parse the request.

    Raises:
        _BadUpgradeRequest: one of them is invalid.
    """
    first, *lines = head[: -len(_END_OF_HEAD)].split(b"\r\n")
    if len(lines) > _MAX_LINES or any(len(line) > _MAX_LINE for line in lines):
        raise _BadUpgradeRequest(431, "The head of the request is too large.")
    method, _, rest = first.partition(b" ")
    target, _, version = rest.partition(b" ")
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target) or not _VERSION.fullmatch(version):
        raise _BadUpgradeRequest(400, "This is not an HTTP request.")
    if version != b"HTTP/1.1":
        raise _BadUpgradeRequest(505, "A WebSocket needs HTTP/1.1.")
    if method != b"GET":
        raise _BadUpgradeRequest(405, "A WebSocket is requested with GET.", {"Allow": "GET"})


def _put(headers: Headers, more: Mapping[str, str]) -> None:
    for name, value in more.items():
        if not _TOKEN.fullmatch(name.encode()) or _UNSAFE.search(value):
            raise ValueError(f"the header {name!r} cannot be sent")
        if name in headers:
            del headers[name]
        headers[name] = value
