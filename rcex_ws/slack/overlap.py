"""What comes over two connections at once is delivered once. Pure.

While the next connection is opened beside the last one Slack sends each event to both, in the same order; only the
older one has those from before the newer joined. A time stamp names most events. Those without one (typing, presence)
may come again and mean it, so they are told apart by their order.
"""

from __future__ import annotations

import math
from collections import Counter

from rcex_ws.slack.frames import Event

__all__ = ["Overlap"]


class _Delivered:
    """What one connection has brought, and the other has not yet."""

    def __init__(self) -> None:
        self.stamped: Counter[tuple[str, ...]] = Counter()
        self.plain: list[bytes] = []


class Overlap:
    """Compare two connections, from before the newer is opened until the older is closed and a little longer.

    Args:
        older: the connection that was there first; anything that can be told from the other.
    """

    #: Seconds for which what the lost connection brought may still come over the other one.
    LINGER = 10.0

    def __init__(self, older: object) -> None:
        self._older = older
        self._by_older, self._by_newer = _Delivered(), _Delivered()
        self._alone = False
        self._ends = math.inf

    def is_new(self, connection: object, data: bytes, event: Event) -> bool:
        """Tell whether an event did not come over the other connection already.

        Args:
            connection: that it came over.
            data: the frame.
            event: the frame, decoded.
        """
        is_older = connection is self._older
        mine, others = (self._by_older, self._by_newer) if is_older else (self._by_newer, self._by_older)
        stamp = event.get("event_ts") or event.get("ts")
        if isinstance(stamp, str):
            key = (stamp, *(repr(event.get(name)) for name in ("type", "subtype", "channel", "user", "ts")))
            if others.stamped[key] > 1:
                others.stamped[key] -= 1
                return False
            if others.stamped.pop(key, 0):
                return False
            if not self._alone:
                mine.stamped[key] += 1
            return True
        if data in others.plain:
            place = others.plain.index(data)
            del others.plain[
                place if is_older else 0 : place + 1
            ]  # what the older had before that, the newer never gets
            return False
        if not self._alone:
            mine.plain.append(data)
        return True

    def one_is_gone(self, connection: object, now: float) -> None:
        """Let the connection that is left catch up: what bears a time stamp may still be under way to it.

        Args:
            connection: the one that is gone.
            now: seconds on any steady clock, the same as for `over`.
        """
        self._alone = True
        self._ends = now + self.LINGER
        left = self._by_newer if connection is self._older else self._by_older
        left.stamped.clear()  # nobody is left who would bring it again
        for delivered in (self._by_older, self._by_newer):
            delivered.plain.clear()

    def over(self, now: float) -> bool:
        """Tell whether there is nothing to compare any more: forget this then, every event is new."""
        return self._alone and (now >= self._ends or not (self._by_older.stamped or self._by_newer.stamped))
