"""permessage-deflate (RFC 7692) as the server speaks it: each frame is compressed by itself, and only those of a burst.

Compressing a frame costs more than reading one. So the frames of a burst are made once, and sent in a circle; it is
longer than the window in which a client would take them for duplicates.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

from benchmarks.drain.outlet import Outlet, head

__all__ = ["ANSWER", "COMPRESSED", "DeflatingOutlet", "inflate"]

#: What the server says to an offer.
ANSWER = (
    b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    b"server_max_window_bits=12\r\n"
)
#: The bit RSV1 in the first byte of a frame.
COMPRESSED = 0x40
_WINDOW, _MEMORY = 12, 5  # as the server side of websockets does by default
_CIRCLE = 8192
#: Ends each compressed message, and is left out of it.
_END = b"\x00\x00\xff\xff"


class DeflatingOutlet(Outlet):
    """Compress what comes in bursts."""

    def filled(self, template: bytes) -> Callable[[int, int], bytes]:
        """Give what takes so many frames out of the circle."""
        circle = _circle(template)

        def take(first: int, count: int) -> bytes:
            start = first % _CIRCLE
            end = start + count  # less than one round
            return b"".join(circle[start:end] + circle[: max(end - _CIRCLE, 0)])

        return take


def inflate(payload: bytes) -> bytes:
    """Give what a client has compressed."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + _END)


@functools.cache
def _circle(template: bytes) -> list[bytes]:
    return [_frame(template % (number, number)) for number in range(_CIRCLE)]


def _frame(payload: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-_WINDOW, memLevel=_MEMORY)
    data = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_END)
    begin = head(len(data))
    return bytes((begin[0] | COMPRESSED,)) + begin[1:] + data
