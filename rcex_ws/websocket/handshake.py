"""The client's side of the opening handshake: a request out, an answer in, an open `Codec`. Pure.

Where the answer ends is found here and not by the parser of `websockets`, so that what comes behind it (a frame in the
segment of the 101) goes the way of all frames.
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
from websockets.uri import parse_uri

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.readers import read_retry_after
from rcex_ws.version import __version__
from rcex_ws.websocket.codec import Codec

__all__ = ["DEFLATE", "ClientHandshake", "silent_logger"]

# websockets logs the request line, and with it the token, at DEBUG level. This logger stands in no hierarchy, so that
# no configuration can let it speak.
silent_logger = logging.Logger("rcex_ws.websockets", logging.CRITICAL + 1)

USER_AGENT = f"rcex_ws/{__version__} python/{platform.python_version()}"

#: Most bytes of the answer before its body.
_MAX_HEAD = 2**16

_END_OF_HEAD = b"\r\n\r\n"
_BODY_HEADERS = (b"content-length:", b"transfer-encoding:", b"content-encoding:")
_SWITCHING = 101
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

#: As much as pays for small messages: 12 bits of window keep a connection's memory small (docs of websockets,
#: "Compression").
DEFLATE: dict[str, Any] = {
    "server_max_window_bits": 12,
    "client_max_window_bits": 12,
    "compress_settings": {"memLevel": 5},
}
#: What the library's errors say; their own texts quote the answer.
_EXPLANATIONS = {
    "InvalidMessage": "the answer is no HTTP, or its head is too large",
    "InvalidUpgrade": "the answer does not agree to a WebSocket; a proxy in between may have dropped the headers",
    "InvalidHeader": "the answer has a header that cannot be read, or lacks one",
    "InvalidHeaderValue": "the answer accepts another request than ours",
    "NegotiationError": "the answer chose an extension that was not offered",
    "EOFError": "the connection was closed before the answer was whole",
}
_DEFLATE = ClientPerMessageDeflateFactory(**DEFLATE)


class ClientHandshake:
    """Ask for a WebSocket.

    Args:
        url: the ws:// or wss:// address.
        headers: extra headers of the request; they go before ours of the same name.
        max_size: the largest message accepted later, in bytes.

    Raises:
        ConnectFailed: not a WebSocket address.

    Attributes:
        codec: reads and writes the WebSocket; None until the server has agreed.
        location: where the server wants the upgrade instead, if it has said so; may be relative, and hold secrets.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], max_size: int) -> None:
        uri = parse_uri(parse_address(url).url)  # parse_uri would encode once more what is encoded beside what is not
        self.codec: Codec | None = None
        self.location: str | None = None
        self._max_size = max_size
        self._protocol = ClientProtocol(uri, extensions=[_DEFLATE], max_size=max_size, logger=silent_logger)
        self._headers = headers
        self._head = b""

    def request(self) -> bytes:
        """Give the bytes of the request."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        for name, value in self._headers.items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        self._protocol.send_request(request)
        return b"".join(self._protocol.data_to_send())

    def feed(self, data: bytes) -> bool:
        """Take what has come; tell whether there is a `codec` now.

        Raises:
            UpgradeRefused: the server answered with an HTTP status other than 101; perhaps there is a `location` now.
            ConnectFailed: it answered with something else.
        """
        self._head += data
        head, end, data = self._head.partition(_END_OF_HEAD)
        if len(head) > _MAX_HEAD:
            raise _failed("the head of the answer is too large")
        if not end:
            return False
        if head.split(b" ", 2)[1:2] != [b"%d" % _SWITCHING]:
            # Nobody needs the body of a refusal, which may be late, cut short or huge.
            lines = (line for line in head.split(b"\r\n") if not line.lower().startswith(_BODY_HEADERS))
            self._protocol.receive_data(b"\r\n".join(lines) + end)
            self.feed_eof()
        self._protocol.receive_data(head + end)
        self._check_answer()
        self.codec = Codec(self._protocol, max_size=self._max_size)
        self._head = b""  # with what came behind it, which is the codec's
        self.codec.feed(data)
        return True

    def feed_eof(self) -> None:
        """Hear that nothing more will come.

        Raises:
            UpgradeRefused: what has come is a refusal.
            ConnectFailed: it is none, or not whole.
        """
        if not self._head:
            raise _failed("the connection was closed without an answer")
        self._protocol.receive_eof()
        self._check_answer()
        raise _failed("the connection was closed")

    def _check_answer(self) -> None:
        """Raise what is wrong with the answer, if there is one."""
        protocol = self._protocol
        response = next((event for event in protocol.events_received() if isinstance(event, Response)), None)
        if response is not None and response.status_code != _SWITCHING:
            # `get` raises where a header comes twice.
            location, wait = (next(iter(response.headers.get_all(name)), None) for name in ("Location", "Retry-After"))
            self.location = location if response.status_code in _REDIRECTS else None
            retry_after = read_retry_after(wait, now=time.time())
            raise UpgradeRefused(response.status_code, retry_after=retry_after)
        if protocol.handshake_exc is not None:
            raise _failed(_EXPLANATIONS.get(type(protocol.handshake_exc).__name__, "the answer is no valid handshake"))


def _failed(why: str) -> ConnectFailed:
    return ConnectFailed(f"the WebSocket upgrade failed: {why}", upgrade_sent=True)
