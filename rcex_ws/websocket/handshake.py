"""The client's side of the opening handshake: sends a request, parses the response, makes an open `Codec`. Pure.

The end of the response is found here and not by the parser of `websockets`, so that what follows it (a frame in the
TCP segment of the 101) is handled like any other frame.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping
from typing import Any

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.readers import read_retry_after
from rcex_ws.version import __version__
from rcex_ws.websocket.codec import Codec

__all__ = ["DEFLATE", "ClientHandshake", "silent_logger"]

# websockets logs the request line, which holds the token, at DEBUG level. This logger is outside the hierarchy, so that
# no configuration can enable it.
silent_logger = logging.Logger("rcex_ws.websockets", logging.CRITICAL + 1)

USER_AGENT = f"rcex_ws/{__version__} python/{platform.python_version()}"

#: Maximum size of the response head, in bytes.
_MAX_HEAD = 2**16

_END_OF_HEAD = b"\r\n\r\n"
_BODY_HEADERS = (b"content-length:", b"transfer-encoding:", b"content-encoding:")
_SUBPROTOCOL = "Sec-WebSocket-Protocol"
_SWITCHING = 101
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

#: Enough for small messages: a 12-bit window keeps a connection's memory small (documentation of websockets,
#: "Compression").
DEFLATE: dict[str, Any] = {
    "server_max_window_bits": 12,
    "client_max_window_bits": 12,
    "compress_settings": {"memLevel": 5},
}
#: Messages for the library's errors, whose own texts quote the response.
_EXPLANATIONS = {
    "InvalidMessage": "the answer is not HTTP, or its head is too large",
    "InvalidUpgrade": "the answer does not agree to a WebSocket; a proxy in between may have dropped the headers",
    "InvalidHeader": "the answer has a header that cannot be read, or lacks one",
    "InvalidHeaderValue": "the answer accepts another request than ours",
    "NegotiationError": "the answer chose an extension or a subprotocol that was not offered",
    "EOFError": "the connection was closed before the answer was whole",
}
_DEFLATE = ClientPerMessageDeflateFactory(**DEFLATE)


class ClientHandshake:
    """The opening handshake of one WebSocket.

    Args:
        url: the ws:// or wss:// address.
        headers: extra headers of the request; they replace ours of the same name.
        subprotocol: the only one that is offered, which the server must select; None for none.
        max_size: the largest message accepted later, in bytes.

    Raises:
        ConnectFailed: `url` is not a WebSocket address.

    Attributes:
        codec: reads and writes the WebSocket; None until the server has accepted.
        location: the target of a redirect, or None; may be relative, and contain secrets.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], max_size: int, subprotocol: str | None = None) -> None:
        uri = parse_uri(parse_address(url).url)  # parse_uri would re-encode a partly encoded URL
        self.codec: Codec | None = None
        self.location: str | None = None
        self._max_size = max_size
        self._subprotocol = None if subprotocol is None else Subprotocol(subprotocol)
        self._protocol = ClientProtocol(
            uri,
            extensions=[_DEFLATE],
            subprotocols=None if self._subprotocol is None else [self._subprotocol],
            max_size=max_size,
            logger=silent_logger,
        )
        self._headers = headers
        self._head = b""

    def request(self) -> bytes:
        """Return the request, encoded."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        for name, value in self._headers.items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        self._protocol.send_request(request)
        return b"".join(self._protocol.data_to_send())

    def feed(self, data: bytes) -> bool:
        """Parse received data; return whether there is a `codec` now.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101; `location` may be set now.
            ConnectFailed: the response is not a valid one.
        """
        self._head += data
        head, end, data = self._head.partition(_END_OF_HEAD)
        if len(head) > _MAX_HEAD:
            raise _failed("the head of the answer is too large")
        if not end:
            return False
        if head.split(b" ", 2)[1:2] != [b"%d" % _SWITCHING]:
            # Nothing needs the body of a refusal, which may be late, truncated or huge.
            lines = (line for line in head.split(b"\r\n") if not line.lower().startswith(_BODY_HEADERS))
            self._protocol.receive_data(b"\r\n".join(lines) + end)
            self.feed_eof()
        self._protocol.receive_data(head + end)
        self._check_answer()
        self.codec = Codec(self._protocol, max_size=self._max_size)
        self._head = b""  # what followed it is passed to the codec
        self.codec.feed(data)
        return True

    def feed_eof(self) -> None:
        """Handle the end of the stream.

        Raises:
            UpgradeRefused: the response is a refusal.
            ConnectFailed: there is no response, or an incomplete or invalid one.
        """
        if not self._head:
            raise _failed("the connection was closed without an answer")
        self._protocol.receive_eof()
        self._check_answer()
        raise _failed("the connection was closed")  # pragma: no cover - the library has rejected the end already

    def _check_answer(self) -> None:
        """Raise an error unless the response is valid, or there is none yet."""
        protocol = self._protocol
        response = next((event for event in protocol.events_received() if isinstance(event, Response)), None)
        if response is not None and response.status_code != _SWITCHING:
            # `get` raises if a header appears twice.
            location, wait = (next(iter(response.headers.get_all(name)), None) for name in ("Location", "Retry-After"))
            self.location = location if response.status_code in _REDIRECTS else None
            retry_after = read_retry_after(wait, now=time.time())
            raise UpgradeRefused(response.status_code, retry_after=retry_after)
        if protocol.handshake_exc is not None:
            raise _failed(_EXPLANATIONS.get(type(protocol.handshake_exc).__name__, "the answer is no valid handshake"))
        if response is not None and self._subprotocol is not None and _SUBPROTOCOL not in response.headers:
            raise _failed(f"the server did not select the subprotocol {self._subprotocol!r}")


def _failed(why: str) -> ConnectFailed:
    return ConnectFailed(f"the WebSocket upgrade failed: {why}", upgrade_sent=True)
