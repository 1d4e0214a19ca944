"""The options of a `WebSocketExtension` that hold for all its life. Pure."""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.connection import ReconnectDelays
from rcex_ws.trace import Trace
from rcex_ws.wsg.announcer import GapHook

__all__ = ["Settings"]


class Settings(Struct, frozen=True, kw_only=True):
    """Hold the options, which `WebSocketExtension` has checked; see there for their meaning."""

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
