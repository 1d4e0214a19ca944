"""Sockets that can send malformed requests and frames, for the random inputs."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

LIMIT = 10.0
"""Seconds for an answer or an end; a gateway that takes longer hangs."""
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FRAME_STATUS = re.compile(rb'"status": ?(\d+)')


class WebSocket:
    """A minimal WebSocket client that can send malformed frames."""

    def __init__(self, login: dict[str, Any]) -> None:
        address = urlsplit(login["uri"])
        self._sock = socket.create_connection((address.hostname, address.port), LIMIT)
        self._sock.sendall(self.request(f"{address.path}?{urlencode({'access_token': login['ws_access_token']})}"))
        self.is_over = False
        self._data = b""
        while b"\r\n\r\n" not in self._data:
            more = self._received()
            assert more, "a good wstoken was refused"
            self._data += more
        self._data = self._data.partition(b"\r\n\r\n")[2]
        assert b"ConnectionDetails" in self._message()

    @staticmethod
    def request(target: str) -> bytes:
        head = [f"GET {target} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
        head += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13", "", ""]
        return "\r\n".join(head).encode()

    @staticmethod
    def encode(content: bytes, opcode: int = TEXT) -> bytes:
        size = len(content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        if size >= 2**16:
            length = b"\xff" + struct.pack("!Q", size)
        return bytes([0x80 | opcode]) + length + bytes(4) + content  # a mask of zeros leaves it as it is

    def send_bytes(self, data: bytes) -> None:
        with suppress(OSError):
            self._sock.sendall(data)

    def answer(self, message_id: str | None) -> str:
        """Wait for the answer to a request and to a heartbeat after it, or for the end."""
        beat = f"beat{time.monotonic_ns()}"
        self.send_bytes(self.encode(json.dumps([{"type": "Heartbeat", "messageId": beat}]).encode()))
        missing = {beat.encode()} | ({message_id.encode()} if message_id else set())
        statuses: list[int] = []
        while missing:
            message = self._message()
            if not message:
                return self.end()
            if (status := FRAME_STATUS.search(message)) is not None:  # the first: a body may have others
                statuses.append(int(status[1]))
            missing = {one for one in missing if one not in message}
        return str(good(max(statuses))) if statuses else "ignored"

    def end(self) -> str:
        """Send a FIN, and wait for the end."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        while self._received():
            pass
        self.close()
        return "closed"

    def close(self) -> None:
        self.is_over = True
        self._sock.close()

    def _message(self) -> bytes:
        """Return the next message, empty if the server has closed; its close frame is answered."""
        while True:
            opcode, content = self._frame()
            if opcode == PING:
                self.send_bytes(self.encode(content, PONG))
            elif opcode == CLOSE:
                self.send_bytes(self.encode(content, CLOSE))
                return b""
            elif opcode is None or opcode in (TEXT, BINARY):
                return content

    def _frame(self) -> tuple[int | None, bytes]:
        begin = self._exactly(2)
        size = begin[1] if begin else 0
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8))
        content = self._exactly(size)
        return (begin[0] & 15 if begin else None), content

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            more = self._received()
            if not more:
                return b""
            self._data += more
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _received(self) -> bytes:
        try:
            return self._sock.recv(2**16)
        except ConnectionError:
            return b""


def good(status: int) -> int:
    """Return a status, after checking that it is not a failure of the gateway."""
    assert status < 500 or status == 505, f"it answered {status}"  # 505: not a version of HTTP
    return status


def exchange(port: int | None, data: bytes) -> bytes:
    """Send bytes and a FIN; return everything received until the end."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        answer = b""
        with suppress(ConnectionError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while more := sock.recv(2**16):
                answer += more
        return answer
