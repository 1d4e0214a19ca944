"""The options of `WebSocketExtension`; its docstring documents them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from rcex_ws.connection import ReconnectDelays, default_delays
from rcex_ws.options import Bytes, Count, Credential, Label, Rule, check_fields
from rcex_ws.trace import Trace
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.gap_hook import GapHook
from rcex_ws.wsg.store import SessionStore

__all__ = ["WsgSettings"]

AutoRecover = Annotated[
    bool, Rule("True or False (the schedule is reconnect_delays=, the interval of heartbeats heartbeat_interval=)")
]
# Milliseconds taken for seconds must not pass: 30000 would be a time-out of eight hours.
Interval = Annotated[
    float, Meta(gt=0, le=1800, description="seconds above 0, at most 1800: idle for longer, RingCentral closes")
]
Timeout = Annotated[float, Meta(gt=0, le=7200, description="seconds above 0, at most 7200")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WsgSettings:
    """Keyword options of `WebSocketExtension`, from which it takes its signature.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    rest_over_websocket: bool = False
    auto_recover: AutoRecover = True
    wsc_token: Credential | Wsc | None = field(default=None, repr=False)
    debug_mode: bool = False
    session_store: SessionStore | None = None
    start_in_background: bool = False
    repeat_lost: bool = True
    on_gap: GapHook | None = None
    # Observability
    name: Label | None = None
    trace: Trace | None = None
    # Times in seconds
    open_timeout: Timeout = 30.0
    attempt_timeout: Timeout = 10.0
    request_timeout: Timeout = 60.0
    close_timeout: Timeout = 5.0
    gap_timeout: Timeout = 30.0
    heartbeat_interval: Interval = 30.0
    heartbeat_timeout: Timeout = 10.0
    reconnect_delays: ReconnectDelays = default_delays
    # Bounds
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    max_size: Bytes = 16 * 2**20

    def __post_init__(self) -> None:
        check_fields(self)
