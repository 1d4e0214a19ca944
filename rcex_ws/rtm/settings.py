"""The options of `RtmClient`; its docstring says what they mean. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from rcex_ws.connection import ReconnectDelays, default_delays
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import (
    Bytes,
    Count,
    HeaderName,
    HeaderValue,
    Seconds,
    WebSocketUrl,
    check_fields,
    refusal,
    required_constraint,
)
from rcex_ws.rtm.frames import ClientFrame, encode_frame
from rcex_ws.rtm.resumption import HEADER
from rcex_ws.secret import SECRET
from rcex_ws.trace import Trace
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["RtmSettings", "encode_authentication"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RtmSettings:
    """Keyword options of `RtmClient`, which takes its signature from here.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    url: WebSocketUrl = field(kw_only=False, repr=False)
    authentication: Annotated[Any, SECRET] = field(default=None, repr=False)
    # The connection
    reconnect: bool = True
    reconnect_delays: ReconnectDelays = default_delays
    resume: bool = True
    # Times in seconds
    open_timeout: Seconds = 30.0
    attempt_timeout: Seconds = 10.0
    call_timeout: Seconds = 60.0
    close_timeout: Seconds = 5.0
    heartbeat_interval: Seconds = 30.0
    heartbeat_timeout: Seconds = 10.0
    # The network
    headers: Mapping[HeaderName, HeaderValue] = field(default_factory=dict[str, str], repr=False)
    proxy: ProxyChoice = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    # Bounds
    max_size: Bytes = 16 * 2**20
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    max_queue: Count = 10_000
    # Observability
    trace: Trace | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if any(name.lower() == HEADER.lower() for name in self.headers):
            raise ConfigurationError(f"headers: {HEADER} belongs to the protocol, see `resume`")
        if not callable(self.authentication):
            encode_authentication("", self.authentication)
        elif not _FUNCTION.admits(self.authentication):
            raise refusal("authentication", _FUNCTION, self.authentication)


_FUNCTION = required_constraint(Callable[[], object])


def encode_authentication(frame_id: str, value: object) -> bytes:
    """Return the frame that authenticates a connection.

    Raises:
        ConfigurationError: JSON cannot express the value.
    """
    try:
        return encode_frame(ClientFrame(frame_id, "auth", [value]))
    except ConfigurationError as exc:
        raise ConfigurationError(f"authentication: {str(exc).removeprefix('data: ')}") from None
