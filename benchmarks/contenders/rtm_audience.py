"""Bare WebSocket clients in any number, which find the events in what they read: the audience of servers of RTM.

They read while an order says so, and answer pings meanwhile. A process of its own, beside the CPU of the servers.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from typing import Any, BinaryIO

from benchmarks.common.events import DIGITS, MARK, RTM, SOCKET_IO, Dialect
from benchmarks.common.files import allow_many_files
from benchmarks.common.process import move_aside

TEXT, PING, PONG = 0x81, 0x89, 0x8A
DIALECTS = {"rtm": RTM, "socket.io": SOCKET_IO}


class Client:
    """One of them.

    Args:
        port: of the server.
        dialect: what it says.
        user: who it is; None if the server does not ask.
        sessions: whether it wants to resume.
    """

    __slots__ = ("_dialect", "_rest", "sock")

    def __init__(self, port: int, dialect: Dialect, user: str | None, sessions: bool) -> None:
        self._dialect = dialect
        self._rest = b""
        self.sock = socket.create_connection(("127.0.0.1", port))
        session = "Rtm-Session: new\r\n" if sessions else ""
        self.sock.sendall(
            f"GET {dialect.path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{session}\r\n".encode()
        )
        texts = dialect.before + sessions
        with self.sock.makefile("rb") as answers:
            while answers.readline() != b"\r\n":
                pass
            if user is not None:
                for _ in range(dialect.before):
                    _read_frame(answers)
                self._send(TEXT, dialect.hello.replace("%s", user).encode())
                texts = 1 + sessions
            for _ in range(texts):
                _read_frame(answers)
        self.sock.setblocking(False)

    def read(self) -> list[bytes]:
        """Read what is there; return the events."""
        data = self._rest + self.sock.recv(2**18)
        if not data:
            raise EOFError("the server has closed a connection")
        found: list[bytes] = []
        position, size, dialect = 0, len(data), self._dialect
        while size - position >= 2:
            start, length = position + 2, data[position + 1]
            if length == 126:
                start, length = start + 2, int.from_bytes(data[start : start + 2])
            if start + length > size:
                break
            text = data[start : start + length]
            if data[position] == TEXT and text.startswith(dialect.event):
                found.append(text)
            elif data[position] == PING:
                self._send(PONG, text)
            elif dialect.ping and text == dialect.ping:
                self._send(TEXT, dialect.pong)
            else:
                raise ValueError(f"the server has sent {data[position]:x} {text!r}")
            position = start + length
        self._rest = data[position:]
        return found

    def _send(self, first: int, text: bytes) -> None:
        """Send a frame of less than 126 bytes, masked with zeros."""
        self.sock.sendall(bytes((first, 0x80 | len(text))) + bytes(4) + text)


class Audience:
    """Takes orders."""

    def __init__(self) -> None:
        self._groups: dict[str, selectors.DefaultSelector] = {}

    def gather(
        self, group: str, ports: list[int], clients: int, dialect: str, users: bool = False, sessions: bool = False
    ) -> dict[str, Any]:
        """Let so many clients connect, to the servers in turn; with `users`, each is one of its own."""
        selector = self._groups.setdefault(group, selectors.DefaultSelector())
        start = time.perf_counter()
        for _ in range(clients):
            number = len(selector.get_map())
            user = f"user{number}" if users else None
            client = Client(ports[number % len(ports)], DIALECTS[dialect], user, sessions)
            selector.register(client.sock, selectors.EVENT_READ, client)
        return {"count": clients, "seconds": time.perf_counter() - start}

    def listen(self, group: str, events: int) -> dict[str, Any]:
        """Read so many events; tell how long they took from their making, each, in nanoseconds."""
        select, missing = self._groups[group].select, events
        took: list[int] = []
        before, start = time.process_time(), time.perf_counter()
        while missing > 0:
            ready = select(60.0)
            if not ready:
                raise TimeoutError(f"{missing} events have not come")
            for key, _ in ready:
                found = key.data.read()
                now = time.perf_counter_ns()
                missing -= len(found)
                for text in found:
                    at = text.index(MARK) + len(MARK)
                    took.append(now - int(text[at : at + DIGITS]))
        if missing:
            raise ValueError(f"{-missing} events too many have come")
        took.sort()
        seconds = time.perf_counter() - start
        shares = {f"p{share}": took[len(took) * share // 100] for share in (50, 99)}
        return {**shares, "seconds": seconds, "audience_cpu": (time.process_time() - before) / seconds}

    def disperse(self, group: str) -> dict[str, Any]:
        """Disconnect."""
        with self._groups.pop(group) as selector:
            for key in tuple(selector.get_map().values()):
                key.data.sock.close()
        return {}


def _read_frame(answers: BinaryIO) -> bytes:
    length = answers.read(2)[1]
    if length >= 126:
        length = int.from_bytes(answers.read(2 if length == 126 else 8))
    return answers.read(length)


def main() -> None:
    """Take orders until there are no more."""
    allow_many_files()
    move_aside()
    audience = Audience()
    print("{}", flush=True)
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        print(json.dumps(getattr(audience, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main()
