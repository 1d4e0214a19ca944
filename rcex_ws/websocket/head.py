"""The head of a frame (RFC 6455, section 5.2): where the payload starts and ends. Pure."""

from __future__ import annotations

__all__ = ["BINARY", "CONTROL", "MASK", "MAX_SHORT", "SHORTEST", "TEXT", "WIDTHS", "end_of_frame", "read_head"]

#: Size of the shortest head, in bytes.
SHORTEST = 2

#: The first byte of an unfragmented, uncompressed data frame.
TEXT, BINARY = 0x81, 0x82

#: The bit in the first byte that marks control frames: close, ping and pong.
CONTROL = 0x08

#: The bit in the second byte that marks a masked payload.
MASK = 0x80

#: The longest payload whose length fits in the second byte; a longer length follows, in this many bytes.
MAX_SHORT = 125
WIDTHS = {126: 2, 127: 8}

_MASK_SIZE = 4


def read_head(buffer: bytes | bytearray, position: int) -> tuple[int, int]:
    """Return where the payload (or its mask) of a frame starts, and its length; the head may be incomplete."""
    length, start = buffer[position + 1] & ~MASK, position + SHORTEST
    if length > MAX_SHORT:
        end = start + WIDTHS[length]
        length, start = int.from_bytes(buffer[start:end]), end
    return start, length


def end_of_frame(buffer: bytes | bytearray, position: int) -> int:
    """Return the end of a frame; 0 if it is incomplete."""
    start, length = read_head(buffer, position)
    end = start + length + (_MASK_SIZE if buffer[position + 1] & MASK else 0)
    return end if end <= len(buffer) else 0
