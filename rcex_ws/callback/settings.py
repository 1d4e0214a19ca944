"""The options of `WebSocketClient`, twice: type checkers accept only a TypedDict for `**options`. Pure."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from rcex_ws.connection import ReconnectDelays, default_delays
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Bytes, Count, HeaderName, HeaderValue, Seconds, WebSocketUrl, check_fields
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import Opener, open_websocket
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["NextUrl", "WebSocketOptions", "WebSocketSettings", "text_url"]

NextUrl = Callable[[], Awaitable[str | bytes]]
"""Return the URL for one attempt. An `RcexError` makes the attempt fail, any other exception ends the client."""


class WebSocketOptions(TypedDict, total=False):
    """Keyword options of `WebSocketClient`; defaults in parentheses.

    Attributes:
        next_url: returns the address for each attempt after the first, for addresses that are valid only once.
        headers: additional headers of the upgrade request.
        proxy: None for the environment's proxy, a URL (http, https, socks5, socks5h) for that one, False for none.
        ssl_context: for wss:// only; None for the system's trust store.
        max_size: maximum size of an inbound message, in bytes (16 MiB).
        attempt_timeout: seconds for one attempt, `next_url` included (10).
        close_timeout: seconds for the closing handshake (5).
        reconnect_delays: returns the delay in seconds after the n-th consecutive failure.
        max_pending: frames queued for the handler; the oldest are dropped beyond that (10 000).
        max_pending_bytes: bytes queued for the handler, likewise (64 MiB).
        open_socket: opens a WebSocket; tests may replace it.
    """

    next_url: NextUrl | None
    headers: Mapping[HeaderName, HeaderValue]
    proxy: ProxyChoice
    ssl_context: ssl_module.SSLContext | None
    max_size: Bytes
    attempt_timeout: Seconds
    close_timeout: Seconds
    reconnect_delays: ReconnectDelays
    max_pending: Count
    max_pending_bytes: Bytes
    open_socket: Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketSettings:
    """The same options with URL and defaults, checked.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    url: WebSocketUrl = field(repr=False)
    keepalive: Seconds | None
    next_url: NextUrl | None = None
    headers: Mapping[HeaderName, HeaderValue] = field(default_factory=dict[str, str], repr=False)
    proxy: ProxyChoice = field(default=None, repr=False)
    ssl_context: ssl_module.SSLContext | None = None
    max_size: Bytes = 16 * 2**20
    attempt_timeout: Seconds = 10.0
    close_timeout: Seconds = 5.0
    reconnect_delays: ReconnectDelays = default_delays
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    open_socket: Opener = open_websocket

    def __post_init__(self) -> None:
        check_fields(self)

    def endpoint(self, url: str) -> Endpoint:
        """Return the endpoint for an attempt at `url`."""
        return Endpoint(
            url, headers=self.headers, proxy=self.proxy, ssl_context=self.ssl_context, max_size=self.max_size
        )


def text_url(url: object, argument: str = "url") -> str:
    """Return a URL as a str; an error names `argument`.

    Raises:
        ConfigurationError: it is neither str nor bytes, or not ASCII.
    """
    if isinstance(url, str):
        return url
    if not isinstance(url, bytes):
        raise ConfigurationError(f"{argument}: expected an address, got an object of the type {type(url).__name__}")
    try:
        return url.decode("ascii")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{argument}: the bytes of an address are ASCII") from None
