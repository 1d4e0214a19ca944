"""What waits to be written to one peer, frame after frame: counted, joined to few writes, or cut into many. Pure."""

from __future__ import annotations

from collections import deque

__all__ = ["Outgoing"]

#: Bytes that are joined to one write.
_AT_ONCE = 2**16


class Outgoing:
    """Keep whole frames until the network takes them.

    Attributes:
        size: how many bytes wait.
        apart: whether each frame is a write of its own.
        piece: the largest write, so that frames are cut; 0 for no such limit.
    """

    __slots__ = ("_frames", "_rest", "apart", "piece", "size")

    def __init__(self) -> None:
        self.size = 0
        self.apart = False
        self.piece = 0
        self._frames: deque[bytes] = deque()
        self._rest = b""  # of a frame that has been begun

    def put(self, frames: bytes) -> None:
        """Add a frame, or several that belong together."""
        if frames:
            self._frames.append(frames)
            self.size += len(frames)

    def take(self) -> bytes:
        """Give the next write; nothing if nothing waits."""
        data = self._rest or self._next()
        self._rest = b""
        if self.piece and len(data) > self.piece:
            data, self._rest = data[: self.piece], data[self.piece :]
        self.size -= len(data)
        return data

    def clear(self) -> None:
        """Forget what waits, but for the rest of a frame that has been begun."""
        self._frames.clear()
        self.size = len(self._rest)

    def _next(self) -> bytes:
        frames = self._frames
        if self.apart or self.piece or len(frames) < 2:
            return frames.popleft() if frames else b""
        joined, size = [frames.popleft()], 0
        while frames and size < _AT_ONCE:
            size += len(frames[0])
            joined.append(frames.popleft())
        return b"".join(joined)
