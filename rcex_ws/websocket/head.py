"""The head of a frame (RFC 6455, section 5.2): where its payload begins, and where it ends. Pure."""

from __future__ import annotations

__all__ = ["BINARY", "CONTROL", "MASK", "MAX_SHORT", "SHORTEST", "TEXT", "WIDTHS", "end_of_frame", "read_head"]

#: Bytes of the shortest head.
SHORTEST = 2

#: The first byte of a whole plain data frame.
TEXT, BINARY = 0x81, 0x82

#: The bit in the first byte that control frames have: close, ping and pong.
CONTROL = 0x08

#: The bit in the second byte that says that the payload is masked.
MASK = 0x80

#: The longest payload whose length fits in the second byte; else it follows, in so many bytes.
MAX_SHORT = 125
WIDTHS = {126: 2, 127: 8}

_MASK_SIZE = 4


def read_head(buffer: bytes | bytearray, position: int) -> tuple[int, int]:
    """Give where the payload of a frame begins, its mask included, and its length; the head may not be whole."""
    length, start = buffer[position + 1] & ~MASK, position + SHORTEST
    if length > MAX_SHORT:
        end = start + WIDTHS[length]
        length, start = int.from_bytes(buffer[start:end]), end
    return start, length


def end_of_frame(buffer: bytes | bytearray, position: int) -> int:
    """Find where a frame ends; 0 if it is not whole."""
    start, length = read_head(buffer, position)
    end = start + length + (_MASK_SIZE if buffer[position + 1] & MASK else 0)
    return end if end <= len(buffer) else 0
