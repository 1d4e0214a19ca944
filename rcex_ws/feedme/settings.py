"""The options of `FeedmeClient`; its docstring says what they mean. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from rcex_ws.feedme.arguments import check_options
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.transport import Transport
from rcex_ws.options import (
    LONGEST,
    Bytes,
    Count,
    HeaderName,
    HeaderValue,
    Number,
    Seconds,
    Wait,
    WebSocketUrl,
)
from rcex_ws.trace import Trace
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["FeedmeSettings"]

_SecondsOrNever = Annotated[float, Meta(ge=-LONGEST, le=LONGEST, description="seconds, or a negative number for never")]
_TimesOrAlways = Annotated[int, Meta(ge=-(2**53), le=2**53, description="a whole number, negative for always")]


#: The delay before the second and later retries, in seconds, even if all options are 0: no server is hammered.
_SHORTEST_BREAK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedmeSettings:
    """Keyword options of `FeedmeClient`, which takes its signature from here.

    Raises:
        InvalidArgument: an option has an invalid value, or two contradict each other; the text names them.
    """

    url: WebSocketUrl | None = field(default=None, kw_only=False, repr=False)
    transport: Callable[[], Transport] | None = None
    # Connecting
    open_timeout: Seconds = 30.0
    connect_timeout: Wait = 10.0
    connect_retry: _SecondsOrNever = 5.0
    connect_retry_backoff: Wait = 5.0
    connect_retry_max: Wait = 30.0
    connect_retry_max_attempts: Number = 0
    reconnect: bool = True
    # Actions and feeds
    action_timeout: Wait = 10.0
    feed_timeout: Wait = 10.0
    reopen_max_attempts: _TimesOrAlways = 3
    reopen_trailing: Wait = 60.0
    # The network
    headers: Mapping[HeaderName, HeaderValue] = field(default_factory=dict[str, str], repr=False)
    proxy: ProxyChoice = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    heartbeat_interval: Seconds = 30.0
    heartbeat_timeout: Seconds = 10.0
    close_timeout: Seconds = 5.0
    # Bounds
    max_size: Bytes = 16 * 2**20
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    # Observability
    trace: Trace | None = None

    def __post_init__(self) -> None:
        check_options(self)
        if (self.url is None) == (self.transport is None):
            raise InvalidArgument("url, transport: expected one of them")
        for name in ("headers", "proxy", "ssl_context"):
            if self.transport is not None and getattr(self, name):
                raise InvalidArgument(f"{name}: only a connection to a url has it, not one of a transport")
        if self.connect_retry_max < self.connect_retry:
            raise InvalidArgument(
                f"connect_retry_max: expected at least connect_retry ({self.connect_retry:g} s), "
                f"got {self.connect_retry_max:g}"
            )

    def retry_delay(self, failures: int) -> float:
        """Return the delay in seconds after the n-th consecutive failure, n from 1."""
        retries = failures - 1
        delay = min(max(self.connect_retry, 0.0) + retries * self.connect_retry_backoff, self.connect_retry_max)
        return max(delay, _SHORTEST_BREAK) if retries else delay
