"""The options of `FeedmeServer`; its docstring says what they mean. Pure."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal

from rcex_ws.feedme.arguments import check_options
from rcex_ws.feedme.messages import Dialect
from rcex_ws.options import Bytes, Count, Name, Port, Seconds, Wait
from rcex_ws.websocket.peer import PeerOptions

__all__ = ["FeedmeServerSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedmeServerSettings:
    """Keyword options of `FeedmeServer`, which takes its signature from here.

    Raises:
        InvalidArgument: an option has an invalid value, or two contradict each other; the text names them.
    """

    host: Name = "127.0.0.1"
    port: Port = 0
    ssl_context: ssl.SSLContext | None = None
    dialect: Dialect | Literal["specification", "revelation", "client_id"] = Dialect.SPECIFICATION
    disconnect_on_violation: bool = False
    # Times in seconds
    handshake_timeout: Wait = 30.0
    termination_window: Wait = 30.0
    heartbeat_interval: Seconds = 30.0
    heartbeat_timeout: Seconds = 10.0
    close_timeout: Seconds = 5.0
    # Bounds of each client
    max_size: Bytes = 2**20
    max_buffer: Bytes = 16 * 2**20
    max_open_feeds: Count = 1000
    max_actions: Count = 100

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def peer_options(self) -> PeerOptions:
        """The limits of each WebSocket; none is compressed, so that all can share what is encoded once."""
        return PeerOptions(
            max_size=self.max_size, max_buffer=self.max_buffer, close_timeout=self.close_timeout, compress=False
        )
