"""The server's side of one WebSocket: the `Peer` interface for handlers, and more for test servers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from rcex_ws.websocket.frames import Ping, Sendable
from rcex_ws.websocket.peer import INTERNAL_ERROR, NORMAL, Shared
from rcex_ws.websocket.server_connection import ServerConnection
from rcex_ws.websocket.server_handshake import UpgradeRequest, answer
from rcex_ws.websocket.socket import NOBODY, Ending, Receivers, ignore

__all__ = ["Handler", "ServerPeer"]

_logger = logging.getLogger(__name__)


class ServerPeer(ServerConnection):
    """A `Peer` on a transport of our own.

    Attributes:
        overflowed: see `Peer.overflowed`.
    """

    overflowed = False

    async def serve(self, handler: Handler) -> None:
        """Serve the connection from its first byte to its end; log what the handler raises."""
        code = INTERNAL_ERROR
        try:
            if await self._wait_for_request():
                await handler(self)
            code = NORMAL
        except Exception:  # a bug in one handler must not end the other connections
            _logger.exception("serving a WebSocket failed")
        finally:
            await self._shut_down(code)

    @property
    def request(self) -> UpgradeRequest:
        """The client's upgrade request."""
        if self._handshake.request is None:
            raise AssertionError("the client has not asked yet")
        return self._handshake.request

    @property
    def waiting(self) -> int:
        """Bytes waiting to be written."""
        return self._writer.outgoing.size

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Sendable] = (),
    ) -> None:
        """Accept the WebSocket; the messages are written together with the response.

        Raises:
            ValueError: the client does not support the subprotocol, or a header cannot be sent.
        """
        data, codec = self._handshake.accept(subprotocol, headers)
        self._codec = codec
        if not self._got_eof and not self._transport.is_closing():
            self._writer.put(data + codec.encode(messages))

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Respond with an HTTP status, 200 or above, and close the connection.

        Raises:
            ValueError: a header or the status cannot be sent.
        """
        self._respond(answer(status, headers, body))

    async def read(
        self,
        on_message: Callable[[bytes, bool], object],
        on_pong: Callable[[bytes], object] = ignore,
        on_closing: Callable[[], None] = ignore,
        on_heard: Callable[[], object] = ignore,
    ) -> Ending:
        """Deliver messages until the WebSocket ends; see `Peer.read`."""
        self._on_closing = on_closing
        if self._sending_stopped:
            on_closing()
        codec = self._opened()
        self._receivers, self._has_backlog = Receivers(on_message, on_pong, on_heard), True
        self._process_rest()  # data received before this call
        try:
            await self._ended.wait()
        finally:
            self._receivers = NOBODY
        self._raise_failure()
        return codec.finish()

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Send messages together without waiting; see `Peer.send`."""
        if not self.is_open:
            return False
        codec = self._opened()
        if not self._writer.outgoing.apart:
            return self._writer.put(codec.encode(messages)) or self._check_overflow()
        for message in messages:
            self._writer.put(codec.encode((message,)))
        return self._check_overflow()

    def send_shared(self, shared: Shared) -> bool:
        """Send messages that other peers get as well, in the same frames unless this peer compresses."""
        if self._handshake.deflates:
            return self.send(shared.messages)
        # `is_open` but for the codec's state: until a received close frame is answered, data may still be written.
        if self._sending_stopped or self._codec is None or self._transport.is_closing():
            return False
        if not shared.frames:
            if not self.is_open:
                return False
            shared.frames = self._codec.encode(shared.messages)
        return self._writer.put(shared.frames) or self._check_overflow()

    async def drain(self) -> None:
        """Wait until the network has accepted all that was sent, or the WebSocket has ended."""
        if not self._sending_stopped:
            await self._writer.drain()

    def ping(self, data: bytes = b"") -> None:
        """Send a ping."""
        self.send((Ping(data),))

    # -- for test servers ----------------------------------------------------------------------------------------------

    @property
    def is_frozen(self) -> bool:
        """Whether reading and writing are suspended."""
        return self._writer.frozen

    def freeze(self) -> None:
        """Suspend reading and writing, and do not notice a disconnect; the connection stays open."""
        if not self._writer.frozen and not self._transport.is_closing():
            self._writer.freeze()
            self._transport.pause_reading()

    def thaw(self) -> None:
        """Resume after `freeze`."""
        if self._writer.frozen:
            self._writer.frozen = False
            self._process_rest()
            self._writer.flush()

    def pace(self, gap: float, piece: int = 0) -> None:
        """Write each frame separately from now on.

        Args:
            gap: seconds between two writes.
            piece: bytes of the largest write, so that larger frames are split; 0 leaves them whole.
        """
        self._writer.pace(gap, piece)

    def ignore_pings(self) -> None:
        """Leave pings unanswered from now on."""
        self._opened().answers_pings = False

    def send_bytes(self, data: bytes) -> None:
        """Write raw bytes, which need not be a frame, in any state of the WebSocket."""
        if not self._transport.is_closing():
            self._writer.put(data)

    async def wait_gone(self) -> None:
        """Wait until the connection is gone; before `accept`, this leaves the client without a response."""
        await self._gone.wait()

    def _check_overflow(self) -> bool:
        """Close the peer if its buffer exceeds the limit; return whether it is still open."""
        outgoing, code = self._writer.outgoing, self._options.overflow_code
        if outgoing.size <= self._options.max_buffer or code is None:
            return True
        outgoing.clear()
        self.overflowed = True
        self.close(code, "too slow")
        return False


#: Serves one WebSocket; may also be declared to take any `Peer`.
Handler = Callable[[ServerPeer], Awaitable[None]]
