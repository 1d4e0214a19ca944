"""What comes over two connections at once is delivered once. Pure.

While the next connection is opened beside the last one Slack sends each event to both, in the same order; only the
older one has those from before the newer joined. A time stamp names most events. Those without one (typing, presence)
may come again and mean it, so they are told apart by their order.
"""

from __future__ import annotations

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

    def __init__(self, older: object) -> None:
        self._older = older
        self._by_older, self._by_newer = _Delivered(), _Delivered()
        self._alone = False

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
            if others.stamped[key]:
                others.stamped[key] -= 1
                return False
            mine.stamped[key] += not self._alone
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

    def one_is_gone(self) -> None:
        """Let the connection that is left catch up: what bears a time stamp may still be under way to it."""
        self._alone = True
        for delivered in (self._by_older, self._by_newer):
            delivered.plain.clear()
