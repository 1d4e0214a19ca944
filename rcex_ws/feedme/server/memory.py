"""Connections within the process, without sockets: for tests of an application that run client and server together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from rcex_ws.feedme.messages import SUBPROTOCOL
from rcex_ws.feedme.transport import TransportState
from rcex_ws.loop import Signal
from rcex_ws.websocket.frames import Sendable, Text
from rcex_ws.websocket.peer import PeerOptions, Shared
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.socket import Ending, ignore

__all__ = ["MemoryPeer", "MemoryTransport"]

_PLAIN_REQUEST = UpgradeRequest("/", {}, (SUBPROTOCOL,))
_LOST = Ending(None, "", by_peer=False)


class _Pipe:
    """One direction: a queue of messages with an end."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._more = Signal()
        self.size = 0
        self.ended = False

    def put(self, message: bytes) -> None:
        """Add a message; ignored after the end."""
        if not self.ended:
            self._messages.append(message)
            self.size += len(message)
            self._more.set()

    def end(self, *, discard: bool = False) -> None:
        """Add the end, behind the messages or instead of them."""
        self.ended = True
        if discard:
            self._messages.clear()
        self._more.set()

    async def get(self) -> bytes | None:
        """Return the next message; None at the end."""
        while not self._messages:
            if self.ended:
                return None
            self._more = Signal()
            await self._more.wait()
        message = self._messages.popleft()
        self.size -= len(message)
        return message


class MemoryPeer:
    """The server's side of a connection; see `Peer` for its interface.

    Args:
        options: only the limit for buffering applies.
        request: the request that the client seems to have made.
    """

    overflowed = False

    def __init__(self, options: PeerOptions, request: UpgradeRequest = _PLAIN_REQUEST) -> None:
        self.request = request
        self._accepted = Signal()  # or refused
        self.failure: Exception | None = None
        self.to_client, self.to_server = _Pipe(), _Pipe()
        self._options = options
        self._ending = _LOST
        self._on_closing: Callable[[], None] = ignore
        self._open = self._stopped = False

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._open

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Sendable] = (),
    ) -> None:
        """Accept the connection."""
        if not self._stopped:
            self._open = True
            self._accepted.set()
            self.send(messages)

    async def wait_accepted(self) -> None:
        """Wait until the server has accepted the connection.

        Raises:
            ConnectionRefusedError: it refused.
        """
        await self._accepted.wait()
        if self.failure is not None:
            raise self.failure

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Refuse the connection."""
        self.failure = ConnectionRefusedError(f"the server refused the connection with the status {status}")
        self._stop(discard=True)

    async def read(
        self,
        on_message: Callable[[bytes, bool], object],
        on_pong: Callable[[bytes], object] = ignore,
        on_closing: Callable[[], None] = ignore,
        on_heard: Callable[[], object] = ignore,
    ) -> Ending:
        """Deliver messages until the connection ends; see `Peer.read`."""
        self._on_closing = on_closing
        if self._stopped:
            on_closing()
        while (message := await self.to_server.get()) is not None:
            on_heard()
            on_message(message, False)
        self._stop()
        return self._ending

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Send messages; see `Peer.send`."""
        if not self._open:
            return False
        for message in messages:
            if isinstance(message, Text):
                self.to_client.put(message.data.encode())
            elif isinstance(message, bytes):
                self.to_client.put(message)
        if self.to_client.size > self._options.max_buffer and self._options.overflow_code is not None:
            self.overflowed = True
            self.close(self._options.overflow_code, "too slow")
        return self._open

    def send_shared(self, shared: Shared) -> bool:
        """Send messages that other peers get as well."""
        return self.send(shared.messages)

    async def drain(self) -> None:
        """Do nothing: what was sent has arrived."""

    def ping(self, data: bytes = b"") -> None:
        """Do nothing: nobody answers."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection; the client still gets what was sent."""
        self._ending = Ending(code, reason, by_peer=True, answered=True)
        self._stop()

    def abort(self) -> None:
        """Drop the connection, with what was sent."""
        self.failure = ConnectionResetError("the server dropped the connection")
        self._stop(discard=True)

    def end_by_client(self) -> None:
        """End the connection from the client's side; the server still gets what was sent."""
        self._ending = Ending(1000, "", by_peer=True)
        self.to_server.end()
        self.to_client.end(discard=True)

    def _stop(self, *, discard: bool = False) -> None:
        if not self._stopped:
            self._stopped, self._open = True, False
            self.to_client.end(discard=discard)
            self.to_server.end(discard=True)
            self._accepted.set()
            self._on_closing()


class MemoryTransport:
    """The client's side of a connection; see `Transport` for its interface.

    Args:
        serve: starts serving the server's side.
        max_buffer: bytes that may wait for the client.
        request: the request that the client seems to have made.
    """

    def __init__(
        self, serve: Callable[[MemoryPeer], None], *, max_buffer: int, request: UpgradeRequest = _PLAIN_REQUEST
    ) -> None:
        self._serve = serve
        self._peer = MemoryPeer(PeerOptions(max_buffer=max_buffer), request)
        self._state: TransportState = "disconnected"

    @property
    def state(self) -> TransportState:
        """The state: "disconnected" until `connect` is called, and after the end."""
        return self._state

    async def connect(self) -> None:
        """Connect.

        Raises:
            ConnectionRefusedError: the server refused, or is not running.
        """
        self._state = "connecting"
        try:
            self._serve(self._peer)
            await self._peer.wait_accepted()
        except BaseException:
            self._state = "disconnected"
            self._peer.end_by_client()
            raise
        self._state = "connected"

    def send(self, text: bytes) -> None:
        """Send a message without waiting; ignored when not connected."""
        if self._state == "connected":
            self._peer.to_server.put(text)

    async def receive(self) -> bytes | None:
        """Return the next message; None when the connection has ended cleanly.

        Raises:
            ConnectionResetError: the server dropped the connection.
        """
        message = await self._peer.to_client.get()
        if message is None:
            self._state = "disconnected"
            if self._peer.failure is not None:
                raise self._peer.failure
        return message

    def disconnect(self) -> None:
        """End the connection without waiting; `receive` then returns None."""
        self._state = "disconnected"
        self._peer.end_by_client()
