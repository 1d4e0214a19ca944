"""What comes over several connections at once is delivered once. Pure.

While the next connection is opened beside the last one Slack sends each event to both, in the same order; only the
older one has those from before the newer joined. A third may come while the first is still being closed. A time stamp
names most events. Those without one (typing, presence) may come again and mean it, so they are told apart by their
order: what a newer connection did not bring in its turn, it never will.
"""

from __future__ import annotations

import math
from itertools import count

from rcex_ws.slack.frames import Event

__all__ = ["Overlap"]


class _Delivered:
    """An event that one connection has brought, and others may bring again.

    Args:
        data: the frame.
        brought_by: the number of the connection.
        turn: counts what was delivered.
        due: the connections over which it may still come.
    """

    __slots__ = ("brought_by", "data", "due", "turn")

    def __init__(self, data: bytes, brought_by: int, turn: int, due: set[int]) -> None:
        self.data = data
        self.brought_by = brought_by
        self.turn = turn
        self.due = due


class Overlap:
    """Compare connections, each named by a number, the newer by the higher; `now` is seconds on any steady clock.

    Attributes:
        alone: whether there is nothing to compare: every event is new.
    """

    #: Seconds for which what a lost connection brought may still come over another one.
    LINGER = 10.0

    def __init__(self) -> None:
        self.alone = True
        self._open = set[int]()  # the connections that may bring events
        self._turns = count()
        self._stamped: dict[tuple[str, ...], list[_Delivered]] = {}
        self._unstamped: list[_Delivered] = []
        self._expires_at = math.inf

    def add(self, connection: int, now: float) -> None:
        """Hear that another connection is about to be opened."""
        self._expire(now)
        self._open.add(connection)
        self._expires_at = math.inf
        self._update_alone()

    def accept(self, connection: int, data: bytes, event: Event, now: float) -> bool:
        """Tell whether an event did not come over another connection already.

        Args:
            connection: that it came over.
            data: the frame.
            event: the frame, decoded.
            now: as above.
        """
        self._expire(now)
        stamp = event.get("event_ts") or event.get("ts")
        if isinstance(stamp, str):
            key = (stamp, *(repr(event.get(name)) for name in ("type", "subtype", "channel", "user", "ts")))
            same = self._stamped.get(key, [])
            earlier = next((one for one in same if connection in one.due), None)
        else:
            key, same = (), self._unstamped
            earlier = next((one for one in same if connection in one.due and one.data == data), None)
        self._drop_skipped(connection, earlier)
        if earlier is not None:
            earlier.due.discard(connection)
            if not earlier.due:
                same.remove(earlier)
                if key and not same:
                    del self._stamped[key]
        elif due := self._open - {connection}:
            same.append(_Delivered(data, connection, next(self._turns), due))
            if key:
                self._stamped[key] = same
        self._update_alone()
        return earlier is None

    def _drop_skipped(self, connection: int, earlier: _Delivered | None) -> None:
        """Take note that a connection has come to an event: what older ones brought before that, it never brings."""
        if not self._unstamped or (earlier is not None and earlier.brought_by > connection):
            return  # a newer one was faster, and has told nothing of the order
        turn = math.inf if earlier is None else earlier.turn
        for one in self._unstamped:
            if one.brought_by < connection and one.turn < turn:
                one.due.discard(connection)
        self._unstamped[:] = [one for one in self._unstamped if one.due]

    def remove(self, connection: int, now: float) -> None:
        """Let those that are left catch up, for a while: what it brought may still be under way to them."""
        self._open.discard(connection)
        for one in (*self._unstamped, *(one for same in self._stamped.values() for one in same)):
            one.due.discard(connection)
        self._unstamped = [one for one in self._unstamped if one.due]
        self._stamped = {key: left for key, same in self._stamped.items() if (left := [one for one in same if one.due])}
        if len(self._open) == 1:
            self._expires_at = now + self.LINGER
        self._update_alone()

    def _expire(self, now: float) -> None:
        if now >= self._expires_at:  # what was under way did not come
            self._stamped.clear()
            self._unstamped.clear()

    def _update_alone(self) -> None:
        self.alone = not (len(self._open) > 1 or self._stamped or self._unstamped)
