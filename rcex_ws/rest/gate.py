"""The rate gate: after a 429 no call of the same group is sent before the server allows it.

RingCentral counts calls per user and app in groups (light, medium, heavy, auth); a call sent during a penalty restarts
it (developer guide, "Rate limits"). Groups and limits differ per app, so they are learned from the X-Rate-Limit-*
headers of all answers, by HTTPS and WebSocket. `RateGate` is pure except for `wait`; a client and its extensions share
one.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Mapping

import anyio
from msgspec import Struct

from rcex_ws.bounds import PENALTY, RATE_WINDOW
from rcex_ws.errors import NotConnected, RateLimited
from rcex_ws.loop import Signal
from rcex_ws.readers import read_number, read_retry_after
from rcex_ws.rest.url import path_template

__all__ = ["RateGate"]

_MAX_PATHS = 1024
_MAX_GROUPS = 256


class _Group(Struct, gc=False):
    """State of one group; times are on the caller's monotonic clock."""

    window_started: float = -math.inf
    window_ends: float = -math.inf
    closed_until: float = -math.inf


class RateGate:
    """Rate limits of one client: until when each group is closed."""

    def __init__(self) -> None:
        # Method and path template -> name of the group, least recently used first.
        self._group_names: OrderedDict[str, str] = OrderedDict()
        # Keyed by group name, or by method and path template if a 429 named no group; least recently used first.
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._closed_until = -math.inf  # the latest time of all groups
        self._ended = Signal()

    @property
    def may_be_closed(self) -> bool:
        """Whether any group was ever closed; most clients never reach a limit."""
        return self._closed_until > -math.inf

    def delay(self, method: str, path: str, *, now: float) -> float:
        """Return the seconds until a call may be sent; 0 if it may be sent now.

        Args:
            method: method of the call.
            path: path or URL of the call.
            now: monotonic seconds, on the same clock as in `note`.
        """
        key = _key(method, path)
        groups = (self._groups.get(key), self._groups.get(self._group_names.get(key, key)))
        return max([0.0, *(group.closed_until - now for group in groups if group)])

    def note(self, method: str, path: str, status: int, headers: Mapping[str, str], *, now: float) -> None:
        """Record the limits that an answer reports.

        Args:
            method: method of the call.
            path: path or URL of the call.
            status: HTTP status of the answer.
            headers: headers of the answer, with case-insensitive lookup.
            now: monotonic seconds, on the same clock as in `delay`.
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
            return  # nearly always
        window = headers.get("X-Rate-Limit-Window")
        length = read_number(window, RATE_WINDOW)
        if now >= group.window_started + length:
            group.window_started = now
        group.window_ends = group.window_started + length
        if status == 429:
            # A date in Retry-After is compared with the wall clock; `now` is monotonic.
            penalty = read_retry_after(headers.get("Retry-After"), now=time.time())
            if penalty is None:
                penalty = read_number(window, PENALTY)
            self._close_group(group, now + penalty)
        elif empty:
            self._close_group(group, group.window_started + length)

    def hold(self, method: str, path: str, *, seconds: float, now: float) -> None:
        """Close the group of a call for at least so long, for whoever knows more than the answers told.

        Args:
            method: method of the call.
            path: path or URL of the call.
            seconds: how long.
            now: monotonic seconds, on the same clock as in `delay`.
        """
        key = _key(method, path)
        self._close_group(self._group(self._group_names.get(key, key)), now + seconds)

    async def wait(self, method: str, path: str, *, deadline: float) -> None:
        """Wait until a call may be sent.

        Args:
            method: method of the call.
            path: path or URL of the call.
            deadline: time at which the call times out, on the clock of `anyio.current_time()`.

        Raises:
            RateLimited: the gate stays closed beyond the deadline; nothing was sent.
            NotConnected: the client was closed; likewise.
        """
        self._check_not_ended()
        while (delay := self.delay(method, path, now=anyio.current_time())) > 0:
            if anyio.current_time() + delay >= deadline:
                raise RateLimited(
                    f"the rate limit closes {method} {path_template(path)} for {delay:.0f} more seconds",
                    retry_after=delay,
                )
            await self._ended.wait(until=anyio.current_time() + delay)
            self._check_not_ended()

    def end(self) -> None:
        """Send away whoever waits, and whoever comes: the client is closed."""
        self._ended.set()

    def _check_not_ended(self) -> None:
        if self._ended.is_set():
            raise NotConnected("the client was closed while the rate limit held the call back; it was not sent")

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
