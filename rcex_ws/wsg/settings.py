"""The options of a `WebSocketExtension` that hold for all its life, checked once. Pure."""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.connection import ReconnectDelays, check_options
from rcex_ws.errors import ConfigurationError
from rcex_ws.trace import Trace, check_trace
from rcex_ws.wsg.announcer import GapHook

__all__ = ["Settings"]


class Settings(Struct, frozen=True, kw_only=True):
    """Hold the options; see `WebSocketExtension` for their meaning.

    Raises:
        ConfigurationError: one has a value that cannot work.
    """

    auto_recover: bool
    debug_mode: bool
    trace: Trace | None
    on_gap: GapHook | None
    open_timeout: float
    attempt_timeout: float
    request_timeout: float
    close_timeout: float
    gap_timeout: float
    heartbeat_interval: float
    heartbeat_timeout: float
    reconnect_delays: ReconnectDelays
    max_pending: int
    max_pending_bytes: int
    max_size: int

    def __post_init__(self) -> None:
        check_options(self)
        check_trace(self.trace)
        if self.on_gap is not None and not callable(self.on_gap):
            raise ConfigurationError(f"on_gap: expected a function that takes a gap, got {self.on_gap!r}")
