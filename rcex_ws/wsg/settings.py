"""The options of a `WebSocketExtension` that hold for all its life, checked once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rcex_ws.connection import ReconnectDelays
from rcex_ws.errors import ConfigurationError
from rcex_ws.wsg.announcer import GapHook

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the options; see `WebSocketExtension` for their meaning.

    Raises:
        ConfigurationError: one has a value that cannot work.
    """

    auto_recover: bool
    debug_mode: bool
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
        for option in fields(self):
            value: object = getattr(self, option.name)
            if option.type == "float" and not _is_seconds(value):
                raise ConfigurationError(f"{option.name}: expected seconds above 0, got {value!r}")
            if option.type == "int" and not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
                raise ConfigurationError(f"{option.name}: expected a whole number above 0, got {value!r}")
            if option.type == "bool" and not isinstance(value, bool):
                raise ConfigurationError(f"{option.name}: expected True or False, got {value!r}")
        if not callable(self.reconnect_delays):
            raise ConfigurationError(
                f"reconnect_delays: expected a function that gives the wait in seconds after the n-th failure, "
                f"got {self.reconnect_delays!r}"
            )
        if self.on_gap is not None and not callable(self.on_gap):
            raise ConfigurationError(f"on_gap: expected a function that takes a gap, got {self.on_gap!r}")


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
