"""The options of `RTMClient`; its docstring says what they mean. Pure."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal

from rcex_ws.connection import ReconnectDelays, default_delays
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Bytes, Count, Credential, Name, Number, Seconds, ServerUrl, check_fields
from rcex_ws.rest.http_library import HTTPClient
from rcex_ws.slack.directory import FillStore
from rcex_ws.slack.logs import Log
from rcex_ws.slack.store import DataStore, MemoryDataStore
from rcex_ws.slack.web import API_URL, StartMethod
from rcex_ws.trace import Trace
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["Monitor", "SlackSettings", "SubtypeEvents", "WhileDisconnected"]

WhileDisconnected = Literal["refuse", "queue"]
SubtypeEvents = Literal["message", "all"]
Monitor = Literal["traffic", "replies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """Keyword options of `RTMClient`, which takes its signature from here.

    Raises:
        ConfigurationError: an option has an invalid value, or two contradict each other; the message names them.
    """

    token: Credential = field(kw_only=False, repr=False)
    api_url: ServerUrl = field(default=API_URL, repr=False)
    start_method: StartMethod = "rtm.connect"
    data_store: DataStore | None = field(default_factory=MemoryDataStore)
    fill_store: FillStore = "lookup"
    # The connection
    auto_reconnect: bool = True
    reconnect_delays: ReconnectDelays = default_delays
    while_disconnected: WhileDisconnected = "refuse"
    subtype_events: SubtypeEvents = "message"
    # Liveness, and other times in seconds
    monitor: Monitor = "traffic"
    ping_interval: Seconds = 5.0
    pong_timeout: Seconds = 20.0
    reply_timeout: Seconds = 60.0
    replay_window: Seconds = 5.0
    open_timeout: Seconds = 30.0
    attempt_timeout: Seconds = 10.0
    close_timeout: Seconds = 5.0
    # The network
    proxy: ProxyChoice = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    http: HTTPClient | None = None
    # Bounds
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    max_size: Bytes = 16 * 2**20
    # Observability
    log_level: Number | Name | None = None
    logger: Log | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.monitor == "traffic" and self.pong_timeout <= self.ping_interval:
            raise ConfigurationError(
                f"pong_timeout: expected more than ping_interval ({self.ping_interval:g} s), got {self.pong_timeout:g}"
            )
