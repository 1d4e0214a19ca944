"""Open and close the server's side of a WebSocket, in callbacks of the loop: asyncio, uvloop, or a stand-in on trio.

The request and its limits, the closing handshake and its time-out, an end of the stream that loses no data, and the
notification of the owner. `server_peer.py` does what comes in between.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import anyio

from rcex_ws.loop import Signal, now
from rcex_ws.websocket.loop_connection import LoopConnection, Scheduler, Timer
from rcex_ws.websocket.peer import INTERNAL_ERROR, NORMAL, PeerOptions
from rcex_ws.websocket.peer_writer import PeerWriter
from rcex_ws.websocket.server_handshake import ServerHandshake, answer
from rcex_ws.websocket.socket import NOBODY, ignore

__all__ = ["ServerConnection", "reset"]

_IP = (socket.AF_INET, socket.AF_INET6)


class ServerConnection(LoopConnection):
    """The opening and closing of one WebSocket.

    Args:
        options: the limits.
        loop: the running loop, or its stand-in.
        sock: see `PeerWriter`.
    """

    _writer: PeerWriter

    def __init__(self, options: PeerOptions, loop: Scheduler, sock: socket.socket | None = None) -> None:
        super().__init__(loop)
        self._sock = sock
        self._options = options
        self._handshake = ServerHandshake(max_size=options.max_size, compress=options.compress)
        self._requested = Signal()
        self._on_closing: Callable[[], None] = ignore
        self._sending_stopped = False
        self._deadline: Timer | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return not self._sending_stopped and self._is_open()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Start the closing handshake; see `Peer.close`."""
        if self.is_open:
            self._writer.put(self._opened().close(code, reason))
            self._start_close_timer()
            self._stop_sending()

    def abort(self) -> None:
        """Drop the connection at once: by RST on TCP, otherwise by ending the stream."""
        if not self._gone.is_set():
            reset(self._transport)
        self._stop_sending()

    # -- called by the loop --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport, and disable Nagle's algorithm on TCP."""
        super().connection_made(transport)
        self._writer = PeerWriter(self._transport, self._loop, self._fail, self._sock)
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in _IP:
            # asyncio sets it only on sockets with a protocol number, which accepted ones lack.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause_writing(self) -> None:
        """Stop writing: the transport's buffer is full."""
        super().pause_writing()
        self._writer.block()

    def resume_writing(self) -> None:
        """Continue writing: the transport's buffer has room."""
        try:
            self._writer.unblock()
        except Exception as exc:  # noqa: BLE001 - the reading task raises it
            self._fail(exc)
        super().resume_writing()

    def eof_received(self) -> bool:
        """Handle the end of the peer's stream; keep the transport open while a final write is pending."""
        super().eof_received()
        return self._writer.finishing and self._writer.outgoing.size > 0 and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the loss of the transport; a frozen peer thaws to process its end."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._writer.stop()
        if self._writer.frozen:
            self._writer.frozen = False
            if self._has_backlog:
                self._loop.call_soon(self._process_rest)
        super().connection_lost(exc)

    def _feed_handshake(self, data: bytes) -> None:
        if self._writer.finishing:
            return  # the request was refused
        if self._handshake.feed(data):
            if self._handshake.refusal:
                self._respond(self._handshake.refusal)
            self._requested.set()
        if self._handshake.request is not None:
            self._limit_unclaimed(data)

    def _handshake_eof(self) -> None:
        self._requested.set()

    def _on_eof(self) -> None:
        self._writer.got_eof = True
        super()._on_eof()

    def _process_rest(self) -> None:
        if not self._writer.frozen:
            super()._process_rest()

    def _on_ended(self) -> None:
        self._queue_replies()
        super()._on_ended()
        self._stop_sending()
        self._finish()

    def _fail(self, exc: Exception) -> None:
        super()._fail(exc)
        if self._receivers is not None:
            self._receivers = NOBODY  # a message that could not be handled is not delivered again
        self._requested.set()
        with suppress(Exception):  # this may need what has just failed
            self.close(INTERNAL_ERROR)
        self._stop_sending()

    def _write_replies(self) -> None:
        if self._writable.is_set():
            self._queue_replies()

    # -- helpers -------------------------------------------------------------------------------------------------------

    async def _wait_for_request(self) -> bool:
        """Wait for the request; return whether it is a valid upgrade. Any other has been answered."""
        await self._requested.wait(until=now() + self._options.open_timeout)
        self._raise_failure()
        if not self._requested.is_set():
            self._respond(answer(408, body="The request took too long.\n"))
        return self._handshake.request is not None and not self._writer.finishing

    def _respond(self, response: bytes) -> None:
        """Write an HTTP response instead of upgrading, and close the connection."""
        if not self._transport.is_closing():
            self._writer.put(response)
        self._finish()

    def _queue_replies(self) -> None:
        """Write pongs and close frames, after what is already buffered."""
        if self._codec is not None and self._codec.has_replies and not self._transport.is_closing():
            self._writer.put(self._codec.replies())

    def _stop_sending(self) -> None:
        """Notify the owner, once, that no more messages can be sent."""
        if not self._sending_stopped:
            self._sending_stopped = True
            self._writer.release_waiters()
            self._on_closing()

    def _finish(self) -> None:
        """Write the buffer, then end our side of the stream; further data is not read."""
        if not self._writer.finishing:
            self._start_close_timer()
            self._writer.finish()

    def _start_close_timer(self) -> None:
        if self._deadline is None and not self._gone.is_set():
            self._deadline = self._loop.call_later(self._options.close_timeout, self._transport.abort)

    async def _shut_down(self, code: int) -> None:
        """Close the connection and wait until it is gone; abort it if the caller is cancelled."""
        try:
            self.close(code)
            self._finish()
            await self._gone.wait()
        finally:
            if not self._gone.is_set():
                self._transport.abort()
                with anyio.CancelScope(shield=True):
                    await self._gone.wait()


def reset(transport: asyncio.WriteTransport) -> None:
    """Drop a connection, by RST on TCP: `transport.abort()` alone ends the stream in order."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0 and sock.family in _IP:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
