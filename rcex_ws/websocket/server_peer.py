"""The server's side of one WebSocket, where the loop calls us: on a transport of asyncio, uvloop, or over a stream."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

import anyio

from rcex_ws.loop import Signal, now
from rcex_ws.websocket.frames import Frame, Ping
from rcex_ws.websocket.loop_connection import LoopConnection, Scheduler, Timer
from rcex_ws.websocket.peer import PeerOptions, Shared
from rcex_ws.websocket.peer_writer import PeerWriter
from rcex_ws.websocket.server_handshake import Request, ServerHandshake, answer
from rcex_ws.websocket.socket import Ending, Receivers

__all__ = ["Handler", "ServerPeer", "reset"]

_logger = logging.getLogger(__name__)

_NORMAL = 1000
_INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1, by its erratum 3227
_IP = (socket.AF_INET, socket.AF_INET6)


def _ignore(*_: object) -> None:
    """Take what nobody asked for."""


class ServerPeer(LoopConnection):
    """Serve one WebSocket; a `Peer` for the handler that gets it.

    Args:
        options: the limits.
        loop: the running one, or what does its part.
    """

    _writer: PeerWriter

    def __init__(self, options: PeerOptions, loop: Scheduler) -> None:
        super().__init__(loop)
        self._options = options
        self._handshake = ServerHandshake(max_size=options.max_size, compress=options.compress)
        self._asked = Signal()
        self._on_closing: Callable[[], None] = _ignore
        self._left = False  # messages can be sent no more
        self._deadline: Timer | None = None

    async def serve(self, handler: Handler) -> None:
        """Serve the connection from its first byte to its end; what the handler raises is logged."""
        code = _INTERNAL_ERROR
        try:
            if await self._is_asked():
                await handler(self)
            code = _NORMAL
        except Exception:  # a bug in what serves one peer must not end the others
            _logger.exception("serving a WebSocket failed")
        finally:
            await self._see_out(code)

    # -- called by the loop ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        super().connection_made(transport)
        self._writer = PeerWriter(self._transport, self._loop, self._fail)
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in _IP:
            # asyncio sets it only on sockets whose protocol number is set, which those of a listener have not.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause_writing(self) -> None:
        """Hear that the network is slow."""
        super().pause_writing()
        self._writer.block()

    def resume_writing(self) -> None:
        """Hear that the network takes more."""
        try:
            self._writer.unblock()
        except Exception as exc:  # noqa: BLE001 - raised again by the task that reads
            self._fail(exc)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the transport is gone; a frozen peer goes on to its end."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._writer.stop()
        if self._writer.frozen:
            self._writer.frozen = False
            if self._behind:
                self._loop.call_soon(self._go_on)
        super().connection_lost(exc)

    def _shake_hands(self, data: bytes) -> None:
        if self._writer.finishing:
            return  # it was refused
        if self._handshake.feed(data):
            if self._handshake.refusal:
                self._end_with(self._handshake.refusal)
            self._asked.set()
        if self._handshake.request is not None:
            self._hold(data)

    def _shake_hands_no_more(self) -> None:
        self._asked.set()

    def _end_of_stream(self) -> None:
        self._writer.stream_over = True
        super()._end_of_stream()

    def _go_on(self) -> None:
        if not self._writer.frozen:
            super()._go_on()

    def _over(self) -> None:
        self._reply()
        super()._over()
        self._leave()
        self._finish()

    def _fail(self, exc: Exception) -> None:
        super()._fail(exc)
        self._asked.set()
        with suppress(Exception):  # what has failed may be what this needs
            self.close(_INTERNAL_ERROR)
        self._leave()

    def _write_replies(self) -> None:
        if self._writable.is_set():
            self._reply()

    # -- what serves -----------------------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """What the client asks for."""
        if self._handshake.request is None:
            raise AssertionError("the client has not asked yet")
        return self._handshake.request

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return not self._left and not self._stream_over and self._is_open()

    @property
    def waiting(self) -> int:
        """How many bytes wait because the network is slow."""
        return self._writer.outgoing.size

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Frame] = (),
    ) -> None:
        """Agree; the messages leave in the segment of the answer.

        Raises:
            ValueError: the client does not speak the subprotocol, or a header cannot be sent.
        """
        data, codec = self._handshake.accept(subprotocol, headers)
        self._codec = codec
        if not self._stream_over and not self._transport.is_closing():
            self._writer.put(data + codec.encode(messages))

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Answer the request by any HTTP status from 200 on; the connection is closed then.

        Raises:
            ValueError: a header or the status cannot be sent.
        """
        self._end_with(answer(status, headers, body))

    async def read(
        self,
        on_message: Callable[[bytes, bool], None],
        on_pong: Callable[[bytes], None] = _ignore,
        on_closing: Callable[[], None] = _ignore,
    ) -> Ending:
        """Hand over what comes until the WebSocket ends; see `Peer.read`."""
        self._on_closing = on_closing
        if self._left:
            on_closing()
        return await self._read(Receivers(on_message, on_pong))

    def send(self, messages: Iterable[bytes | Frame]) -> bool:
        """Send messages together, without waiting; see `Peer.send`."""
        if not self.is_open:
            return False
        codec = self._opened()
        if self._writer.outgoing.apart:
            for message in messages:
                self._writer.put(codec.encode((message,)))
        else:
            self._writer.put(codec.encode(messages))
        return self._bounded()

    def send_shared(self, shared: Shared) -> bool:
        """Send what is sent to others, too, in the same frames unless they are compressed; see `Peer.send_shared`."""
        if self._handshake.deflates:
            return self.send(shared.messages)
        if not self.is_open:
            return False
        if not shared.frames:
            shared.frames = self._opened().encode(shared.messages)
        self._writer.put(shared.frames)
        return self._bounded()

    async def drain(self) -> None:
        """Wait until the network has taken what was sent, or the WebSocket has ended."""
        if not self._left:
            await self._writer.drain()

    def ping(self, data: bytes = b"") -> None:
        """Ask for a pong."""
        self.send((Ping(data),))

    def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Begin the closing handshake; see `Peer.close`."""
        if self.is_open:
            self._writer.put(self._opened().close(code, reason))
            self._end_within_bound()
            self._leave()

    def abort(self) -> None:
        """Drop the connection at once: by RST on TCP, by an end of the stream elsewhere."""
        if not self._gone.is_set():
            reset(self._transport)
        self._leave()

    # -- what test servers need besides ----------------------------------------------------------------------------

    @property
    def is_frozen(self) -> bool:
        """Whether nothing is read or written."""
        return self._writer.frozen

    def freeze(self) -> None:
        """Read nothing and write nothing, and do not notice that the peer leaves; the connection stays."""
        if not self._writer.frozen and not self._transport.is_closing():
            self._writer.frozen = True
            self._transport.pause_reading()

    def thaw(self) -> None:
        """Go on after a freeze."""
        if self._writer.frozen:
            self._writer.frozen = False
            self._go_on()
            self._writer.flush()

    def pace(self, gap: float, piece: int = 0) -> None:
        """Write each frame from now on by itself.

        Args:
            gap: seconds between two writes.
            piece: bytes of the largest write, so that frames are cut; 0 leaves them whole.
        """
        self._writer.pace(gap, piece)

    def send_bytes(self, data: bytes) -> None:
        """Write bytes that need not be a frame, whatever the state of the WebSocket."""
        if not self._transport.is_closing():
            self._writer.put(data)

    async def wait_gone(self) -> None:
        """Wait until the connection is gone; before `accept`, that is to leave the client without an answer."""
        await self._gone.wait()

    # -- how -------------------------------------------------------------------------------------------------------

    async def _is_asked(self) -> bool:
        """Wait for the request; tell whether it is one for a WebSocket. Any other has been answered."""
        await self._asked.wait(until=now() + self._options.open_timeout)
        self._raise_failure()
        if not self._asked.is_set():
            self._end_with(answer(408, body="The request took too long.\n"))
        return self._handshake.request is not None and not self._writer.finishing

    def _end_with(self, response: bytes) -> None:
        """Answer instead of becoming a WebSocket."""
        self._writer.put(response)
        self._finish()

    def _reply(self) -> None:
        """Write the answers to pings and to a close frame, behind what waits."""
        if self._codec is not None and self._codec.has_replies and not self._transport.is_closing():
            self._writer.put(self._codec.replies())

    def _bounded(self) -> bool:
        """Drop the peer if more waits for it than may; tell whether it is open."""
        outgoing, code = self._writer.outgoing, self._options.overflow_code
        if outgoing.size <= self._options.max_buffer or code is None:
            return True
        outgoing.clear()
        self.close(code, "too slow")
        return False

    def _leave(self) -> None:
        """Tell the owner, once, that messages can be sent no more."""
        if not self._left:
            self._left = True
            self._writer.give_up()
            self._on_closing()

    def _finish(self) -> None:
        """Write what waits, then an end of the stream; what still comes is not read."""
        if not self._writer.finishing:
            self._end_within_bound()
            self._writer.finish()

    def _end_within_bound(self) -> None:
        if self._deadline is None and not self._gone.is_set():
            self._deadline = self._loop.call_later(self._options.close_timeout, self._transport.abort)

    async def _see_out(self, code: int) -> None:
        """See the connection to its end, which is not far; it is aborted if the caller is cancelled."""
        try:
            self.close(code)
            self._finish()
            await self._gone.wait()
        finally:
            if not self._gone.is_set():
                self._transport.abort()
                with anyio.CancelScope(shield=True):
                    await self._gone.wait()


#: What serves; one that is written for every `Peer` will do.
Handler = Callable[[ServerPeer], Awaitable[None]]


def reset(transport: asyncio.WriteTransport) -> None:
    """Drop a connection by RST on TCP; `transport.abort()` alone sends an orderly end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0 and sock.family in _IP:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
