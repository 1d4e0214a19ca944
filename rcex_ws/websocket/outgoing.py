"""The outbound buffer of one peer: counts frames waiting to be written, joins them, or splits them. Pure."""

from __future__ import annotations

from collections import deque

__all__ = ["Outgoing"]

#: Bytes joined into one write.
_AT_ONCE = 2**16


class Outgoing:
    """A buffer of complete frames.

    Attributes:
        size: bytes waiting.
        apart: whether each frame is written separately.
        piece: bytes of the largest write, so that larger frames are split; 0 for no limit.
    """

    __slots__ = ("_frames", "_rest", "apart", "piece", "size")

    def __init__(self) -> None:
        self.size = 0
        self.apart = False
        self.piece = 0
        self._frames: deque[bytes] | tuple[()] = ()  # a deque only while there are some: it takes 0.7 KiB
        self._rest = b""  # of a frame that is partly written

    def put(self, frames: bytes) -> None:
        """Add a frame, or several to be written together."""
        if frames:
            if not self._frames:
                self._frames = deque()
            self._frames.append(frames)
            self.size += len(frames)

    def take(self) -> bytes:
        """Remove and return the data of the next write; empty if nothing waits."""
        data = self._rest or self._next()
        self._rest = b""
        if self.piece and len(data) > self.piece:
            data, self._rest = data[: self.piece], data[self.piece :]
        self.size -= len(data)
        return data

    def clear(self) -> None:
        """Drop all frames but the rest of one that is partly written."""
        self._frames = ()
        self.size = len(self._rest)

    def _next(self) -> bytes:
        frames = self._frames
        if not frames:
            return b""
        joined, size = [frames.popleft()], 0
        while frames and size < _AT_ONCE and not (self.apart or self.piece):
            size += len(frames[0])
            joined.append(frames.popleft())
        if not frames:
            self._frames = ()
        return b"".join(joined)
