"""RFC 6455 without I/O: bytes to frames, frames to messages, and frames to bytes. No extensions.

The numbers in comments are sections of the RFC.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LARGEST_CONTROL_PAYLOAD = 125
# 7.4.1: these stand for what happened and are never on the wire; 1004 is reserved.
NEVER_SENT = frozenset({1004, 1005, 1006, 1015})
HIGHEST_STANDARD_CODE = 1014


class Opcode(enum.IntEnum):
    """What a frame is, 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

    @property
    def is_control(self) -> bool:
        """Whether it may stand between the fragments of a message."""
        return self >= Opcode.CLOSE


class ProtocolViolation(Exception):
    """Report that the client sent what RFC 6455 forbids.

    Args:
        code: the close code that a server would answer with.
        what: the rule that was broken.
    """

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was on the wire, unmasked."""

    opcode: Opcode
    payload: bytes
    fin: bool = True
    masked: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """A whole text, binary, ping, pong or close."""

    opcode: Opcode
    data: bytes

    @property
    def text(self) -> str:
        """The data as text."""
        return self.data.decode()


def accept_key(key: str) -> str:
    """Give the Sec-WebSocket-Accept for a Sec-WebSocket-Key, 4.2.2."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Mask or unmask, 5.3."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


class FrameParser:
    """Cut a stream of bytes into frames; feed it in pieces of any size.

    Args:
        masked: whether the frames must be masked, as a client's must, or must not be.
        max_size: the largest payload taken, in bytes.

    Attributes:
        violation: what was wrong, once something was; nothing is parsed from then on.
    """

    def __init__(self, *, masked: bool = True, max_size: int = 16 * 1024 * 1024) -> None:
        self.violation: ProtocolViolation | None = None
        self._masked = masked
        self._max_size = max_size
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that are complete now."""
        self._buffer += data
        frames = []
        try:
            while self.violation is None and (parsed := self._parse()) is not None:
                frames.append(parsed)
        except ProtocolViolation as violation:
            self.violation = violation
        return frames

    def _parse(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        opcode, length, masked = self._check_head(first, second)
        at = 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(buffer) < at + size:
                return None
            length = int.from_bytes(buffer[at : at + size], "big")
            # 5.2: the minimal number of bytes must be used, and the highest bit of a long length is 0.
            if length < (126 if size == 2 else 0x10000) or length >> 63:
                raise ProtocolViolation(1002, "a length that is not in its shortest form")
            at += size
        if length > self._max_size:
            raise ProtocolViolation(1009, "a frame that is too large")
        mask = b""
        if masked:
            mask, at = bytes(buffer[at : at + 4]), at + 4
        if len(buffer) < at + length:
            return None
        payload = bytes(buffer[at : at + length])
        del buffer[: at + length]
        return Frame(opcode, apply_mask(payload, mask) if masked else payload, bool(first & 0x80), masked)

    def _check_head(self, first: int, second: int) -> tuple[Opcode, int, bool]:
        masked, length = bool(second & 0x80), second & 0x7F
        if first & 0x70:
            raise ProtocolViolation(1002, "a reserved bit is set without an extension")
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError:
            raise ProtocolViolation(1002, "a reserved opcode") from None
        if opcode.is_control and (not first & 0x80 or length > LARGEST_CONTROL_PAYLOAD):
            raise ProtocolViolation(1002, "a control frame that is fragmented or too long")
        if masked != self._masked:
            raise ProtocolViolation(1002, f"a frame that is {'not ' if self._masked else ''}masked")
        return opcode, length, masked


class Assembler:
    """Join fragments; check what can only be seen in a whole message."""

    def __init__(self) -> None:
        self._opcode: Opcode | None = None
        self._parts: list[bytes] = []

    def add(self, frame: Frame) -> Message | None:
        """Give the message that this frame completes, if it does.

        Raises:
            ProtocolViolation: fragments out of order, text that is not UTF-8, a close frame that is wrong.
        """
        if frame.opcode.is_control:
            if frame.opcode is Opcode.CLOSE:
                parse_close(frame.payload)
            return Message(frame.opcode, frame.payload)
        if (frame.opcode is Opcode.CONTINUATION) != (self._opcode is not None):
            raise ProtocolViolation(1002, "fragments out of order")
        opcode = frame.opcode if self._opcode is None else self._opcode
        self._parts.append(frame.payload)
        if not frame.fin:
            self._opcode = opcode
            return None
        data, self._opcode, self._parts = b"".join(self._parts), None, []
        if opcode is Opcode.TEXT:
            _decode(data)
        return Message(opcode, data)


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ProtocolViolation(1007, "text that is not UTF-8") from None


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = None, rsv: int = 0) -> bytes:
    """Build one frame. Nothing is checked, so that it may be wrong on purpose.

    Args:
        opcode: what it is.
        payload: what it carries.
        fin: whether it ends its message.
        mask: four bytes for a client's frame; None for a server's.
        rsv: the three reserved bits.
    """
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit, size = (0x80 if mask is not None else 0), len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 0x10000:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    return head + (payload if mask is None else mask + apply_mask(payload, mask))


def text_frame(text: str) -> bytes:
    """Build one unmasked text frame."""
    return frame(Opcode.TEXT, text.encode())


def fragments(opcode: int, payload: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Build a message as unmasked fragments, cut at these positions; equal positions make empty fragments."""
    bounds = [0, *cuts, len(payload)]
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        last = number == len(bounds) - 2
        yield frame(opcode if number == 0 else Opcode.CONTINUATION, payload[start:end], fin=last)


def close_payload(code: int | None, reason: str = "") -> bytes:
    """Give the payload of a close frame; None for one without a code."""
    return b"" if code is None else struct.pack("!H", code) + reason.encode()


def close_frame(code: int | None = 1000, reason: str = "") -> bytes:
    """Build an unmasked close frame."""
    return frame(Opcode.CLOSE, close_payload(code, reason))


def parse_close(payload: bytes) -> tuple[int | None, str]:
    """Give code and reason of a close frame; the code is None if it has none.

    Raises:
        ProtocolViolation: a client may not send this.
    """
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise ProtocolViolation(1002, "a close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    standard = 1000 <= code <= HIGHEST_STANDARD_CODE and code not in NEVER_SENT
    if not (standard or 3000 <= code <= 4999):
        raise ProtocolViolation(1002, f"a close frame with the code {code}")
    return code, _decode(payload[2:])
