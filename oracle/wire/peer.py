"""The server's end of one open WebSocket, over any trio stream."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable

import trio

from oracle.wire.websocket import (
    Assembler,
    FrameParser,
    Message,
    Opcode,
    ProtocolViolation,
    close_frame,
    close_payload,
    frame,
    parse_close,
)

READ_SIZE = 65536


class Peer:
    """Talk to one client.

    Args:
        stream: the connection; nobody else may read from it.
        surplus: what was read beyond the head of the upgrade request.
        answer_pings: False to leave pings unanswered.
        answer_close: False to leave a close frame unanswered.

    Attributes:
        stream: as given.
        close_code: that of the client's close frame; None before it, and for one without a code.
        close_reason: its reason.
        close_received: whether the client sent a close frame.
        close_sent: whether this side did.
        violation: what the client sent against RFC 6455, if anything; nothing is read after it.
        unread: bytes of a frame that never became whole, when the stream has ended.
    """

    def __init__(
        self, stream: trio.abc.Stream, surplus: bytes = b"", *, answer_pings: bool = True, answer_close: bool = True
    ) -> None:
        self.stream = stream
        self.answer_pings = answer_pings
        self.answer_close = answer_close
        self.close_code: int | None = None
        self.close_reason = ""
        self.close_received = False
        self.close_sent = False
        self._parser = FrameParser()
        self._assembler = Assembler()
        self._messages: deque[Message] = deque()
        self._violation: ProtocolViolation | None = None
        self._sending = trio.Lock()
        self._take(surplus)

    @property
    def violation(self) -> ProtocolViolation | None:
        """What the client sent against RFC 6455, if anything."""
        return self._violation

    @property
    def unread(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return self._parser.pending

    async def receive(self) -> Message | None:
        """Wait for the next message, pings, pongs and close frames included; None at the end of the stream.

        A ping or a close frame is answered before it is given. After a close frame there is nothing but the end.

        Raises:
            trio.BrokenResourceError: the client reset the connection.
            trio.ClosedResourceError: this side did, or closed it.
            ProtocolViolation: the client broke a rule; this is raised after what came before.
        """
        while not self._messages:
            if self._violation is not None:
                raise self._violation
            data = await self.stream.receive_some(READ_SIZE)
            if not data:
                return None
            if not self.close_received:
                self._take(bytes(data))
        message = self._messages.popleft()
        if message.opcode is Opcode.PING and self.answer_pings:
            await self._try(frame(Opcode.PONG, message.data))
        elif message.opcode is Opcode.CLOSE and self.answer_close and not self.close_sent:
            self.close_sent = True
            await self._try(close_frame(self.close_code, ""))
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Iterate over texts and binaries until the client closes or the stream ends."""
        while (message := await self.receive()) is not None and message.opcode is not Opcode.CLOSE:
            if not message.opcode.is_control:
                yield message

    async def send(self, *frames: bytes) -> None:
        """Write ready frames, or whatever bytes, in one piece."""
        async with self._sending:
            await self.stream.send_all(b"".join(frames))

    async def send_each(self, frames: Iterable[bytes]) -> None:
        """Write frames one by one, such as the fragments of a message, with nothing of other tasks between."""
        async with self._sending:
            for one in frames:
                await self.stream.send_all(one)

    async def send_text(self, text: str) -> None:
        """Send a text message."""
        await self.send(frame(Opcode.TEXT, text.encode()))

    async def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        await self.send(frame(Opcode.BINARY, data))

    async def ping(self, data: bytes = b"") -> None:
        """Send a ping."""
        await self.send(frame(Opcode.PING, data))

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame, unless one was sent; the answer comes by `receive`."""
        if not self.close_sent:
            self.close_sent = True
            await self.send(frame(Opcode.CLOSE, close_payload(code, reason)))

    async def aclose(self, code: int | None = 1000, reason: str = "", *, timeout: float = 5.0) -> None:
        """Do the closing handshake as far as the time allows, in seconds; then close the stream.

        No other task may be receiving.
        """
        with trio.move_on_after(timeout):
            try:
                await self.close(code, reason)
                while not self.close_received and await self.receive() is not None:
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError, ProtocolViolation):
                pass
        await trio.aclose_forcefully(self.stream)

    async def _try(self, data: bytes) -> None:
        """Send an answer; a client that is gone needs none."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.send(data)

    def _take(self, data: bytes) -> None:
        for one in self._parser.feed(data):
            try:
                message = self._assembler.add(one)
            except ProtocolViolation as violation:
                self._violation = violation
                return
            if message is None:
                continue
            self._messages.append(message)
            if message.opcode is Opcode.CLOSE:
                self.close_received = True
                self.close_code, self.close_reason = parse_close(message.data)
                return  # 5.5.1: whatever follows is not processed
        self._violation = self._parser.violation
