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


TOKEN_LIFETIME = Bound(10, 366 * _DAY, _HOUR, "a token that ends at once would be renewed without a pause")
REFRESH_LIFETIME = Bound(0, 3660 * _DAY, 7 * _DAY, "a time to be stored must stay one that a calendar has")
WSTOKEN_LIFETIME = Bound(0, 60, 30, "an unused one is kept for the next attempts; then another address may be told")
RETRY_AFTER = Bound(0, _HOUR, 0, "who is told to wait longer asks again once an hour: the answer may be a mistake")
PENALTY = Bound(0, _HOUR, 30, "as above; RingCentral's 429 means 30 s or more where it does not say how long")
RATE_WINDOW = Bound(0, _HOUR, 60, "RingCentral counts calls by the minute")
ACTIVE_REQUESTS = Bound(1, 1000, 10, "with none allowed every call would wait for ever")
CONNECTIONS = Bound(1, 10_000, 50, "told to the application only")
BUFFER_SIZE = Bound(1, 100_000, 100, "a replay of as many notifications may not be whole; with none each would be")
RECOVERY_TIMEOUT = Bound(0, 7 * _DAY, 180, "offering a session too long costs one refusal, which the server decides")
IDLE_TIMEOUT = Bound(1, 7 * _DAY, 1800, "told to the application only: heartbeats come far more often")
ABSOLUTE_TIMEOUT = Bound(1, 366 * _DAY, _DAY, "told to the application only: the server closes by itself")
