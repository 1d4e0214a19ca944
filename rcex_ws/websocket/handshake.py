"""The client's side of the opening handshake: a request out, an answer in, an open `Codec`. Pure.

Where the answer ends is found here and not by the parser of `websockets`, so that what comes behind it (a frame in the
segment of the 101) goes the way of all frames.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Response
from websockets.uri import parse_uri

from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.retry_after import parse_retry_after
from rcex_ws.version import __version__
from rcex_ws.websocket.codec import Codec

__all__ = ["ClientHandshake", "silent_logger"]

# websockets logs the request line, and with it the token, at DEBUG level. This logger stands in no hierarchy, so that
# no configuration can let it speak.
silent_logger = logging.Logger("rcex_ws.websockets", logging.CRITICAL + 1)

USER_AGENT = f"rcex_ws/{__version__} python/{platform.python_version()}"

#: Most bytes of the answer before its body.
_MAX_HEAD = 2**16

#: Most bytes of the body of an answer that refuses.
_MAX_BODY = 2**20

_END_OF_HEAD = b"\r\n\r\n"
_SWITCHING = 101
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

# As much as pays for small messages: 12 bits of window keep a connection's memory small (docs of websockets,
# "Compression").
_DEFLATE = ClientPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)


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
        try:
            uri = parse_uri(url)
        except InvalidURI:
            raise ConnectFailed("the WebSocket address is not a valid ws:// or wss:// URI", retryable=False) from None
        self.codec: Codec | None = None
        self.location: str | None = None
        self._max_size = max_size
        self._protocol = ClientProtocol(uri, extensions=[_DEFLATE], max_size=max_size, logger=silent_logger)
        self._headers = headers
        self._head = b""
        self._body_size = 0
        self._in_body = False

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
        if not self._in_body:
            self._head += data
            head, end, data = self._head.partition(_END_OF_HEAD)
            if len(head) > _MAX_HEAD:
                raise _failed("the head of the answer is too large")
            if not end:
                return False
            self._protocol.receive_data(head + end)
            if self._is_answered():
                self.codec = Codec(self._protocol, max_size=self._max_size)
                self.codec.feed(data)
                return True
            self._in_body = True
        self._body_size += len(data)
        if self._body_size > _MAX_BODY:
            raise _failed("the answer has no end")
        self._protocol.receive_data(data)
        self._is_answered()
        return False

    def feed_eof(self) -> None:
        """Hear that nothing more will come.

        Raises:
            ConnectFailed: always: if there was an answer it was a refusal that ends like this.
        """
        self._protocol.receive_eof()
        self._is_answered()
        raise _failed("the connection was closed")

    def _is_answered(self) -> bool:
        """Look whether the answer is whole and good; raise what is wrong with it."""
        protocol = self._protocol
        response = next((event for event in protocol.events_received() if isinstance(event, Response)), None)
        if response is not None and response.status_code != _SWITCHING:
            self.location = response.headers.get("Location") if response.status_code in _REDIRECTS else None
            retry_after = parse_retry_after(response.headers.get("Retry-After", ""), now=time.time())
            raise UpgradeRefused(response.status_code, retry_after=retry_after)
        if protocol.handshake_exc is not None:
            raise _failed(type(protocol.handshake_exc).__name__)
        return response is not None


def _failed(why: str) -> ConnectFailed:
    return ConnectFailed(f"the WebSocket upgrade failed: {why}", upgrade_sent=True)
