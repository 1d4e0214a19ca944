"""Many Feedme clients that only read and throw away: the audience of a server. A process of its own, on another CPU.

::

    python -m benchmarks.contenders.feedme_audience PORT CLIENTS FEED...

It says when all of them have every feed open, and after each revelation or more, once every byte of them has come:
`BYTES` to stdin tells how many those are for all clients together. Its answer is the CPU that it took, in seconds.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from typing import BinaryIO

from benchmarks.common.feeds import compact
from benchmarks.common.files import allow_many_files
from benchmarks.common.process import move_aside

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: feedme\r\n\r\n"
)


def main() -> None:
    """Run it."""
    allow_many_files()
    move_aside()
    port, clients, feeds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        sock = _open(port, feeds)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    print("open", flush=True)
    buffer = bytearray(2**18)
    for line in sys.stdin:
        missing = int(line)
        before = time.process_time()
        while missing > 0:
            for key, _ in selector.select():
                read = key.fileobj.recv_into(buffer)  # type: ignore[union-attr] # they are sockets
                if not read:
                    raise EOFError("the server has closed a connection")
                missing -= read
        if missing:
            raise ValueError(f"the server has sent {-missing} bytes more than announced")
        print(time.process_time() - before, flush=True)


def _open(port: int, feeds: list[str]) -> socket.socket:
    """Connect a client and open the feeds, one after the other."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(_REQUEST)
    with sock.makefile("rb") as answers:
        while answers.readline() != b"\r\n":
            pass
        _ask(sock, answers, {"MessageType": "Handshake", "Versions": ["0.1"]})
        for feed in feeds:
            _ask(sock, answers, {"MessageType": "FeedOpen", "FeedName": feed, "FeedArgs": {}})
    return sock


def _ask(sock: socket.socket, answers: BinaryIO, message: dict[str, object]) -> None:
    """Send a message of less than 126 bytes, masked with zeros; take its answer, which must be a success."""
    payload = compact(message)
    sock.sendall(bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload)
    length = answers.read(2)[1]
    if length >= 126:
        length = int.from_bytes(answers.read(2 if length == 126 else 8))
    answer = answers.read(length)
    if b'"Success":true' not in answer:
        raise ValueError(f"the server has answered {answer!r}")


if __name__ == "__main__":
    main()
