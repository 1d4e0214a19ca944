"""Counters of the calls of one client, in total and over the last day and week. Pure, but for the clock passed in.

Kept by `rcex_ws.rest.calls`, shown as `rc.stats`. RingCentral looks at these figures before it lets an application into
production: no 429 and few errors (developer guide, "Moving your app to production").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from msgspec import Struct

__all__ = ["CallCounter", "CallCounts", "RestStats"]

_HOUR = 3600.0
_DAY, _WEEK = 24, 7 * 24  # in hours

# A bucket is a list, whose items 2 to 5 are the classes of status: one addition then counts an answer.
_HTTPS, _WEBSOCKET, _RATE_LIMITED, _UNANSWERED, _RETRIES, _LENGTH = 0, 1, 6, 7, 8, 9


class CallCounts(Struct, frozen=True, kw_only=True):
    """Counters of the calls of some period; calls of OAuth are included, calls to other servers are not.

    Attributes:
        calls: number of answered calls by transport: "https" and "websocket".
        statuses: number of answers by class of their status: "2xx" to "5xx".
        errors: number of answers with a status of 400 or more.
        error_rate: `errors` divided by the number of answers; 0.0 before the first.
        rate_limited: number of answers with status 429, which are errors, too.
        unanswered: number of calls that no answer came to, whether they were sent or not.
        retries: number of calls that were sent once more, by an extension or after a 401.
    """

    calls: dict[str, int]
    statuses: dict[str, int]
    errors: int
    error_rate: float
    rate_limited: int
    unanswered: int
    retries: int


class RestStats(CallCounts, frozen=True, kw_only=True):
    """Counters of a `RingCentral` since it was created; JSON-ready by `msgspec.to_builtins`.

    Attributes:
        since: when the client was created, by the wall clock.
        last_day: the same counters for the last 24 hours.
        last_week: the same counters for the last 7 days. Both are counted in whole hours, and by a clock that stands
            still while the machine sleeps, so they may reach further back.
    """

    since: datetime
    last_day: CallCounts
    last_week: CallCounts


class CallCounter:
    """Counts calls in hourly buckets, of which a week is kept.

    Args:
        clock: monotonic seconds, readable in any thread.
    """

    __slots__ = ("_buckets", "_clock", "_current", "_ends", "_older", "_renewed_by", "_since")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._since = datetime.now(UTC)
        self._older = [0] * _LENGTH  # of buckets that are older than a week
        self._buckets: list[tuple[float, list[int]]] = []  # with the hour of each, the oldest first
        self._current = self._older
        self._ends = -math.inf
        self._renewed_by = -math.inf  # the same on the clock of those who call `answered`

    def answered(self, status: int, via: str, *, now: float) -> None:
        """Count an answer.

        Args:
            status: its status.
            via: the transport that brought it.
            now: monotonic seconds on any clock, always the same: the caller has just read one.
        """
        if now >= self._renewed_by:
            self._renewed_by = now + self._begin_hour()
        bucket = self._current
        bucket[0 if via == "https" else 1] += 1
        if 200 <= status < 300:  # nearly always
            bucket[2] += 1
            return
        kind = status // 100
        bucket[kind if 2 <= kind <= 5 else 5] += 1
        if status == 429:
            bucket[_RATE_LIMITED] += 1

    def unanswered(self) -> None:
        """Count a call that no answer came to."""
        self._begin_hour()
        self._current[_UNANSWERED] += 1

    def retried(self) -> None:
        """Count a call that is sent once more."""
        self._begin_hour()
        self._current[_RETRIES] += 1

    def stats(self) -> RestStats:
        """Return the figures; callable in any thread."""
        hour, kept = self._clock() // _HOUR, list(self._buckets)
        total = _sum([self._older, *(bucket for _, bucket in kept)])
        return RestStats(
            since=self._since,
            last_day=CallCounts(**_fields(_sum(bucket for at, bucket in kept if at >= hour - _DAY))),
            last_week=CallCounts(**_fields(_sum(bucket for at, bucket in kept if at >= hour - _WEEK))),
            **_fields(total),
        )

    def _begin_hour(self) -> float:
        """Begin a bucket if another hour has begun, and return the seconds until the next."""
        now = self._clock()
        if now < self._ends:
            return self._ends - now
        hour = now // _HOUR
        self._ends = (hour + 1) * _HOUR
        self._current = [0] * _LENGTH
        kept = [(at, bucket) for at, bucket in self._buckets if at >= hour - _WEEK]
        self._older = _sum([self._older, *(bucket for at, bucket in self._buckets if at < hour - _WEEK)])
        self._buckets = [*kept, (hour, self._current)]
        return self._ends - now


def _sum(buckets: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip([0] * _LENGTH, *buckets, strict=True)]


def _fields(bucket: list[int]) -> dict[str, Any]:
    answers, errors = sum(bucket[2:6]), bucket[4] + bucket[5]
    return {
        "calls": {"https": bucket[_HTTPS], "websocket": bucket[_WEBSOCKET]},
        "statuses": {f"{kind}xx": bucket[kind] for kind in range(2, 6)},
        "errors": errors,
        "error_rate": errors / answers if answers else 0.0,
        "rate_limited": bucket[_RATE_LIMITED],
        "unanswered": bucket[_UNANSWERED],
        "retries": bucket[_RETRIES],
    }
