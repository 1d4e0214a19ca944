"""What was sent in a session and may not have arrived, so that it can be sent again. Pure.

The answer to a ping proves that everything sent before it has arrived. So a backlog holds what was sent since the last
answered ping, or since the client was lost; it is bounded, and knows what it has dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rcex_ws.readers import read_digits

__all__ = ["Backlog"]

#: A ping is due when a fourth of the bounds is used.
_ASK_AFTER = 4


class Backlog:
    """The frames of one session that may not have arrived.

    Args:
        max_frames: the most frames to keep.
        max_bytes: the most bytes to keep.

    Attributes:
        sent: the number of events in this session.
        unpublished: the number of the newest of them that stands in no log.
    """

    __slots__ = (
        "_bytes",
        "_frames",
        "_gone",
        "_max_bytes",
        "_max_frames",
        "_pinged",
        "_put",
        "_unasked",
        "sent",
        "unpublished",
    )

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self.sent = self.unpublished = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        # Each with its place: 2 n for the event n, 2 n + 1 for a notice after it. A deque only while there are some.
        self._frames: deque[tuple[int, bytes]] | tuple[()] = ()
        self._bytes = 0
        self._put = 0  # frames ever put
        self._pinged = 0  # how many of them a ping has followed
        self._unasked = 0  # bytes of those that none has followed
        self._gone = 0  # the event that a client must have received, so that nothing which it lacks is gone

    def put(self, frame: bytes, *, published: bool = False) -> bool:
        """Add an event that is sent now.

        Args:
            frame: the event.
            published: whether it stands in the log of a user.

        Returns:
            Whether it is time for a ping after it.
        """
        self.sent += 1
        if not published:
            self.unpublished = self.sent
        self._keep(2 * self.sent, frame)
        if not self._frames:  # the bounds allow for nothing
            return False
        unasked = self._put - self._pinged
        return unasked * _ASK_AFTER > self._max_frames or self._unasked * _ASK_AFTER > self._max_bytes

    def put_notice(self, frame: bytes) -> None:
        """Add a frame that does not count as an event."""
        self._keep(2 * self.sent + 1, frame)

    def ping(self) -> bytes:
        """Return the payload of a ping that is sent now."""
        self._pinged, self._unasked = self._put, 0
        return b"%d" % self._put

    def on_pong(self, payload: bytes) -> None:
        """Forget what has arrived before the pong with this payload; ignore anything that `ping` has not returned."""
        arrived = read_digits(payload.decode(errors="replace"))
        if arrived is None or arrived > self._pinged:
            return
        while self._frames and self._put - len(self._frames) < arrived:
            self._drop_oldest()
        if self._put - len(self._frames) <= arrived:  # also what was dropped before it was answered
            self._gone = (self._frames[0][0] - 1) // 2 if self._frames else self.sent
        if not self._frames:
            self._frames = ()

    def after(self, received: int) -> Iterator[bytes] | None:
        """Return the frames after an event, by its number, and forget the others.

        Returns:
            None if some of them are gone, or there was no such event.
        """
        if not self._gone <= received <= self.sent:
            return None
        while self._frames and self._frames[0][0] <= 2 * received:
            self._drop_oldest()
        self._gone = received
        return (frame for _, frame in self._frames)

    def _keep(self, place: int, frame: bytes) -> None:
        if not self._frames:
            self._frames = deque()
        self._frames.append((place, frame))
        self._put += 1
        self._bytes += len(frame)
        self._unasked += len(frame)
        while self._frames and (len(self._frames) > self._max_frames or self._bytes > self._max_bytes):
            self._gone = (self._drop_oldest() + 1) // 2  # who has the event before a notice may still lack the notice

    def _drop_oldest(self) -> int:
        """Drop the oldest frame; return its place."""
        if not self._frames:
            raise AssertionError("there is none")
        place, frame = self._frames.popleft()
        self._bytes -= len(frame)
        return place
