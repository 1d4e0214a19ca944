"""What comes over several connections at once is delivered once. Pure.

While the next connection is opened beside the last one Slack sends each event to both, in the same order; only the
older one has those from before the newer joined. A third may come while the first is still being closed. A time stamp
names most events. Those without one (typing, presence) may come again and mean it, so they are told apart by their
order.
"""

from __future__ import annotations

import math

from rcex_ws.slack.frames import Event

__all__ = ["Overlap"]


class _Delivered:
    """An event that one connection has brought, and others may bring again."""

    __slots__ = ("brought_by", "data", "due", "first")

    def __init__(self, data: bytes, connection: int, due: set[int]) -> None:
        self.data = data
        self.first = connection
        self.brought_by = {connection}
        self.due = due  # the connections over which it may still come

    def came(self, connection: int) -> None:
        self.due.discard(connection)
        self.brought_by.add(connection)


class Overlap:
    """Compare connections, from before the next is opened until all but one are closed and a little longer.

    Args:
        connections: those that there are, each named by a number, the newer by the higher.

    Attributes:
        live: those that may bring events.
    """

    #: Seconds for which what a lost connection brought may still come over another one.
    LINGER = 10.0

    def __init__(self, *connections: int) -> None:
        self.live = set(connections)
        self._stamped: dict[tuple[str, ...], list[_Delivered]] = {}
        self._plain: list[_Delivered] = []
        self._ends = math.inf

    def joins(self, connection: int, now: float) -> None:
        """Hear that another connection is about to be opened.

        Args:
            connection: its number, higher than all there were.
            now: seconds on any steady clock, the same for all methods.
        """
        if now >= self._ends:  # what was under way did not come
            self._stamped.clear()
        self.live.add(connection)
        self._ends = math.inf

    def is_new(self, connection: int, data: bytes, event: Event) -> bool:
        """Tell whether an event did not come over another connection already.

        Args:
            connection: that it came over.
            data: the frame.
            event: the frame, decoded.
        """
        stamp = event.get("event_ts") or event.get("ts")
        if not isinstance(stamp, str):
            return self._is_new_plain(connection, data)
        key = (stamp, *(repr(event.get(name)) for name in ("type", "subtype", "channel", "user", "ts")))
        same = self._stamped.get(key, [])
        for delivered in same:
            if connection in delivered.due:
                delivered.came(connection)
                if not delivered.due:
                    same.remove(delivered)
                if not same:
                    del self._stamped[key]
                return False
        if due := self.live - {connection}:
            self._stamped.setdefault(key, same).append(_Delivered(b"", connection, due))
        return True

    def _is_new_plain(self, connection: int, data: bytes) -> bool:
        for place, delivered in enumerate(self._plain):
            if delivered.data == data and connection in delivered.due:
                delivered.came(connection)
                if delivered.first < connection:  # what older ones had before that, this one never gets
                    for earlier in self._plain[:place]:
                        if earlier.first < connection:
                            earlier.due.discard(connection)
                self._plain = [one for one in self._plain if one.due]
                return False
        if due := self.live - {connection}:
            self._plain.append(_Delivered(data, connection, due))
        return True

    def is_gone(self, connection: int, now: float) -> None:
        """Let those that are left catch up: what bears a time stamp may still be under way to them."""
        self.live.discard(connection)
        for delivered in (*self._plain, *(one for same in self._stamped.values() for one in same)):
            delivered.due.discard(connection)
        # Without a stamp, what only lost ones brought is not waited for: the same may come again, and mean it.
        self._plain = [one for one in self._plain if one.due and one.brought_by & self.live]
        self._stamped = {key: left for key, same in self._stamped.items() if (left := [one for one in same if one.due])}
        if len(self.live) == 1:
            self._ends = now + self.LINGER

    def over(self, now: float) -> bool:
        """Tell whether there is nothing to compare any more: forget this then, every event is new."""
        return len(self.live) < 2 and (now >= self._ends or not self._stamped)
