"""Rate limits by group: a sliding window, and a penalty that each request during it restarts. Pure: `now` is passed in.

Used by `front.py` before each request. Source: RingCentral's developer guide, "Rate limits".
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rcex_ws.gateway.problem import Problem

__all__ = ["RateLimits", "Verdict", "group_of"]

_GENEROUS = 10_000
"""The default limit of a group: high enough never to apply, but the headers are sent."""


_MOST_BUCKETS = 10_000
"""Groups and users; users who are removed leave theirs behind."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a rate limit check.

    Args:
        group: name of the rate group.
        limit: requests allowed in one window.
        remaining: requests left in the window.
        window: length of the window in seconds.
        retry_after: seconds until the penalty ends, None if the request is allowed.
    """

    group: str
    limit: int
    remaining: int
    window: float
    retry_after: float | None

    def enforce(self) -> None:
        """Do nothing if the request is allowed.

        Raises:
            Problem: 429 CMN-301 with Retry-After, if it is not.
        """
        if self.retry_after is not None:
            raise Problem(429, "CMN-301", "Request rate exceeded", retry_after=self.retry_after)

    def headers(self) -> dict[str, str]:
        """Return the rate limit headers, which are in every answer."""
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
    """The rate limits, with the requests of each group and user in the window.

    Args:
        limits: requests per window, by group; a group that is missing is practically unlimited.
        window: length of the window and of the penalty in seconds.
    """

    def __init__(self, limits: Mapping[str, int], window: float) -> None:
        self._limits = limits
        self._window = window
        self._buckets: defaultdict[tuple[str, str], _Bucket] = defaultdict(_Bucket)

    def check(self, group: str, who: str, now: float) -> Verdict:
        """Count one request of `who`, a user of an application, and return whether it is allowed."""
        bucket = self._buckets[group, who]
        if len(self._buckets) > _MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        while bucket.passed and bucket.passed[0] <= now - self._window:
            bucket.passed.popleft()
        limit = self._limits.get(group, _GENEROUS)
        if now < bucket.closed_until or len(bucket.passed) >= limit:
            bucket.closed_until = now + self._window
            return Verdict(group, limit, 0, self._window, self._window)
        bucket.passed.append(now)
        return Verdict(group, limit, limit - len(bucket.passed), self._window, None)


_ID = "[^/]+"
_ACCOUNT = f"/restapi/v1\\.0/account/{_ID}"
_EXTENSION = f"{_ACCOUNT}/extension/{_ID}"
_TEAM = "(?:/team-messaging/v1|/restapi/v1\\.0/glip)"
_GROUPS = [
    (re.compile(f"(?:{methods}) (?:{paths})"), group)
    for methods, paths, group in (
        (".*", "/restapi/oauth/.*", "auth"),
        (".*", f"{_EXTENSION}/(?:fax|address-book.*)", "heavy"),
        ("POST|DELETE", f"{_EXTENSION}/ring-out.*", "heavy"),
        (".*", f"{_ACCOUNT}(?:/extension/{_ID})?/(?:call-log.*|active-calls|recording/.*)", "heavy"),
        ("GET", f"{_ACCOUNT}/(?:phone-number|presence|ivr-prompts/{_ID}/content)", "heavy"),
        ("POST", f"{_ACCOUNT}/(?:directory/entries/search|ivr-prompts|telephony/call-out)", "heavy"),
        ("DELETE", f"{_ACCOUNT}/ivr-prompts/{_ID}", "heavy"),
        ("PUT|POST", f"{_EXTENSION}/profile-image", "heavy"),
        ("POST", f"{_TEAM}/files", "heavy"),
        ("GET", f"{_TEAM}/chats/{_ID}/(?:notes|tasks)", "heavy"),
        (".*", f"{_ACCOUNT}/telephony/sessions/.*", "light"),
        ("POST", f"{_ACCOUNT}/a2p-sms/batches", "light"),
        ("POST", f"{_TEAM}/notes/{_ID}/(?:lock|unlock)", "light"),
        ("POST", f"/restapi/v1\\.0/subscription/{_ID}/renew", "light"),
        ("GET", f"{_ACCOUNT}/(?:extension|directory/entries(?:/{_ID})?|ivr-prompts(?:/{_ID})?)", "medium"),
        ("GET", f"{_EXTENSION}/(?:authz-profile|profile-image.*|answering-rule)", "medium"),
        ("GET", f"{_EXTENSION}/message-store/{_ID}/content/{_ID}", "medium"),
        ("GET", f"{_TEAM}/(?:chats|conversations|teams|events)", "medium"),
        ("GET", f"{_TEAM}/(?:notes|tasks|events|adaptive-cards)/{_ID}", "medium"),
        ("GET", f"{_TEAM}/(?:chats|groups)/{_ID}/(?:posts|events|threads/{_ID}/posts)", "medium"),
        ("GET", ".*", "light"),
    )
]
"""What is in which group; the first that fits. Source: the API reference, as the npm package `@rc-ex/core` has it."""


def group_of(method: str, path: str) -> str:
    """Return the rate group of a request."""
    request = f"{method} {path}"
    return next((group for pattern, group in _GROUPS if pattern.fullmatch(request)), "medium")
