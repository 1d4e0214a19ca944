"""Many WebSocket clients that only read and throw away: the audience of a broadcast. A process of its own.

::

    python -m benchmarks.contenders.audience PORT CLIENTS

It says when all are connected, and after each broadcast, once every byte of it has come: `BYTES` to stdin tells how
many those are for one client.
"""

from __future__ import annotations

import selectors
import socket
import sys

from benchmarks.common.files import allow_many_files

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def main() -> None:
    """Run it."""
    allow_many_files()
    port, count = int(sys.argv[1]), int(sys.argv[2])
    selector = selectors.DefaultSelector()
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(_REQUEST)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    print("connected", flush=True)
    for line in sys.stdin:
        missing = int(line) * count
        while missing > 0:
            for key, _ in selector.select():
                missing -= len(key.fileobj.recv(2**16))  # type: ignore[union-attr] # they are sockets
        print("read", flush=True)


if __name__ == "__main__":
    main()
