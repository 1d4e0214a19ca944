"""The options of an `RTMClient` that hold for all its life, checked once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rcex_ws.connection import ReconnectDelays
from rcex_ws.errors import ConfigurationError
from rcex_ws.slack.directory import FillStore
from rcex_ws.slack.web import StartMethod
from rcex_ws.trace import Trace

__all__ = ["Monitor", "Settings", "SubtypeEvents", "WhileDisconnected"]

WhileDisconnected = Literal["refuse", "queue"]
SubtypeEvents = Literal["message", "all"]
Monitor = Literal["traffic", "replies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the options, each of which `RTMClient` has checked; see there for their meaning.

    Raises:
        ConfigurationError: two cannot go together.
    """

    start_method: StartMethod
    fill_store: FillStore
    auto_reconnect: bool
    while_disconnected: WhileDisconnected
    subtype_events: SubtypeEvents
    monitor: Monitor
    ping_interval: float
    pong_timeout: float
    reply_timeout: float
    replay_window: float
    open_timeout: float
    attempt_timeout: float
    close_timeout: float
    reconnect_delays: ReconnectDelays
    max_pending: int
    max_pending_bytes: int
    max_size: int
    trace: Trace | None

    def __post_init__(self) -> None:
        if self.monitor == "traffic" and self.pong_timeout <= self.ping_interval:
            raise ConfigurationError(
                f"pong_timeout: expected more than ping_interval ({self.ping_interval:g} s), got {self.pong_timeout:g}"
            )
