"""The options of `RtmServer`; its docstring says what they mean. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from rcex_ws.broker.interface import Broker
from rcex_ws.broker.redis_address import RedisUrl
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Bytes, Count, Name, Number, Port, Seconds, Wait, check_fields
from rcex_ws.rtm.errors import NoUsers
from rcex_ws.rtm.server.close_codes import TOO_SLOW
from rcex_ws.websocket.peer import PeerOptions

__all__ = ["RtmServerSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RtmServerSettings:
    """Keyword options of `RtmServer`, which takes its signature from here.

    Raises:
        ConfigurationError: an option has an invalid value, or two contradict each other; the text names them.
        NoUsers: other servers are to be reached, and there is no authentication handler.
    """

    host: Name = "127.0.0.1"
    port: Port = 0
    ssl_context: ssl.SSLContext | None = None
    # Who is who, and who may do what
    authenticate: Callable[..., Any] | None = None
    user_id: Callable[[Any], object] | None = None
    on_auth_timeout: Callable[..., object] | None = None
    may_publish: Callable[..., object] | None = None
    may_subscribe: Callable[..., object] | None = None
    allowed_origins: Collection[str] | None = None
    # Other servers
    redis: RedisUrl | None = None
    broker: Broker | None = None
    # Times in seconds
    auth_timeout: Seconds = 10.0
    resume_window: Wait = 60.0
    publish_timeout: Seconds = 10.0
    count_timeout: Seconds = 2.0
    heartbeat_interval: Seconds = 30.0
    heartbeat_timeout: Seconds = 10.0
    close_timeout: Seconds = 5.0
    # Bounds of each client
    max_size: Bytes = 2**20
    max_buffer: Bytes = 2**20
    max_resume_events: Number = 1000
    max_resume_bytes: Number = 256 * 2**10
    max_calls: Count = 100
    max_subscriptions: Count = 1000
    max_rate: Count = 1000
    max_connections: Count = 20

    def __post_init__(self) -> None:
        check_fields(self)
        if self.redis is not None and self.broker is not None:
            raise ConfigurationError("redis, broker: expected one of them at most")
        for name in ("redis", "broker", "user_id", "on_auth_timeout", "may_publish"):
            if getattr(self, name) is not None and self.authenticate is None:
                raise NoUsers(f"{name}: without `authenticate` no client is known as a user; pass both or none")

    @property
    def peer_options(self) -> PeerOptions:
        """The limits of each WebSocket; none is compressed, so that all can share what is encoded once."""
        return PeerOptions(
            max_size=self.max_size,
            max_buffer=self.max_buffer,
            overflow_code=TOO_SLOW,
            close_timeout=self.close_timeout,
            compress=False,
        )
