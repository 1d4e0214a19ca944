"""The options of an `RTMClient` that hold for all its life, checked once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rcex_ws.connection import ReconnectDelays, check_options
from rcex_ws.errors import ConfigurationError
from rcex_ws.slack.directory import FillStore
from rcex_ws.slack.web import StartMethod
from rcex_ws.trace import Trace, check_trace

__all__ = ["Monitor", "Settings", "SubtypeEvents", "WhileDisconnected"]

WhileDisconnected = Literal["refuse", "queue"]
SubtypeEvents = Literal["message", "all"]
Monitor = Literal["traffic", "replies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the options; see `RTMClient` for their meaning.

    Raises:
        ConfigurationError: one has a value that cannot work.
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
        check_options(self)
        check_trace(self.trace)
        for name, choices in (
            ("start_method", ("rtm.connect", "rtm.start")),
            ("fill_store", ("lookup", "lists", "never")),
            ("while_disconnected", ("refuse", "queue")),
            ("subtype_events", ("message", "all")),
            ("monitor", ("traffic", "replies")),
        ):
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"{name}: expected {' or '.join(map(repr, choices))}, got {getattr(self, name)!r}"
                )
        if self.monitor == "traffic" and self.pong_timeout <= self.ping_interval:
            raise ConfigurationError(
                f"pong_timeout: expected more than ping_interval ({self.ping_interval:g} s), got {self.pong_timeout:g}"
            )
