"""The bounds for numbers from a server: one table of clamps, with the reason for each. Pure.

A server can be wrong, and a middlebox may send anything. A number outside its bounds counts as the nearer bound, and
anything else as the documented default. `rcex_ws.readers` applies them.
"""

from __future__ import annotations

import math

from msgspec import Struct

__all__ = [
    "ABSOLUTE_TIMEOUT",
    "ACTIVE_REQUESTS",
    "BUFFER_SIZE",
    "CONNECTIONS",
    "IDLE_TIMEOUT",
    "PENALTY",
    "RATE_WINDOW",
    "RECOVERY_TIMEOUT",
    "REFRESH_LIFETIME",
    "RETRY_AFTER",
    "TOKEN_LIFETIME",
    "WSTOKEN_LIFETIME",
    "Bound",
]

_HOUR, _DAY = 3600.0, 86400.0


class Bound(Struct, frozen=True):
    """The bounds of one number.

    Attributes:
        least: the minimum.
        most: the maximum.
        default: replaces anything that is not a number.
        why: the reason for the bounds.
    """

    least: float
    most: float
    default: float
    why: str

    def clamp(self, value: object) -> float:
        """Return the number clamped to the bounds, or the default."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return self.default
        if isinstance(value, float) and not math.isfinite(value):
            return self.default
        return min(max(value, self.least), self.most)


TOKEN_LIFETIME = Bound(10, 366 * _DAY, _HOUR, "a token that expires at once would be renewed in a hot loop")
REFRESH_LIFETIME = Bound(0, 3660 * _DAY, 7 * _DAY, "a stored time must stay within the range of calendars")
WSTOKEN_LIFETIME = Bound(0, 60, 30, "an unused one serves the next attempts; then the server may send another address")
RETRY_AFTER = Bound(0, _HOUR, 0, "a longer wait may be a mistake, so the call is retried once an hour")
PENALTY = Bound(0, _HOUR, 30, "as above; RingCentral's 429 means 30 s or more unless it says how long")
RATE_WINDOW = Bound(0, _HOUR, 60, "RingCentral counts calls by the minute")
ACTIVE_REQUESTS = Bound(1, 1000, 10, "with none allowed, every call would wait forever")
CONNECTIONS = Bound(1, 10_000, 50, "only passed on to the application")
BUFFER_SIZE = Bound(1, 100_000, 100, "a replay of that many notifications may be incomplete; with 0, any would be")
RECOVERY_TIMEOUT = Bound(0, 7 * _DAY, 180, "offering a session for too long costs one refusal; the server decides")
IDLE_TIMEOUT = Bound(1, 7 * _DAY, 1800, "only passed on to the application: heartbeats are far more frequent")
ABSOLUTE_TIMEOUT = Bound(1, 366 * _DAY, _DAY, "only passed on to the application: the server closes by itself")
