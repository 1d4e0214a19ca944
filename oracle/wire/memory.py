"""Two ends of a connection in memory that behave as TCP does, also when it fails.

Nothing here waits for anything but the other end, so that with a mock clock and trio's deterministic scheduling a run
can be repeated exactly.
"""

from __future__ import annotations

import trio
from trio.lowlevel import ParkingLot, checkpoint

DEFAULT_CAPACITY = 65536
READ_SIZE = 65536


class _Pipe:
    """One direction: bytes under way, and how they end."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.data = bytearray()
        self.finished = False  # FIN was sent
        self.broken = False  # the connection was reset
        self.abandoned = False  # the reading end is closed
        self.changed = ParkingLot()

    def wake(self) -> None:
        self.changed.unpark_all()


class MemoryStream(trio.abc.HalfCloseableStream):
    """One end, made by `memory_pair`; like a `trio.SocketStream` but for the socket.

    It differs from TCP in one point: a reset also takes away what the peer had not read yet, as it does on some
    systems, unless told otherwise.
    """

    def __init__(self, inbound: _Pipe, outbound: _Pipe) -> None:
        self._in = inbound
        self._out = outbound
        self._closed = False
        self._sending = False
        self._receiving = False

    @property
    def closed(self) -> bool:
        """Whether this end was closed or reset by its own side."""
        return self._closed

    @property
    def unread(self) -> int:
        """How many bytes the peer has sent that nobody has read."""
        return len(self._in.data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write; wait while the peer's buffer is full."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        try:
            await checkpoint()
            rest = memoryview(bytes(data))
            self._check_send()
            while rest:
                if self._out.abandoned:  # TCP takes the first write, and its answer is a reset
                    self._in.broken = self._out.broken = True
                    self._wake()
                    return
                if (room := self._out.capacity - len(self._out.data)) > 0:
                    self._out.data += rest[:room]
                    rest = rest[room:]
                    self._out.wake()
                else:
                    await self._out.changed.park()
                    self._check_send()
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        try:
            await checkpoint()
            self._check_send()
            while len(self._out.data) >= self._out.capacity:
                await self._out.changed.park()
                self._check_send()
        finally:
            self._sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read what is there, at least one byte; b"" after FIN."""
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving")
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        self._receiving = True
        try:
            await checkpoint()
            while True:
                if self._closed:
                    raise trio.ClosedResourceError("this end was closed")
                if self._in.data:
                    size = max_bytes or READ_SIZE
                    data = bytes(self._in.data[:size])
                    del self._in.data[:size]
                    self._in.wake()
                    return data
                if self._in.broken:
                    raise trio.BrokenResourceError("connection reset by peer")
                if self._in.finished:
                    return b""
                await self._in.changed.park()
        finally:
            self._receiving = False

    async def send_eof(self) -> None:
        """Send FIN; reading goes on."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        await checkpoint()
        if self._closed:
            raise trio.ClosedResourceError("this end was closed")
        self._out.finished = True
        self._out.wake()

    async def aclose(self) -> None:
        """Close both directions: FIN, or RST if something was left unread, as TCP does."""
        self.close()
        await checkpoint()

    def close(self) -> None:
        """Do what `aclose` does, at once."""
        if self._closed:
            return
        if self._in.data:
            self.reset(lose=False)
            return
        self._closed = self._in.abandoned = True
        self._out.finished = True
        self._wake()

    def reset(self, *, lose: bool = True) -> None:
        """Send RST: the peer's next read or write raises `BrokenResourceError`.

        Args:
            lose: whether what the peer had not read yet is lost, too.
        """
        if self._closed:
            return
        self._closed = True
        if lose:
            self._out.data.clear()
        self._in.data.clear()
        self._in.broken = self._out.broken = True
        self._wake()

    def _wake(self) -> None:
        self._in.wake()
        self._out.wake()

    def _check_send(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this end was closed")
        if self._out.broken:
            raise trio.BrokenResourceError("connection reset by peer")
        if self._out.finished:
            raise trio.ClosedResourceError("after FIN nothing can be sent")


def memory_pair(capacity: int = DEFAULT_CAPACITY) -> tuple[MemoryStream, MemoryStream]:
    """Make a connection.

    Args:
        capacity: how many bytes may be under way in each direction before a writer waits.

    Returns:
        The client's end and the server's end.
    """
    up, down = _Pipe(capacity), _Pipe(capacity)
    return MemoryStream(down, up), MemoryStream(up, down)
