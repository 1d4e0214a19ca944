"""Rate limits per method, like Slack's tiers, as set by a test. Pure: `now` is passed in."""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase

from rcex_ws.testing.fake_slack.options import FakeSlackOptions

__all__ = ["Rates"]


class Rates:
    """The rate limits, with the recent calls of each method.

    Args:
        options: the options, of which `per_minute` and `minute` are used.
    """

    def __init__(self, options: FakeSlackOptions) -> None:
        self._options = options
        self._taken: dict[str, deque[float]] = {}

    def wait(self, method: str, now: float) -> float | None:
        """Count a call; if it exceeds the limit, do not count it but return the seconds to wait.

        Args:
            method: the method, such as "rtm.connect"; each is counted separately.
            now: seconds on a monotonic clock.
        """
        limits = [most for pattern, most in self._options.per_minute.items() if fnmatchcase(method, pattern)]
        taken = self._taken.setdefault(method, deque())
        while taken and taken[0] <= now - self._options.minute:
            taken.popleft()
        if limits and len(taken) >= min(limits):
            return taken[0] + self._options.minute - now if taken else self._options.minute
        taken.append(now)
        return None
