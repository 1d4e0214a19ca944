"""How many messages a client may send: a token bucket. Pure."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """Allows `rate` messages per second in the long run, and twice that number at once.

    Args:
        rate: messages per second.
        now: the time, in seconds.
    """

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = 2 * rate
        self._at = now

    def take(self, now: float) -> bool:
        """Count a message; return whether it is allowed."""
        self._tokens = min(self._tokens + (now - self._at) * self._rate, 2 * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
