"""Gaps that wait: to be reported, or for a hook that has failed. They are merged, so that they stay few. Pure.

A hostile peer must not fill the memory by gaps, nor an application by a hook that always fails.

No gap is ever dropped, and none is made smaller. One that is too wide costs the application some reading; one that is
missing costs it notifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from rcex_ws.wsg.models import Gap

__all__ = ["FailedGaps", "WaitingGap", "WaitingGaps"]

#: Maximum number of waiting gaps of one kind; beyond it the next one is merged even if it does not touch.
_MOST = 16

#: Maximum number of gaps for which the hook has failed; beyond it the oldest two are merged.
_MOST_FAILED = 16

#: Maximum number of reasons in a merged gap, and maximum length of each.
_MOST_REASONS = 5
_LONGEST_REASON = 200


class WaitingGap:
    """A gap and those merged into it.

    Attributes:
        certain: whether one of them is.
        count: how many they are.
        absorbed: whether it was merged into another one itself.
        handled: whether the hook is through with it.
    """

    def __init__(self, gap: Gap) -> None:
        self.certain = gap.certain
        self.count = 1
        self.absorbed = False
        self.handled = False
        self._gap = gap
        self._reasons = {gap.reason: 1}
        self._unnamed = 0

    @property
    def gap(self) -> Gap:
        """The gap that covers all of them."""
        if self.count == 1:
            return self._gap
        reasons = [
            _shortened(reason) + (f" ({times:,} times)" if times > 1 else "") for reason, times in self._reasons.items()
        ]
        if self._unnamed:
            reasons.append(f"{self._unnamed:,} more")
        return replace(self._gap, reason="; ".join(reasons))

    def touches(self, other: WaitingGap) -> bool:
        """Return whether there is no moment between the two."""
        return _ends_not_before(self._gap, other._gap.since) and _ends_not_before(other._gap, self._gap.since)

    def absorb(self, other: WaitingGap) -> None:
        """Merge another one into this one."""
        one, two = self._gap, other._gap
        since = None if one.since is None or two.since is None else min(one.since, two.since)
        self.certain = self.certain or other.certain
        self._gap = replace(one, since=since, until=max(one.until, two.until), certain=self.certain)
        self.count += other.count
        other.absorbed = True
        self._unnamed += other._unnamed
        for reason, times in other._reasons.items():
            if reason in self._reasons or len(self._reasons) < _MOST_REASONS:
                self._reasons[reason] = self._reasons.get(reason, 0) + times
            else:
                self._unnamed += times


def _ends_not_before(gap: Gap, moment: datetime | None) -> bool:
    return moment is None or moment <= gap.until


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 3] + "..."


class WaitingGaps:
    """The waiting gaps that a new one may still be merged into."""

    def __init__(self) -> None:
        self._open: dict[bool, list[WaitingGap]] = {True: [], False: []}

    def add(self, gap: Gap) -> WaitingGap | None:
        """Add a gap; return it if it is to be reported by itself, or None if it was merged into a waiting one."""
        new = WaitingGap(gap)
        waiting = self._open[gap.certain]
        home = next((one for one in waiting if one.touches(new)), None)
        if home is None and len(waiting) >= _MOST:
            home = waiting[-1]
        if home is None:
            waiting.append(new)
            return new
        home.absorb(new)
        for other in [one for one in waiting if one is not home and one.touches(home)]:
            home.absorb(other)
            waiting.remove(other)
        return None

    def report(self, gap: WaitingGap) -> Gap | None:
        """Return the gap to report now, with all that was merged into it; None if it was absorbed itself."""
        if gap in self._open[gap.certain]:
            self._open[gap.certain].remove(gap)
        return None if gap.absorbed else gap.gap

    def close(self) -> None:
        """Merge nothing more into those that wait, because another event comes in between."""
        for waiting in self._open.values():
            waiting.clear()


class FailedGaps:
    """The gaps for which the hook has failed, in the order in which it was called with them."""

    def __init__(self) -> None:
        self._gaps: list[WaitingGap] = []

    def __iter__(self) -> Iterator[WaitingGap]:
        return iter(self._gaps)

    def __len__(self) -> int:
        return len(self._gaps)

    def add(self, gap: WaitingGap) -> None:
        """Add a gap; if there are too many then, merge the oldest two, whatever their kind."""
        self._gaps.append(gap)
        if len(self._gaps) > _MOST_FAILED:
            self._gaps[0].absorb(self._gaps.pop(1))

    def remove(self, gap: WaitingGap) -> None:
        """Remove a gap, which the hook has handled."""
        self._gaps.remove(gap)
