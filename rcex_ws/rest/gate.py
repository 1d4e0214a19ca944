"""The rate gate: after a 429 no call of the same group leaves before the server said it may.

RingCentral counts calls per user and app in groups (light, medium, heavy, auth); each call sent in the penalty
restarts it (developer guide, "Rate limits"). Groups and limits differ per app, so they are learned from the headers
X-Rate-Limit-* of the answers, HTTPS and WebSocket alike. `RateGate` is pure but for `wait`; a client and its extensions
share one.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Mapping

import anyio
from msgspec import Struct

from rcex_ws.errors import RateLimited
from rcex_ws.rest.headers import retry_after
from rcex_ws.rest.url import path_template

__all__ = ["RateGate"]

_DEFAULT_PENALTY = 30.0  # "retry after 30 s or later" where a 429 does not say (developer guide)
_DEFAULT_WINDOW = 60.0
_KNOWN_PATHS = 1024


class _Group(Struct, gc=False):
    """What is known of one group; times are those of the caller's monotonic clock."""

    window_started: float = -math.inf
    window_ends: float = -math.inf
    closed_until: float = -math.inf


class RateGate:
    """Know per group until when no call may leave."""

    def __init__(self) -> None:
        # Method and path template -> name of its group, the least recently used first.
        self._names: OrderedDict[str, str] = OrderedDict()
        # By name of the group, and by method and path template where a 429 named none.
        self._groups: dict[str, _Group] = {}
        self._closed_until = -math.inf  # the latest of all groups

    @property
    def may_be_closed(self) -> bool:
        """Whether any group was ever closed; most clients never meet a limit."""
        return self._closed_until > -math.inf

    def delay(self, method: str, path: str, *, now: float) -> float:
        """Return the seconds until a call may leave; 0 when it may leave now.

        Args:
            method: the call's method.
            path: its path or URL.
            now: monotonic seconds, the same clock as in `note`.
        """
        key = _key(method, path)
        groups = (self._groups.get(key), self._groups.get(self._names.get(key, key)))
        return max([0.0, *(group.closed_until - now for group in groups if group)])

    def note(self, method: str, path: str, status: int, headers: Mapping[str, str], *, now: float) -> None:
        """Learn from an answer.

        Args:
            method: the call's method.
            path: its path or URL.
            status: the HTTP status of the answer.
            headers: its headers, looked up without regard to case.
            now: monotonic seconds, the same clock as in `delay`.
        """
        name = (headers.get("X-Rate-Limit-Group") or "").lower()
        if not name and status != 429:
            return
        key = _key(method, path)
        if name:
            name = f"group {name}"
            if self._names.get(key) != name or len(self._names) >= _KNOWN_PATHS:
                self._learn(key, name)
        group = self._group(self._names.get(key, key), now)
        empty = _number(headers.get("X-Rate-Limit-Remaining")) == 0
        if status != 429 and not empty and now < group.window_ends:
            return  # as nearly always
        window = _number(headers.get("X-Rate-Limit-Window"))
        length = _DEFAULT_WINDOW if window is None else window
        if now >= group.window_started + length:
            group.window_started = now
        group.window_ends = group.window_started + length
        if status == 429:
            # The date form of Retry-After is compared with the wall clock, whatever clock `now` is of.
            penalty = retry_after(headers, now=time.time())
            if penalty is None:
                penalty = _DEFAULT_PENALTY if window is None else window
            self._close(group, now + penalty)
        elif empty:
            self._close(group, group.window_started + length)

    async def wait(self, method: str, path: str, *, deadline: float) -> None:
        """Wait until a call may leave.

        Args:
            method: the call's method.
            path: its path or URL.
            deadline: `anyio.current_time()` at which the call's time-out ends.

        Raises:
            RateLimited: the gate stays closed for longer than that; nothing was sent.
        """
        while (delay := self.delay(method, path, now=anyio.current_time())) > 0:
            if anyio.current_time() + delay >= deadline:
                raise RateLimited(
                    f"the rate limit closes {method} {path_template(path)} for {delay:.0f} more seconds",
                    retry_after=delay,
                )
            await anyio.sleep(delay)

    def _close(self, group: _Group, until: float) -> None:
        group.closed_until = max(group.closed_until, until)
        self._closed_until = max(self._closed_until, until)

    def _group(self, name: str, now: float) -> _Group:
        if name not in self._groups and len(self._groups) >= _KNOWN_PATHS:
            self._groups = {name: group for name, group in self._groups.items() if group.closed_until > now}
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        return group

    def _learn(self, key: str, name: str) -> None:
        self._names[key] = name
        self._names.move_to_end(key)
        if len(self._names) > _KNOWN_PATHS:
            self._names.popitem(last=False)


def _key(method: str, path: str) -> str:
    return f"{method} {path_template(path)}"


def _number(value: str | None) -> float | None:
    """Return a header's number of seconds or calls; None where there is no usable one."""
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None
