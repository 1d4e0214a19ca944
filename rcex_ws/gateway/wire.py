"""The transport of one WebSocket: a byte stream, websockets' sans-I/O protocol, and one queue of outgoing bytes.

Owned by one `websocket.Connection`, which alone calls it. It knows frames of the WebSocket protocol and nothing of
RingCentral. Frames which are ready together leave in one write; freezing and aborting happen here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable

import anyio
from anyio.abc import ByteStream
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from rcex_ws.gateway.tcp import TcpStream

__all__ = ["PONG", "Pong", "Wire"]

# websockets logs the request line, in which the wstoken and the wsc stand. A logger made by hand is in no hierarchy,
# so that no logging configuration can switch it on again.
_silent = logging.Logger("rcex_ws.gateway.websockets", logging.CRITICAL + 1)

_MAX_MESSAGE = 2**24
_FRAME_GAP = 0.005
"""Seconds between two writes when frames are not to share a segment."""
_CLOSE_TIMEOUT = 5.0
"""Seconds that the client has to answer a close frame."""
_ENDINGS = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""The ordinary ways for a stream to end."""


class Pong:
    """The type of `PONG`."""


PONG = Pong()
"""Stands among the messages for the client's answer to a ping."""


class Wire:
    """Move bytes and WebSocket frames.

    Args:
        stream: The transport; the creator closes it.
        coalesce: Write what is ready at once in one segment; otherwise frame by frame with a gap.

    Attributes:
        scope: Everything that reads or writes runs in it; cancelled when the connection ends.
    """

    def __init__(self, stream: ByteStream, *, coalesce: bool) -> None:
        self.scope = anyio.CancelScope()
        self._stream = stream
        self._coalesce = coalesce
        self._protocol = ServerProtocol(max_size=_MAX_MESSAGE, logger=_silent)
        self._out: list[bytes] = []
        self._eof_after_out = False
        self._wake = anyio.Event()
        self._thawed = anyio.Event()
        self._thawed.set()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN

    @property
    def is_frozen(self) -> bool:
        """Whether nothing is read or written."""
        return not self._thawed.is_set()

    # The handshake

    async def read_request(self) -> Request | None:
        """Read the upgrade request; None when the client sent something else or left."""
        try:
            while self._protocol.handshake_exc is None:
                self._protocol.receive_data(await self._stream.receive())
                for event in self._protocol.events_received():
                    if isinstance(event, Request):
                        return event
            await self._write_now()
        except _ENDINGS:
            pass  # nothing was promised yet, so there is nothing to tell
        return None

    async def accept(self, request: Request) -> bool:
        """Answer the upgrade; return whether it was a good one."""
        return await self._respond(self._protocol.accept(request))

    async def reject(self, status: int, body: str, headers: dict[str, str]) -> None:
        """Refuse the upgrade with an HTTP answer."""
        response = self._protocol.reject(status, body)
        del response.headers["Content-Type"]
        response.headers.update(headers)
        await self._respond(response)

    async def wait_for_end(self) -> None:
        """Read and ignore until the client leaves."""
        try:
            while True:
                await self._stream.receive()
        except _ENDINGS:
            return

    # While open

    async def messages(self) -> AsyncIterator[bytes | Pong]:
        """Yield each data message, and `PONG` for each pong, until the stream ends."""
        fragments: list[bytes] = []
        while True:
            try:
                data = await self._stream.receive()
            except _ENDINGS:
                data = b""
            await self._thawed.wait()  # a frozen side does not even notice that the other one left
            if not data:
                return
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                if not isinstance(event, Frame):
                    continue
                if event.opcode is Opcode.PONG:
                    yield PONG
                elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    fragments.append(bytes(event.data))
                    if event.fin:
                        yield b"".join(fragments)
                        fragments.clear()
            self._flush()

    async def write_all(self) -> None:
        """Write what is queued, until cancelled or until the closing handshake is through."""
        while True:
            await self._thawed.wait()
            if self._out:
                await self._write_some()
            elif self._eof_after_out:
                self.scope.cancel()
                return
            else:
                self._wake = anyio.Event()
                await self._wake.wait()

    # None of these waits.

    def send(self, messages: Iterable[str | bytes], *, binary: bool = False) -> None:
        """Queue messages to be written together; `bytes` go as binary, and `str` too when `binary` says so."""
        if not self.is_open:
            return
        for message in messages:
            content = message.encode() if isinstance(message, str) else message
            if binary or isinstance(message, bytes):
                self._protocol.send_binary(content)
            else:
                self._protocol.send_text(content)
        self._flush()

    def ping(self) -> None:
        """Queue a ping."""
        if self.is_open:
            self._protocol.send_ping(b"gateway")
            self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Queue a close frame; the client has a bounded time to answer it."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._flush()
            self.scope.deadline = anyio.current_time() + _CLOSE_TIMEOUT

    def abort(self) -> None:
        """End at once: RST on TCP, a plain close elsewhere."""
        if isinstance(self._stream, TcpStream):
            self._stream.reset()
        self.scope.cancel()

    def freeze(self) -> None:
        """Stop reading and writing; the socket stays open."""
        if not self.is_frozen:
            self._thawed = anyio.Event()

    def thaw(self) -> None:
        """Go on after a freeze."""
        self._thawed.set()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._out.append(data)
            else:
                self._eof_after_out = True
        self._wake.set()

    async def _write_some(self) -> None:
        data = b"".join(self._out) if self._coalesce else self._out[0]
        del self._out[: None if self._coalesce else 1]
        try:
            await self._stream.send(data)
        except _ENDINGS:
            await self._thawed.wait()
            self.scope.cancel()
        if not self._coalesce:
            await anyio.sleep(_FRAME_GAP)

    async def _respond(self, response: Response) -> bool:
        self._protocol.send_response(response)
        try:
            await self._write_now()
        except _ENDINGS:
            return False
        return self.is_open

    async def _write_now(self) -> None:
        """Write during the handshake, before the writing task runs."""
        await self._stream.send(b"".join(self._protocol.data_to_send()))
