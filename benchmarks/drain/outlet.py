"""What goes out over one WebSocket: frames in few writes, and bursts as fast as the client takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Outlet", "head"]

#: Bytes of a burst that are written at once.
_PIECE = 128 * 1024


class Outlet:
    """Write text frames; what waits when the connection ends is forgotten.

    Args:
        on_burst_over: hears that all of a burst is written.
    """

    def __init__(self, on_burst_over: Callable[[], None] = lambda: None) -> None:
        self._on_burst_over = on_burst_over
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._out: list[bytes] = []
        self._number = 0  # of the last event of a burst: they must differ
        self._at_once = 0  # so many of them are written in one piece
        self._events: Callable[[int, int], bytes] = lambda _, __: b""
        self._left = 0  # of the burst

    def connect(self, transport: asyncio.Transport) -> None:
        """Write to this connection from now on."""
        self._transport, self._paused, self._left = transport, False, 0

    def disconnect(self) -> None:
        """Hear that the connection is gone."""
        self._transport = None

    def send(self, payload: bytes) -> None:
        """Take one frame; `flush` writes it."""
        self._out.append(head(len(payload)) + payload)

    def flush(self) -> None:
        """Write all that waits, in one piece."""
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def burst(self, template: bytes, count: int) -> None:
        """Write so many events after what waits.

        Args:
            template: is filled in with the event's number, twice; its length must not depend on that.
            count: how many.
        """
        self._events = self.filled(template)
        self._at_once = max(1, _PIECE // max(len(template), 1))
        self._left += count
        self.flush()
        self._pump()

    def filled(self, template: bytes) -> Callable[[int, int], bytes]:
        """Give what makes frames of a template: so many from this number on, in one piece."""
        framed = head(len(template % (0, 0))) + template
        return lambda first, count: b"".join([framed % (i, i) for i in range(first, first + count)])

    def pause(self) -> None:
        """Hear that the client takes no more for now."""
        self._paused = True

    def resume(self) -> None:
        """Hear that it does."""
        self._paused = False
        self._pump()

    def _pump(self) -> None:
        """Write the burst until the client does not keep up; `resume` goes on."""
        bursting = self._left > 0
        while self._left and not self._paused and self._transport is not None:
            first, count = self._number, min(self._left, self._at_once)
            self._number += count
            self._left -= count
            self._transport.write(self._events(first, count))
        if bursting and not self._left:
            self._on_burst_over()


def head(length: int) -> bytes:
    """Begin an unmasked text frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2)
    return b"\x81\x7f" + length.to_bytes(8)
