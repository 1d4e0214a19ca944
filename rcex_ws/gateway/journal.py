"""The record of what happened at the gateway, in order, for tests in any language.

Written by every other part; read through `Gateway.log()` and `GET /_gateway/log`. It never holds a token or a secret.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from rcex_ws.gateway.clock import Clock

__all__ = ["Journal"]

_MOST_ENTRIES = 100_000
"""A gateway may run for days in a shell; the oldest entries go first."""


class Journal:
    """Keep entries `{"time": seconds since the start, "kind": ..., ...}`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._entries: deque[dict[str, Any]] = deque(maxlen=_MOST_ENTRIES)

    def add(self, kind: str, **facts: Any) -> None:
        """Append one entry."""
        self._entries.append({"time": round(self._clock.now() - self._started, 6), "kind": kind, **facts})

    def entries(self) -> list[dict[str, Any]]:
        """Return a copy of all entries, oldest first."""
        return [dict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
