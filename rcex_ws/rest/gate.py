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

from rcex_ws.bounds import PENALTY, RATE_WINDOW
from rcex_ws.errors import RateLimited
from rcex_ws.readers import read_number, read_retry_after
from rcex_ws.rest.url import path_template

__all__ = ["RateGate"]

_MAX_PATHS = 1024
_MAX_GROUPS = 256


class _Group(Struct, gc=False):
    """What is known of one group; times are those of the caller's monotonic clock."""

    window_started: float = -math.inf
    window_ends: float = -math.inf
    closed_until: float = -math.inf


class RateGate:
    """Know per group until when no call may leave."""

    def __init__(self) -> None:
        # Method and path template -> name of its group, the least recently used first.
        self._group_names: OrderedDict[str, str] = OrderedDict()
        # By name of the group, and by method and path template where a 429 named none; the least recently used first.
        self._groups: OrderedDict[str, _Group] = OrderedDict()
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
        groups = (self._groups.get(key), self._groups.get(self._group_names.get(key, key)))
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
            if self._group_names.get(key) != name or len(self._group_names) >= _MAX_PATHS:
                self._remember_group(key, name)
        group = self._group(self._group_names.get(key, key))
        empty = (headers.get("X-Rate-Limit-Remaining") or "").strip() == "0"
        if status != 429 and not empty and now < group.window_ends:
            return  # as nearly always
        window = headers.get("X-Rate-Limit-Window")
        length = read_number(window, RATE_WINDOW)
        if now >= group.window_started + length:
            group.window_started = now
        group.window_ends = group.window_started + length
        if status == 429:
            # The date form of Retry-After is compared with the wall clock, whatever clock `now` is of.
            penalty = read_retry_after(headers.get("Retry-After"), now=time.time())
            if penalty is None:
                penalty = read_number(window, PENALTY)
            self._close_group(group, now + penalty)
        elif empty:
            self._close_group(group, group.window_started + length)

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

    def _close_group(self, group: _Group, until: float) -> None:
        group.closed_until = max(group.closed_until, until)
        self._closed_until = max(self._closed_until, until)

    def _group(self, name: str) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
            if len(self._groups) > _MAX_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(name)
        return group

    def _remember_group(self, key: str, name: str) -> None:
        self._group_names[key] = name
        self._group_names.move_to_end(key)
        if len(self._group_names) > _MAX_PATHS:
            self._group_names.popitem(last=False)


def _key(method: str, path: str) -> str:
    return f"{method} {path_template(path)}"
