"""Gaps that wait to be told: what touches becomes one, so that a peer's nonsense cannot fill the memory. Pure.

No gap is ever dropped, and none is made smaller. One that is wider than it need be costs the application some reading;
one that is missing costs it notifications.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from rcex_ws.wsg.models import Gap

__all__ = ["WaitingGap", "WaitingGaps"]

#: Gaps of one kind that wait at most; beyond it the next one is merged though it does not touch.
_MOST = 16

#: Different reasons that are told, and how long each may be beside others.
_MOST_REASONS = 5
_LONGEST_REASON = 200


class WaitingGap:
    """A gap and what was merged into it.

    Attributes:
        certain: of all of them.
        count: how many they are.
        gone: whether it has become part of another itself.
        told: what the application was told in the end.
    """

    def __init__(self, gap: Gap) -> None:
        self.certain = gap.certain
        self.count = 1
        self.absorbed = False
        self.reported: Gap | None = None
        self._gap = gap
        self._reasons = {gap.reason: 1}
        self._unnamed = 0

    @property
    def gap(self) -> Gap:
        """The one gap that stands for all."""
        if self.count == 1:
            return self._gap
        reasons = [
            _shortened(reason) + (f" ({times:,} times)" if times > 1 else "") for reason, times in self._reasons.items()
        ]
        if self._unnamed:
            reasons.append(f"{self._unnamed:,} more")
        return replace(self._gap, reason="; ".join(reasons))

    def touches(self, other: WaitingGap) -> bool:
        """Tell whether there is no moment between the two."""
        return _ends_not_before(self._gap, other._gap.since) and _ends_not_before(other._gap, self._gap.since)

    def absorb(self, other: WaitingGap) -> None:
        """Stand for another one, too."""
        one, two = self._gap, other._gap
        since = None if one.since is None or two.since is None else min(one.since, two.since)
        self._gap = replace(one, since=since, until=max(one.until, two.until))
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
    """Those that a further one may still become a part of."""

    def __init__(self) -> None:
        self._open: dict[bool, list[WaitingGap]] = {True: [], False: []}

    def add(self, gap: Gap) -> WaitingGap | None:
        """Add a gap; give it if it is to get a turn of its own, else it has become part of one that waits."""
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
        """Give what the application is told now that its turn has come; None if it is part of an earlier one."""
        if gap in self._open[gap.certain]:
            self._open[gap.certain].remove(gap)
        gap.reported = None if gap.absorbed else gap.gap
        return gap.reported

    def close(self) -> None:
        """Let nothing more become part of those that wait: something else comes in between."""
        for waiting in self._open.values():
            waiting.clear()
