"""A proxy for the tests: HTTP CONNECT and SOCKS5, each in threads of its own."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := client.recv(size - len(data))):
            raise ConnectionResetError("the client has gone")
        data += more
    return data


class Proxy:
    """Forward TCP to where the client asks for: HTTP CONNECT or SOCKS5, told apart by the first byte.

    Args:
        tls: TLS to the proxy itself; it speaks HTTP only then.

    Attributes:
        targets: "kind host:port" of each connection that was forwarded.
        headers: what HTTP clients sent, as text.
        logins: "user:password" of each SOCKS client that had one.
        answer: what HTTP clients are told; behind anything but a 2xx the connection ends.
        one_by_one: send the answer in single bytes.
        hang: answer nobody.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.targets: list[str] = []
        self.headers: list[str] = []
        self.logins: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        self.one_by_one = False
        self.hang = False
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._sockets: list[socket.socket] = []

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the fixture is over
            self._sockets.append(client)
            thread = threading.Thread(target=self._serve, args=(client,), name="proxied")
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))  # either side may reset
            client = stack.enter_context(raw)
            if self._tls is not None:
                client = stack.enter_context(self._tls.wrap_socket(raw, server_side=True))
                self._sockets.append(client)
            socks = self._tls is None and client.recv(1, socket.MSG_PEEK) == b"\x05"
            address = self._socks(client) if socks else self._http(client)
            if self.hang:
                client.recv(1)
            elif address is not None:
                self._forward(client, address, socks)

    def _forward(self, client: socket.socket, address: tuple[str, int], socks: bool) -> None:
        try:
            server = socket.create_connection(address)
        except OSError:
            client.sendall(b"\x05\x05\0\x01\0\0\0\0\0\0" if socks else b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with server:
            answer = b"\x05\0\0\x01\0\0\0\0\0\0" if socks else self.answer
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(len(answer)) if self.one_by_one else [0]:
                client.sendall(answer[start : start + 1] if self.one_by_one else answer)
            other = {client: server, server: client}
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)  # more than TLS puts into one record, so that nothing is left in it
                    if not data:
                        return
                    other[ready].sendall(data)

    def _http(self, client: socket.socket) -> tuple[str, int] | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return None
            head += byte
        self.headers.append(head.decode())
        if self.hang:
            return None
        if self.answer.split()[1:2] != [b"200"]:
            client.sendall(self.answer)
            return None
        host, _, port = head.split()[1].decode().rpartition(":")
        self.targets.append(f"http {host}:{port}")
        return host.strip("[]"), int(port)

    def _socks(self, client: socket.socket) -> tuple[str, int] | None:
        methods = _exactly(client, _exactly(client, 2)[1])
        if self.hang:
            return None
        if 2 in methods:
            client.sendall(b"\x05\x02")
            user = _exactly(client, _exactly(client, 2)[1]).decode()
            self.logins.append(f"{user}:{_exactly(client, _exactly(client, 1)[0]).decode()}")
            client.sendall(b"\x01\0")
        else:
            client.sendall(b"\x05\0")
        kind = _exactly(client, 4)[3]
        named = kind == 3
        host = _exactly(client, _exactly(client, 1)[0]).decode() if named else socket.inet_ntoa(_exactly(client, 4))
        (port,) = struct.unpack("!H", _exactly(client, 2))
        self.targets.append(f"socks {host}:{port}")
        return host, port

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
