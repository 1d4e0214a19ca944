"""One TCP connection: HTTP/1.1 with keep-alive until the upgrade, WebSocket frames after it.

Written by hand: the frameworks cost more than the clients that are measured.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from typing import cast
from urllib.parse import SplitResult, parse_qs, urlsplit

from websockets.speedups import apply_mask

from benchmarks.drain import answers, deflate, feedme, slack
from benchmarks.drain.feedme import FeedmeSession
from benchmarks.drain.outlet import Outlet
from benchmarks.drain.session import Session
from benchmarks.drain.slack import SlackSession

__all__ = ["Connection"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING = 0x1, 0x8, 0x9


class Connection(asyncio.Protocol):
    """Serve one client.

    Args:
        sessions: those that can be recovered, by their token; shared by all connections.
        deflate: compress bursts; refuse who does not offer it.
    """

    def __init__(self, sessions: dict[str, Session], *, deflate: bool) -> None:
        self._sessions = sessions
        self._deflate = deflate
        self._session: Session | SlackSession | FeedmeSession | None = None
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; the session waits to be recovered."""
        if self._session is not None:
            self._session.disconnected()

    def pause_writing(self) -> None:
        """Stop a burst until the client has taken what there is."""
        if self._session is not None:
            self._session.out.pause()

    def resume_writing(self) -> None:
        """Go on with the burst."""
        if self._session is not None:
            self._session.out.resume()

    def data_received(self, data: bytes) -> None:
        """Take what came; write all answers to it at once."""
        self._buffer += data
        if self._session is None:
            for head, body in self._requests():
                self._serve(head, body)
        if self._session is not None:
            for opcode, payload in self._frames():
                if opcode == _TEXT:
                    self._session.take(payload)
                elif opcode == _CLOSE:
                    self._transport.write(bytes((0x80 | _CLOSE, len(payload))) + payload)
                    self._transport.close()
                elif opcode == _PING:
                    self._transport.write(bytes((0x80 | 0xA, len(payload))) + payload)
            self._session.out.flush()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Take whole frames off the buffer; clients mask theirs, and send none in fragments."""
        buffer = self._buffer
        at = 0
        while len(buffer) >= at + 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length >= 126:  # the length itself follows, in 2 or 8 bytes
                start += 2 if length == 126 else 8
                length = int.from_bytes(buffer[at + 2 : start])
            end = start + 4 + length
            if len(buffer) < end:
                break
            opcode = buffer[at] & 0x0F
            payload = apply_mask(bytes(buffer[start + 4 : end]), bytes(buffer[start : start + 4]))
            yield opcode, deflate.inflate(payload) if buffer[at] & deflate.COMPRESSED else payload
            at = end
        del buffer[:at]

    def _requests(self) -> Iterator[tuple[bytes, bytes]]:
        """Take whole HTTP requests off the buffer: head and body."""
        while self._session is None:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            length = int(_header(head, b"content-length") or 0)
            if not found or len(rest) < length:
                return
            self._buffer = bytearray(rest[length:])
            yield head, rest[:length]

    def _serve(self, head: bytes, body: bytes) -> None:
        method, target, _ = head.split(b" ", 2)
        url = urlsplit(target.decode())
        if _header(head, b"upgrade"):
            self._upgrade(head, url)
        elif url.path.startswith(slack.API):
            self._respond(slack.start(_header(head, b"host").decode()))
        elif url.path == "/restapi/oauth/token":
            self._respond(answers.tokens())
        elif url.path == "/restapi/oauth/wstoken":
            host = _header(head, b"host").decode()
            scheme = "ws" if self._transport.get_extra_info("sslcontext") is None else "wss"
            token = f'{{"uri":"{scheme}://{host}/ws","ws_access_token":"a-token","expires_in":600}}'
            self._respond(token.encode())
        elif url.path == "/restapi/oauth/revoke" or method == b"DELETE":
            self._respond(b"")
        elif url.path.startswith("/restapi/v1.0/account/"):
            self._respond(answers.EXTENSION)
        else:
            self._respond(answers.error(), b"404 Not Found")

    def _respond(self, body: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)

    def _upgrade(self, head: bytes, url: SplitResult) -> None:
        if self._deflate and b"permessage-deflate" not in _header(head, b"sec-websocket-extensions"):
            self._respond(answers.error(), b"400 Bad Request")
            return
        chosen = deflate.ANSWER if self._deflate else b""
        if protocol := _header(head, b"sec-websocket-protocol"):
            chosen += b"Sec-WebSocket-Protocol: " + protocol + b"\r\n"
        accept = base64.b64encode(hashlib.sha1(_header(head, b"sec-websocket-key") + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n" + chosen + b"\r\n"
        )
        if url.path == feedme.SOCKET:
            self._session = FeedmeSession(self._transport)
            return
        if url.path == slack.SOCKET:
            self._session = SlackSession(self._transport)
            return
        wsc = parse_qs(url.query).get("wsc", [""])[0]
        recovered = wsc in self._sessions
        self._session = session = self._sessions[wsc] if recovered else self._begin()
        session.connected(self._transport, recovered=recovered)

    def _begin(self) -> Session:
        return Session(self._sessions, deflate.DeflatingOutlet if self._deflate else Outlet)


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""
