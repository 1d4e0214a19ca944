"""A `Peer` over a WebSocket of an ASGI server, for applications mounted into Starlette and similar frameworks.

ASGI gives no control over pings, resets, or what shares a TCP segment with the response; the server decides those.
All waiting is done in the handler's task and in one task that writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

import anyio

from rcex_ws.loop import Signal, now
from rcex_ws.websocket.frames import Binary, Sendable, Text
from rcex_ws.websocket.peer import INTERNAL_ERROR, NORMAL, Peer, PeerOptions, Shared
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.socket import Ending, ignore

__all__ = ["AsgiPeer", "serve_asgi"]

_NO_CLOSE_FRAME = 1006
_LOST = Ending(None, "", by_peer=False)

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


async def serve_asgi(
    handler: Callable[[Peer], Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: _Receive,
    send: _Send,
    options: PeerOptions | None = None,
) -> None:
    """Serve one WebSocket of an ASGI server; call this from an application for the scope type "websocket".

    Args:
        handler: as for `rcex_ws.websocket.listen.serve`, but what it raises is raised again after closing.
        scope: the application's.
        receive: the application's.
        send: the application's.
        options: only the limits for buffering and closing apply; the server has its own for the rest.
    """
    if (await receive())["type"] != "websocket.connect":
        return
    peer = AsgiPeer(scope, receive, send, options or PeerOptions())
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(peer.write_all)
        code = INTERNAL_ERROR
        try:
            await handler(peer)
            code = NORMAL
        except Exception as exc:  # noqa: BLE001 - kept out of the group, which would cancel pending writes
            failure = exc
        finally:
            peer.end(code)
    if failure is not None:
        raise failure


class AsgiPeer:
    """One WebSocket of an ASGI server; see `Peer` for its interface."""

    overflowed = False

    def __init__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send, options: PeerOptions) -> None:
        self.request = _request(scope)
        self._can_refuse = "websocket.http.response" in scope.get("extensions", {})
        self._receive = receive
        self._send = send
        self._options = options
        self._waiting: deque[tuple[_Message, int]] = deque()
        self._size = 0
        self._closing: _Message | None = None
        self._accepted = self._sending_stopped = self._done = False
        self._more = Signal()  # set when there is data to write, or a reason to stop
        self._drained = Signal()
        self._stopping, self._written, self._ended = Signal(), Signal(), Signal()
        self._on_closing: Callable[[], None] = ignore
        self._reading: anyio.CancelScope | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._accepted and not self._sending_stopped

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        messages: Iterable[bytes | Sendable] = (),
    ) -> None:
        """Accept the WebSocket, then send the messages."""
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": raw})
        self._accepted = True
        self.send(messages)

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> None:
        """Respond with an HTTP status; with 403 if the server supports no other."""
        self._done = True
        self._stop_sending()
        if not self._can_refuse:
            await self._send({"type": "websocket.close", "code": NORMAL})
            return
        content = body.encode() if isinstance(body, str) else body
        fields = {"content-length": str(len(content))} | {name.lower(): text for name, text in (headers or {}).items()}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": raw})
        await self._send({"type": "websocket.http.response.body", "body": content})

    async def read(
        self,
        on_message: Callable[[bytes, bool], object],
        on_pong: Callable[[bytes], object] = ignore,
        on_closing: Callable[[], None] = ignore,
        on_heard: Callable[[], object] = ignore,
    ) -> Ending:
        """Deliver messages until the WebSocket ends; see `Peer.read`. Pongs and parts stay with the server."""
        self._on_closing = on_closing
        if self._sending_stopped:
            on_closing()
        ending = _LOST
        with anyio.CancelScope() as self._reading:
            if not self._done:
                ending = await self._read(on_message, on_heard)
        self._end()
        return ending

    def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Send messages without waiting; see `Peer.send`."""
        if not self.is_open:
            return False
        waiting = self._size
        for message in messages:
            match message:
                case bytes():
                    self._put("text", message.decode())
                case Text(text):
                    self._put("text", text)
                case Binary(data):
                    self._put("bytes", data)
                case _:
                    pass  # a ping or a pong
        self._more.set()
        code = self._options.overflow_code
        # Nobody is too slow for what nothing waits before, however large it is: sent again, it would never arrive.
        if waiting and self._size > self._options.max_buffer and code is not None:
            self._waiting.clear()
            self._size = 0
            self.overflowed = True
            self.close(code, "too slow")
        return self.is_open

    def send_shared(self, shared: Shared) -> bool:
        """Send messages that other peers get as well; the server encodes them for each peer."""
        return self.send(shared.messages)

    async def drain(self) -> None:
        """Wait until the server has accepted all that was sent, or the WebSocket has ended."""
        if self._size and not self._sending_stopped:
            if self._drained.is_set():
                self._drained = Signal()
            await self._drained.wait()

    def ping(self, data: bytes = b"") -> None:
        """Do nothing: the server sends its own pings."""

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Start the closing handshake; see `Peer.close`."""
        if self.is_open:
            self._closing = {"type": "websocket.close", "code": code, "reason": reason}
            self._stop_sending()

    def abort(self) -> None:
        """Stop at once, as far as ASGI allows."""
        self._end()

    def end(self, code: int) -> None:
        """Close after the handler has returned; the writing task then ends within the close time-out."""
        self._ended.set()
        if not self._accepted and not self._sending_stopped:
            self._closing = {"type": "websocket.close", "code": code}
        self.close(code)
        self._stop_sending()

    async def write_all(self) -> None:
        """Write messages until the WebSocket has closed, within the close time-out once closing starts."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._write)
            await self._stopping.wait()
            deadline = now() + self._options.close_timeout
            await self._written.wait(until=deadline)
            await self._ended.wait(until=deadline)
            group.cancel_scope.cancel()
        self._end()
        if self._reading is not None:
            self._reading.cancel()

    async def _write(self) -> None:
        try:
            while True:
                while self._waiting and not self._done:
                    message, size = self._waiting.popleft()
                    await self._send(message)
                    self._size -= min(size, self._size)  # the buffer may have been cleared meanwhile
                self._drained.set()
                if self._sending_stopped:
                    break
                self._more = Signal()
                await self._more.wait()
            if self._closing is not None and not self._done:
                await self._send(self._closing)
            self._written.set()
        except OSError:  # ASGI 2.4: the client has disconnected
            self._end()

    def _put(self, kind: str, content: str | bytes) -> None:
        self._waiting.append(({"type": "websocket.send", kind: content}, len(content)))
        self._size += len(content)

    async def _read(self, on_message: Callable[[bytes, bool], object], on_heard: Callable[[], object]) -> Ending:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code", _NO_CLOSE_FRAME)
                self._done = True
                if code == _NO_CLOSE_FRAME:
                    return _LOST
                return Ending(code, message.get("reason") or "", by_peer=True, answered=self._closing is not None)
            on_heard()
            data = message.get("bytes")
            if data is None:
                on_message(message["text"].encode(), False)
            else:
                on_message(data, True)

    def _end(self) -> None:
        """Release every waiter, whichever side ended the WebSocket."""
        self._done = True
        self._written.set()
        self._ended.set()
        self._stop_sending()

    def _stop_sending(self) -> None:
        """Notify the owner, once, that no more messages can be sent."""
        if not self._sending_stopped:
            self._sending_stopped = True
            self._drained.set()
            self._more.set()
            self._stopping.set()
            self._on_closing()


def _request(scope: MutableMapping[str, Any]) -> UpgradeRequest:
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    target = path + b"?" + query if query else path
    return UpgradeRequest(target.decode("ascii"), headers, tuple(scope.get("subprotocols", ())))
