"""One side of an open WebSocket: bytes to messages and back. Pure.

The sans-I/O protocol of `websockets` implements RFC 6455. Inbound data is split into frames here: on the client a
complete plain data frame (unmasked, uncompressed, unfragmented) goes straight to its receiver, which is the fast path;
everything else goes through the library, frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterable

from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from rcex_ws.time_slice import TimeSlice
from rcex_ws.websocket.frames import Binary, Ping, Pong, Sendable, Text
from rcex_ws.websocket.head import BINARY, CONTROL, MASK, MAX_SHORT, SHORTEST, TEXT, WIDTHS, end_of_frame, read_head
from rcex_ws.websocket.socket import Ending, Receivers

__all__ = ["MAX_FRAGMENTS", "Codec"]

#: Maximum number of fragments in one message; no well-behaved peer sends that many.
MAX_FRAGMENTS = 2**16

#: Maximum number of pongs waiting to be written: RFC 6455, section 5.5.3, only requires one for the latest ping.
_MAX_REPLIES = 64

#: The clock is read only after each 16th plain frame: reading it costs a tenth of handling one.
_LOOK = 0b1111

#: Maximum bytes and number of frames passed to the library at once; they may inflate to a thousand times that size.
_MAX_RUN = 2**12
_MOST_FRAMES = 16

#: The clock is also read after each plain frame larger than this, in bytes.
_LARGE = 2**16

#: Bytes of an incomplete frame that count as a sign of life: a large frame may take minutes, but a peer that trickles
#: bytes of a frame that never ends must not look alive.
_PROGRESS = 2**14

_OPCODES = frozenset(Opcode)

# Close codes.
_TOO_BIG = 1009
_NO_STATUS = 1005  # stands for a close frame without a code (RFC 6455, section 7.4.1)


class Codec:
    """Converts between bytes and messages.

    Args:
        protocol: an open `websockets` protocol that has read only the opening handshake.
        max_size: the largest message accepted, in bytes, decompressed.

    Attributes:
        ending: how the WebSocket ended; None while it has not.
        deaf: whether inbound messages are discarded.
        answers_pings: whether pings are answered; False lets a test server play dead.
    """

    def __init__(self, protocol: ClientProtocol | ServerProtocol, *, max_size: int) -> None:
        self.ending: Ending | None = None
        self.deaf = False
        self.answers_pings = True
        self._protocol = protocol
        self._max_size = max_size
        self._buffer: bytes | bytearray = b""
        self._reported = 0  # bytes of the buffer already reported as a sign of life
        self._is_client = self._fast = isinstance(protocol, ClientProtocol)
        self._is_hopeless = False  # the parser has the start of a frame that it will reject
        self._closing = False  # this side has sent a close frame first
        self._fragments: bytearray | None = None
        self._fragment_count = 0
        self._binary = False
        self._replies: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.ending is None and self._protocol.state is State.OPEN

    # -- outbound ------------------------------------------------------------------------------------------------------

    def encode(self, messages: Iterable[bytes | Sendable]) -> bytes:
        """Encode messages, only while the WebSocket is open. `bytes` stand for an encoded text message."""
        protocol = self._protocol
        for message in messages:
            if isinstance(message, bytes):
                protocol.send_text(message)
                continue
            match message:
                case Text(data):
                    protocol.send_text(data.encode())
                case Binary(data):
                    protocol.send_binary(data)
                case Ping(data):
                    protocol.send_ping(data)
                case Pong(data):  # pragma: no branch - there is no other frame
                    protocol.send_pong(data)
        return b"".join(protocol.data_to_send())

    def close(self, code: int | None, reason: str) -> bytes:
        """Return the bytes that start the closing handshake; none if it has started."""
        if not self.is_open:
            return b""
        self._closing, self._fast = True, False
        self._protocol.send_close(code, reason)
        return b"".join(self._protocol.data_to_send())

    @property
    def has_replies(self) -> bool:
        """Whether pongs or a close frame wait to be written."""
        return bool(self._replies)

    def replies(self) -> bytes:
        """Return and forget those pongs and close frames, encoded."""
        if not self._replies:
            return b""
        replies = b"".join(self._replies)
        self._replies.clear()
        return replies

    # -- inbound -------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Buffer received data for `process`."""
        if self.ending is not None:
            return
        if not self._buffer:
            self._buffer = data
        elif isinstance(self._buffer, bytearray):
            self._buffer += data
        else:
            self._buffer = bytearray(self._buffer) + data

    def process(self, receivers: Receivers) -> bool:
        """Deliver complete messages, for at most one turn of the loop.

        Returns:
            Whether complete messages may be left for the next turn.
        """
        buffer, size, position = self._buffer, len(self._buffer), 0
        message, max_size, fast = receivers.message, self._max_size, self._fast
        frames, more, time_slice, whole = 0, False, None, None
        while size - position >= SHORTEST:
            first, length = buffer[position], buffer[position + 1]
            start, plain = position + SHORTEST, False
            if fast and (first == TEXT or first == BINARY) and length < MASK:  # noqa: SIM109 - a tuple costs more
                if length > MAX_SHORT:
                    start += WIDTHS[length]
                    if start > size:
                        break
                    length = int.from_bytes(buffer[position + SHORTEST : start])
                plain = length <= max_size
            if plain:
                end = start + length
                if end > size:
                    break
                if whole is None:
                    receivers.heard()
                    whole = bytes(buffer)  # slices of a bytearray would be copied twice
                message(whole[start:end], first == BINARY)
                position = end
                frames += 1
                if self.deaf:
                    break
                if frames & _LOOK and length <= _LARGE:
                    continue
            else:
                end = self._end_of_run(buffer, position)
                if not end:
                    break
                receivers.heard()
                self._parse(bytes(buffer[position:end]), receivers)
                position, fast = end, self._fast
                if self.ending is not None or self.deaf:
                    break
            if time_slice is None:
                time_slice = TimeSlice()
            elif time_slice.expired():
                more = position < size
                break
        if self.deaf or self.ending is not None:
            self._buffer = b""
            return False
        if position:
            self._buffer = buffer[position:]
            self._reported = 0
        elif size - self._reported >= _PROGRESS:
            self._reported = size
            receivers.heard()
        return more

    def finish(self) -> Ending:
        """Handle the end of the stream and return how the WebSocket ended."""
        if self.ending is None:
            protocol, rest = self._protocol, self._buffer
            self._buffer = b""
            if rest:  # an incomplete frame, which may be invalid already
                protocol.receive_data(rest)
                self._replies += protocol.data_to_send()
            failed = not self._closing and protocol.state is not State.OPEN
            protocol.receive_eof()
            self.ending = self._failure() if failed else Ending(None, "", by_peer=False)
        return self.ending

    # -- helpers -------------------------------------------------------------------------------------------------------

    def _end_of_run(self, buffer: bytes | bytearray, position: int) -> int:
        """Return the end of a run of frames for the library to parse; 0 if the first frame is incomplete.

        Parsing several at once is cheaper, but all of them are then inflated at once, too. A ping or a close frame is
        parsed alone, so that messages before it are handled before it is answered.
        """
        if self._is_hopeless:
            return len(buffer)
        end = end_of_frame(buffer, position)
        if not end:
            self._is_hopeless = self._will_be_refused(buffer, position)
            return len(buffer) if self._is_hopeless else 0
        last = min(len(buffer) - SHORTEST, position + _MAX_RUN)
        for _ in range(0 if buffer[position] & CONTROL else _MOST_FRAMES - 1):
            if end > last or buffer[end] & CONTROL or (self._fast and buffer[end] in (TEXT, BINARY)):
                break
            following = end_of_frame(buffer, end)
            if not following:
                break
            end = following
        return end

    def _will_be_refused(self, buffer: bytes | bytearray, position: int) -> bool:
        """Return whether the parser will reject a frame once it has seen enough of it.

        Only the parser knows how much that takes, so from then on it gets all data at once, complete frames or not.
        """
        first, second = buffer[position], buffer[position + 1]
        start, length = read_head(buffer, position)
        if start > len(buffer):
            return False
        so_far = 0 if self._fragments is None else len(self._fragments)
        is_masked, is_long = second >= MASK, so_far + length > self._max_size
        return is_long or is_masked is self._is_client or first & 0x0F not in _OPCODES

    def _parse(self, data: bytes, receivers: Receivers) -> None:
        """Parse some frames with the library."""
        protocol = self._protocol
        protocol.receive_data(data)
        for frame in protocol.events_received():
            if isinstance(frame, WireFrame):  # pragma: no branch - other events belong to the handshake
                self._handle(frame, receivers)
            if self.deaf or self._fragment_count > MAX_FRAGMENTS:
                break
        self._replies += filter(self._is_wanted, protocol.data_to_send())
        del self._replies[:-_MAX_REPLIES]
        if self.ending is None and not self._closing and protocol.state is not State.OPEN:
            protocol.receive_eof()
            self.ending = self._failure()

    def _is_wanted(self, reply: bytes) -> bool:
        """Return whether a reply of the library is to be written; each reply is one frame."""
        return bool(reply) and (self.answers_pings or reply[0] & 0x0F != Opcode.PONG)

    def _handle(self, frame: WireFrame, receivers: Receivers) -> None:
        """Handle one frame, whose order and size the parser has checked."""
        opcode, data = frame.opcode, bytes(frame.data)
        if opcode is Opcode.PONG:
            receivers.pong(data)
        elif opcode is Opcode.CLOSE:
            code, reason = (int.from_bytes(data[:2]), data[2:].decode()) if data else (_NO_STATUS, "")
            self.ending = Ending(code, reason, by_peer=True, answered=self._closing)
        elif opcode is not Opcode.PING:
            if opcode is not Opcode.CONT:
                self._binary = opcode is Opcode.BINARY
            if frame.fin:
                if self._fragments is not None:
                    data = bytes(self._fragments + data)
                    self._fragments, self._fast = None, self._is_client and not self._closing
                receivers.message(data, self._binary)
            else:
                self._append_fragment(data)

    def _append_fragment(self, fragment: bytes) -> None:
        """Store a fragment until the message is complete."""
        if self._fragments is None:
            self._fragments, self._fragment_count, self._fast = bytearray(), 0, False
        self._fragments += fragment
        self._fragment_count += 1
        if self._fragment_count > MAX_FRAGMENTS:
            self._protocol.fail(_TOO_BIG, f"a message of more than {MAX_FRAGMENTS} fragments")

    def _failure(self) -> Ending:
        """Return how the WebSocket ended after the parser has rejected a frame."""
        end = self._protocol.close_exc
        if end.rcvd is not None:  # a close frame between the fragments of a message
            return Ending(end.rcvd.code, end.rcvd.reason, by_peer=True)
        if end.sent is None:  # pragma: no cover - the library sends a close frame when it rejects one
            return Ending(None, "", by_peer=False)
        return Ending(end.sent.code, end.sent.reason, by_peer=False, unreadable=True)
