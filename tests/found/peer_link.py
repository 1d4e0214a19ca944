"""The server's end of one connection to the hand-made `Peer`: a plain socket and the sans-I/O protocol."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

__all__ = ["Link", "has_ended"]

_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """Be the server's end of one WebSocket: a socket and the sans-I/O protocol. May be used from any thread.

    Attributes:
        ended: set when the thread that reads has closed the socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.ended = threading.Event()
        self._sock = sock
        self._cut = False
        self._protocol = ServerProtocol(max_size=2**24)
        self._lock = threading.RLock()

    def upgrade(self, data: bytes) -> Request:
        """Answer the upgrade request in `data`."""
        with self._lock:
            self._protocol.receive_data(data)
            (request,) = self._protocol.events_received()
            assert isinstance(request, Request)
            self._protocol.send_response(self._protocol.accept(request))
            self._write()
        return request

    def send(self, *frames: list[Any] | str) -> None:
        """Write frames in one piece, a text as it is; to a client that has gone nothing is written."""
        with self._lock:
            if self._protocol.state is not State.OPEN:
                return
            for frame in frames:
                self._protocol.send_text((frame if isinstance(frame, str) else json.dumps(frame)).encode())
            self._write()

    def close(self, code: int) -> None:
        """Begin the closing handshake."""
        with self._lock:
            self._protocol.send_close(code)
            self._write()

    def reset(self) -> None:
        """Have the thread that reads close the socket, which sends a RST."""
        self._cut = True
        with suppress(OSError):  # the client was faster
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            self._sock.shutdown(socket.SHUT_RD)  # wakes it; nothing is sent by this

    def messages(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Read until the client leaves or the connection is cut."""
        while not self._cut:
            data = self._sock.recv(65536)
            if self._cut:
                return
            with self._lock:
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                events = self._protocol.events_received()
                self._write()
            for frame in events:
                if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT:
                    meta, *rest = json.loads(bytes(frame.data))
                    yield meta, rest[0] if rest else None
            if not data:
                return

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._sock.sendall(data)
            else:
                with suppress(OSError):  # the client was faster
                    self._sock.shutdown(socket.SHUT_WR)


def has_ended(sock: socket.socket) -> bool:
    """Tell whether the client has closed its end; all that it sent has been read."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.setblocking(True)
