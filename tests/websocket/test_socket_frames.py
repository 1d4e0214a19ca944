"""The frames of a socket, one by one, over real sockets: fragments, control frames, the first segment."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, open_websocket
from rcex_ws.websocket.frames import Binary, Ping, Pong, Text
from rcex_ws.websocket.socket import Ending as Closed
from rcex_ws.websocket.socket import Receivers
from tests.reading import read

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Server:
    """Accept one upgrade, send bytes with the answer and more on command, keep all that comes."""

    def __init__(self, early: bytes) -> None:
        self._early = early
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.received = b""
        self.connected = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def send(self, data: bytes) -> None:
        assert self.connected.wait(10)
        self._socket.sendall(data)

    def end(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def _serve(self) -> None:
        self._socket, _ = self._listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._socket.recv(4096)
        (key,) = (line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self._socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + self._early
        )
        self.connected.set()
        while data := self._read():
            self.received += data

    def _read(self) -> bytes:
        try:
            return self._socket.recv(4096)
        except OSError:
            return b""

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()
        self._listener.close()
        assert not self._thread.is_alive()

    def frames(self) -> list[tuple[int, bytes]]:
        """Give opcode and data of what came, unmasked; short frames only."""
        frames, data = [], self.received
        while data:
            opcode, size, mask = data[0] & 0x0F, data[1] & 0x7F, data[2:6]
            assert data[0] & 0x80
            assert size < 126
            payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data[6 : 6 + size]))
            frames.append((opcode, payload))
            data = data[6 + size :]
        return frames


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(early: bytes = b"") -> Server:
        servers.append(Server(early))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


class Heard:
    """What a reader was given, in order."""

    def __init__(self) -> None:
        self.items: list[tuple[str, bytes]] = []

    def message(self, data: bytes, binary: bool) -> None:
        self.items.append(("binary" if binary else "text", data))

    def pong(self, data: bytes) -> None:
        self.items.append(("pong", data))


async def hear(server: Server, *parts: bytes, end: bool = True) -> tuple[list[tuple[str, bytes]], Closed]:
    """Read from a server that sends these parts, and then ends the stream."""
    heard = Heard()
    with anyio.fail_after(10):
        async with open_websocket(Endpoint(server.url)) as websocket, anyio.create_task_group() as group:

            async def play() -> None:
                for part in parts:
                    await anyio.to_thread.run_sync(server.send, part)
                    await anyio.sleep(0.01)
                if end:
                    await anyio.to_thread.run_sync(server.connected.wait, 10)
                    server.end()

            group.start_soon(play)
            closed = await read(websocket, Receivers(heard.message, heard.pong))
    return heard.items, closed


async def test_fragments_are_joined_though_control_frames_come_between(serve: Any) -> None:
    server = serve()
    heard, closed = await hear(
        server, b"\x01\x03one", b"\x89\x01p", b"\x00\x03two", b"\x8a\x01q", b"\x80\x05three", b"\x82\x02\xff\x00"
    )
    assert heard == [("pong", b"q"), ("text", b"onetwothree"), ("binary", b"\xff\x00")]
    assert closed == Closed(None, "", by_peer=False)
    assert (0xA, b"p") in server.frames(), "pings are answered"


async def test_binary_fragments_and_empty_ones(serve: Any) -> None:
    server = serve()
    empty = b"\x00\x00" * 500
    heard, _ = await hear(server, b"\x02\x01\x01" + empty + b"\x80\x01\x02", b"\x81\x00", b"\x01\x00\x80\x00")
    assert heard == [("binary", b"\x01\x02"), ("text", b""), ("text", b"")]


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        (b"\x81\x05hello", [("text", b"hello")]),
        (b"\x81\x05hello\x8a\x01p\x82\x01x", [("text", b"hello"), ("pong", b"p"), ("binary", b"x")]),
        (b"\x01\x03one", [("text", b"onetwo")]),
        (b"\x81", [("text", b"two")]),
    ],
)
async def test_what_comes_in_the_segment_of_the_101(
    serve: Any, early: bytes, expected: list[tuple[str, bytes]]
) -> None:
    server = serve(early)
    rest = {b"\x01\x03one": [b"\x80\x03two"], b"\x81": [b"\x03two"]}.get(early, [])
    heard, _ = await hear(server, *rest)
    assert heard == expected


async def test_a_close_frame_in_the_segment_of_the_101(serve: Any) -> None:
    server = serve(b"\x81\x02hi\x88\x05\x0f\xa0bye")
    heard, closed = await hear(server)
    assert heard == [("text", b"hi")]
    assert closed == Closed(4000, "bye", by_peer=True)
    with anyio.fail_after(5):
        while not server.frames():  # it reads in a thread of its own
            await anyio.sleep(0.005)
    assert server.frames()[-1][0] == 0x8, "it is answered"


async def test_all_kinds_of_frames_are_sent_in_order(serve: Any) -> None:
    server = serve()
    heard = Heard()
    with anyio.fail_after(10):
        async with open_websocket(Endpoint(server.url)) as websocket, anyio.create_task_group() as group:
            group.start_soon(read, websocket, Receivers(heard.message, heard.pong))
            frames = [b"bytes", Text("héllo"), Binary(b"\x00"), Ping(b"1"), Ping(), Pong(b"2")]
            assert await websocket.send(frames)
            while len(server.frames()) < len(frames):
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
    assert server.frames()[: len(frames)] == [
        (1, b"bytes"),
        (1, "héllo".encode()),
        (2, b"\x00"),
        (9, b"1"),
        (9, b""),
        (10, b"2"),
    ]


@pytest.mark.parametrize("where", ["message", "pong", "early"])
async def test_an_exception_in_a_receiver_ends_the_reading_and_is_raised(serve: Any, where: str) -> None:
    server = serve(b"\x81\x01x" if where == "early" else b"")
    calls: list[bytes] = []

    def fail(data: bytes, *_: Any) -> None:
        calls.append(data)
        raise LookupError("a bug")

    def fine(*_: Any) -> None:
        """Take it."""

    with anyio.fail_after(10):
        async with open_websocket(Endpoint(server.url)) as websocket, anyio.create_task_group() as group:
            frame = {"message": b"\x81\x01x\x81\x01y", "pong": b"\x8a\x01x\x8a\x01y", "early": b"\x81\x01y"}[where]
            group.start_soon(anyio.to_thread.run_sync, server.send, frame)
            with pytest.raises(LookupError, match="a bug"):
                await read(websocket, Receivers(fine if where == "pong" else fail, fail))
    assert calls == [b"x"], "nothing is handed over after it"


@pytest.mark.parametrize("data", [b"\x88\x02\x03\xe8", b"\x83\x00", b"\xc1\x00"])
@pytest.mark.parametrize("early", [True, False])
async def test_a_peer_that_does_not_end_the_stream_is_not_awaited_for_ever(
    serve: Any, data: bytes, early: bool
) -> None:
    server = serve(data if early else b"")
    _, closed = await hear(server, *([] if early else [data]), end=False)
    assert closed.by_peer is (data[0] == 0x88)
    assert closed.unreadable is not closed.by_peer
    assert closed.code == (1000 if closed.by_peer else 1002)
