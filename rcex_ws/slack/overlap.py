"""Events that arrive over several connections at once are delivered once. Pure.

While a connection replaces another, Slack sends each event over both, in the same order; only the older one gets those
from before the newer was opened. A third may be opened while the first is still being closed. Most events are
identified by a timestamp. Those without one (typing, presence) may be repeated on purpose, so they are matched by their
order: an event that a newer connection has skipped will not arrive over it.
"""

from __future__ import annotations

import math
from itertools import count

from rcex_ws.slack.frames import Event

__all__ = ["Overlap"]


class _Delivered:
    """An event that was delivered, and may still arrive over other connections.

    Args:
        data: the frame.
        brought_by: the connection that it was delivered from.
        turn: its position in the order of delivery.
        due: the connections over which it may still arrive.
    """

    __slots__ = ("brought_by", "data", "due", "turn")

    def __init__(self, data: bytes, brought_by: int, turn: int, due: set[int]) -> None:
        self.data = data
        self.brought_by = brought_by
        self.turn = turn
        self.due = due


class Overlap:
    """The events that may still arrive over another connection.

    Connections are identified by numbers; newer ones have higher numbers. `now` is in seconds, on any steady clock.

    Attributes:
        alone: whether every event is new, since there is nothing to compare.
    """

    #: Seconds during which the events of a lost connection may still arrive over another one.
    LINGER = 10.0

    def __init__(self) -> None:
        self.alone = True
        self._open = set[int]()  # the connections that may deliver events
        self._turns = count()
        self._stamped: dict[tuple[str, ...], list[_Delivered]] = {}
        self._unstamped: list[_Delivered] = []
        self._expires_at = math.inf

    def add(self, connection: int, now: float) -> None:
        """Add a connection that is about to be opened."""
        self._expire(now)
        self._open.add(connection)
        self._expires_at = math.inf
        self._update_alone()

    def accept(self, connection: int, data: bytes, event: Event, now: float) -> bool:
        """Record an event, and return whether it is new: whether it has not arrived over another connection.

        Args:
            connection: the connection that it arrived over.
            data: the frame.
            event: the decoded frame.
            now: the current time.
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
        """Stop expecting from a connection what older ones delivered before the event that it has reached."""
        if not self._unstamped or (earlier is not None and earlier.brought_by > connection):
            return  # a newer connection delivered it first, which proves nothing about the order
        turn = math.inf if earlier is None else earlier.turn
        for one in self._unstamped:
            if one.brought_by < connection and one.turn < turn:
                one.due.discard(connection)
        self._unstamped[:] = [one for one in self._unstamped if one.due]

    def remove(self, connection: int, now: float) -> None:
        """Remove a lost connection; its events may still arrive over the others for `LINGER` seconds."""
        self._open.discard(connection)
        for one in (*self._unstamped, *(one for same in self._stamped.values() for one in same)):
            one.due.discard(connection)
        self._unstamped = [one for one in self._unstamped if one.due]
        self._stamped = {key: left for key, same in self._stamped.items() if (left := [one for one in same if one.due])}
        if len(self._open) == 1:
            self._expires_at = now + self.LINGER
        self._update_alone()

    def _expire(self, now: float) -> None:
        if now >= self._expires_at:  # the others had time enough to catch up
            self._stamped.clear()
            self._unstamped.clear()

    def _update_alone(self) -> None:
        self.alone = not (len(self._open) > 1 or self._stamped or self._unstamped)
