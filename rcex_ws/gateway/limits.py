"""Rate groups with a sliding window and a penalty that every request in it restarts. Pure: `now` is passed in.

Asked by `front.py` before each request. Source: RingCentral's developer guide, "Rate limits".
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rcex_ws.gateway.problem import Problem

__all__ = ["RateLimits", "Verdict", "group_of"]

_GENEROUS = 10_000
"""The limit of a group that nobody set: its headers are seen, but it never strikes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tell what the rate gate said.

    Args:
        group: Name of the rate group.
        limit: Requests allowed in one window.
        remaining: Requests left in it.
        window: Length of the window in seconds.
        retry_after: Seconds until the penalty ends, None when the request may pass.
    """

    group: str
    limit: int
    remaining: int
    window: float
    retry_after: float | None

    def enforce(self) -> None:
        """Let the request pass, or not.

        Raises:
            Problem: 429 CMN-301 with Retry-After.
        """
        if self.retry_after is not None:
            raise Problem(429, "CMN-301", "Request rate exceeded", retry_after=self.retry_after)

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer bears."""
        return {
            "X-Rate-Limit-Group": self.group,
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Window": f"{self.window:g}",
        }


@dataclass(slots=True)
class _Bucket:
    passed: deque[float] = field(default_factory=deque[float])
    closed_until: float = 0.0


class RateLimits:
    """Count the requests per group, user and app.

    Args:
        limits: Requests per window by group; a group left out is practically unlimited.
        window: Length of window and penalty in seconds.
    """

    def __init__(self, limits: Mapping[str, int], window: float) -> None:
        self._limits = limits
        self._window = window
        self._buckets: defaultdict[tuple[str, str], _Bucket] = defaultdict(_Bucket)

    def check(self, group: str, who: str, now: float) -> Verdict:
        """Count one request of `who` and tell whether it may pass."""
        bucket = self._buckets[group, who]
        while bucket.passed and bucket.passed[0] <= now - self._window:
            bucket.passed.popleft()
        limit = self._limits.get(group, _GENEROUS)
        if now < bucket.closed_until or len(bucket.passed) >= limit:
            bucket.closed_until = now + self._window
            return Verdict(group, limit, 0, self._window, self._window)
        bucket.passed.append(now)
        return Verdict(group, limit, limit - len(bucket.passed), self._window, None)


def group_of(method: str, path: str) -> str:
    """Return the rate group of a request."""
    if path.startswith("/restapi/oauth/"):
        return "auth"
    if path.endswith("/fax"):
        return "heavy"
    return "light" if method == "GET" or path.endswith("/renew") else "medium"
