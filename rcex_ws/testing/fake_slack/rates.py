"""How often a method may be called: Slack's tiers, as far as a test orders them. Pure: `now` is passed in."""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase

from rcex_ws.testing.fake_slack.options import FakeSlackOptions

__all__ = ["Rates"]


class Rates:
    """Count calls.

    Args:
        options: the knobs; they say how many calls are taken.
    """

    def __init__(self, options: FakeSlackOptions) -> None:
        self._options = options
        self._taken: dict[str, deque[float]] = {}

    def wait(self, method: str, now: float) -> float | None:
        """Count a call; return the seconds to wait if it is one too many, which then does not count.

        Args:
            method: as in "rtm.connect"; each is counted by itself.
            now: seconds on a steady clock.
        """
        limits = [most for pattern, most in self._options.per_minute.items() if fnmatchcase(method, pattern)]
        taken = self._taken.setdefault(method, deque())
        while taken and taken[0] <= now - self._options.minute:
            taken.popleft()
        if limits and len(taken) >= min(limits):
            return taken[0] + self._options.minute - now if taken else self._options.minute
        taken.append(now)
        return None
