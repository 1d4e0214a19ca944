"""What was sent in a session and may not have arrived, so that it can be sent again. Pure.

The answer to a ping proves that everything sent before it has arrived. So a backlog holds what was sent since the last
answered ping, or since the client was lost; it is bounded, and knows what it has dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

__all__ = ["Backlog"]

#: A ping is due when a fourth of the bounds is used.
_ASK_AFTER = 4
_MOST_DIGITS = 18


class Backlog:
    """The frames of one session that may not have arrived.

    Args:
        max_frames: the most frames to keep.
        max_bytes: the most bytes to keep.

    Attributes:
        sent: the number of events in this session.
    """

    __slots__ = ("_bytes", "_dropped", "_frames", "_max_bytes", "_max_frames", "_pinged", "_put", "_unasked", "sent")

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self.sent = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        # Each with its place: 2 n for the event n, 2 n + 1 for a notice after it. A deque only while there are some.
        self._frames: deque[tuple[int, bytes]] | tuple[()] = ()
        self._bytes = 0
        self._put = 0  # frames ever put
        self._pinged = 0  # how many of them a ping has followed
        self._unasked = 0  # bytes of those that none has followed
        self._dropped = 0  # the newest event that was dropped without proof that it has arrived

    def put(self, frame: bytes) -> bool:
        """Add an event that is sent now; return whether it is time for a ping."""
        self.sent += 1
        self._keep(2 * self.sent, frame)
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
        if not payload.isdigit() or len(payload) > _MOST_DIGITS:
            return
        arrived, frames = int(payload), self._frames
        if arrived <= self._pinged:
            while frames and self._put - len(frames) < arrived:
                self._bytes -= len(frames.popleft()[1])
            if not frames:
                self._frames = ()

    def after(self, received: int) -> Iterator[bytes] | None:
        """Return the frames after an event, by its number, and forget the others.

        Returns:
            None if some of them are gone, or there was no such event.
        """
        if not self._dropped <= received <= self.sent:
            return None
        frames = self._frames
        while frames and frames[0][0] <= 2 * received:
            self._bytes -= len(frames.popleft()[1])
        return (frame for _, frame in frames)

    def _keep(self, place: int, frame: bytes) -> None:
        if not self._frames:
            self._frames = deque()
        self._frames.append((place, frame))
        self._put += 1
        self._bytes += len(frame)
        self._unasked += len(frame)
        while self._frames and (len(self._frames) > self._max_frames or self._bytes > self._max_bytes):
            place, gone = self._frames.popleft()
            self._bytes -= len(gone)
            self._dropped = place // 2
