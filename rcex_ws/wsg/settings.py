"""The options of `WebSocketExtension`; its docstring documents them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from rcex_ws.connection import ReconnectDelays, default_delays
from rcex_ws.options import Bytes, Count, Credential, Label, Seconds, check_fields
from rcex_ws.trace import Trace
from rcex_ws.wsg.announcer import GapHook
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.store import SessionStore

__all__ = ["WsgSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WsgSettings:
    """Keyword options of `WebSocketExtension`, from which it takes its signature.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
    """

    rest_over_websocket: bool = False
    auto_recover: bool = True
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
    open_timeout: Seconds = 30.0
    attempt_timeout: Seconds = 10.0
    request_timeout: Seconds = 60.0
    close_timeout: Seconds = 5.0
    gap_timeout: Seconds = 30.0
    heartbeat_interval: Seconds = 30.0
    heartbeat_timeout: Seconds = 10.0
    reconnect_delays: ReconnectDelays = default_delays
    # Bounds
    max_pending: Count = 10_000
    max_pending_bytes: Bytes = 64 * 2**20
    max_size: Bytes = 16 * 2**20

    def __post_init__(self) -> None:
        check_fields(self)
