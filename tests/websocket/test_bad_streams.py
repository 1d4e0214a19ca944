"""Whatever bytes the peer sends, our side ends soon, with a proper outcome, and within its memory bounds.

Random streams are generated from seeds; RCEX_BAD_STREAMS sets their number (`make check` uses more).
"""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import random
import re
import struct
import tracemalloc
from collections.abc import Iterator
from functools import partial

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.websocket import listen
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.peer import Peer, PeerOptions
from rcex_ws.websocket.socket import Ending, Receivers
from tests.reading import read

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_SIZE = 2**16
RANDOM = int(os.environ.get("RCEX_BAD_STREAMS", "400"))
AT_ONCE = 20


def accepted(request: bytes, more: bytes = b"") -> bytes:
    (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", request)
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return head + accept + b"\r\n" + more + b"\r\n"


class Stream:
    """The bytes that a server sends, and how it splits them."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.upgrades = self.random.random() < 0.7

    def head(self, request: bytes) -> bytes:
        draw = self.random
        if self.upgrades:
            deflate = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if draw.random() < 0.3 else b""
            return accepted(request, deflate)
        good = accepted(request)
        match draw.randrange(4):
            case 0:
                return draw.randbytes(draw.randrange(2000))
            case 1:
                return good[: draw.randrange(len(good))]
            case 2:
                position = draw.randrange(len(good))
                return good[:position] + draw.randbytes(draw.randrange(1, 5)) + good[position:]
            case _:
                status = draw.choice([99, 100, 200, 204, 301, 401, 503, 999])
                return f"HTTP/1.1 {status} x\r\nContent-Length: {draw.randrange(5)}\r\n\r\n".encode()

    def body(self) -> bytes:
        return b"".join(self.part() for _ in range(self.random.randrange(12)))

    def part(self) -> bytes:
        """Return a frame, valid or not, or random bytes."""
        draw = self.random
        if draw.random() < 0.2:
            return draw.randbytes(draw.randrange(40))
        if draw.random() < 0.1:
            return b"\x88\x02\x03\xe8"
        first = draw.choice([0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, draw.randrange(256)])
        data = draw.randbytes(draw.choice([0, 1, 2, 125, 126, 1000, MAX_SIZE, MAX_SIZE + 1]))
        size = draw.choice([len(data)] * 9 + [draw.randrange(2**63)])
        masked = draw.choice([0, 0, 0, 0x80])
        if size < 126:
            return bytes((first, masked | size)) + data
        if size < 2**16 and draw.random() < 0.9:
            return bytes((first, masked | 126)) + struct.pack("!H", size) + data
        return bytes((first, masked | 127)) + struct.pack("!Q", size) + data


class Made:
    """A prepared stream: an upgrade, then the start of a frame."""

    def __init__(self, first: int, second: int) -> None:
        self.random = random.Random(first)
        self._frame = bytes((first, second)) + b"abc"

    def head(self, request: bytes) -> bytes:
        return accepted(request)

    def body(self) -> bytes:
        return self._frame + b"\x81\x02ok"


async def outcomes(streams: list[Stream] | list[Made]) -> list[Ending | type[ConnectFailed]]:
    """Run a client against each stream; return how each connection ended."""
    waiting, ended = list(enumerate(streams)), dict[int, Ending | type[ConnectFailed]]()
    by_path: dict[str, Stream | Made] = {f"/{number}": stream for number, stream in waiting}

    async def serve(connection: SocketStream) -> None:
        async with connection:
            try:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += await connection.receive()
                stream = by_path[request.split()[1].decode()]
                data = stream.head(request) + stream.body()
                cuts = sorted(stream.random.randrange(len(data) + 1) for _ in range(stream.random.randrange(4)))
                for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                    if data[begin:end]:
                        await connection.send(data[begin:end])
                await connection.send_eof()
                while True:
                    await connection.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
                pass  # the client has closed

    def message(data: bytes, binary: bool) -> None:
        assert len(data) <= MAX_SIZE

    async def connect(port: int) -> None:
        while waiting:
            number, _ = waiting.pop()
            endpoint = Endpoint(f"ws://127.0.0.1:{port}/{number}", max_size=MAX_SIZE, proxy=False)
            try:
                with anyio.fail_after(10):
                    async with open_websocket(endpoint) as websocket:
                        ended[number] = await read(websocket, Receivers(message, lambda _: None))
            except ConnectFailed as exc:
                ended[number] = type(exc)  # the error itself would keep its frames alive

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        async with anyio.create_task_group() as clients:
            for _ in range(AT_ONCE):
                clients.start_soon(connect, listener.extra(SocketAttribute.local_port))
        group.cancel_scope.cancel()
    return [ended[number] for number in range(len(streams))]


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Limit the peak of allocated memory, with the collector running as in a program: websockets leaves cycles."""
    ours = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.set_threshold(*ours)
    assert peak < 64 * 2**20


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Asked(Stream):
    """The bytes that a client sends; most of its frames are masked."""

    def head(self, request: bytes) -> bytes:
        draw = self.random
        if self.upgrades:
            deflate = b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            return REQUEST.replace(b"\r\n", deflate, 1) if draw.random() < 0.3 else REQUEST
        match draw.randrange(4):
            case 0:
                return draw.randbytes(draw.randrange(2000))
            case 1:
                return REQUEST[: draw.randrange(len(REQUEST))]
            case 2:
                position = draw.randrange(len(REQUEST))
                return REQUEST[:position] + draw.randbytes(draw.randrange(1, 5)) + REQUEST[position:]
            case _:
                line = b"GET /" + b"x" * draw.choice([10, 70_000]) + b" HTTP/1.1\r\n"
                return line + b"Host: a\r\n" * draw.choice([1, 10_000])

    def part(self) -> bytes:
        if self.random.random() < 0.1:
            return b"\x88\x82\0\0\0\0\x03\xe8"
        data = super().part()
        if len(data) < 2 or self.random.random() < 0.1:
            return data
        return bytes((data[0], data[1] | 0x80)) + data[2:]


class MadeByClient(Made):
    """The start of a frame, after a valid request."""

    def head(self, request: bytes) -> bytes:
        return REQUEST


async def endings(streams: list[Asked] | list[MadeByClient]) -> list[Ending]:
    """Run a server against each stream; return the endings of those that became WebSockets."""
    waiting, ended = list(streams), list[Ending]()
    limits = PeerOptions(max_size=MAX_SIZE, open_timeout=2.0, close_timeout=0.5)

    serving = 0

    async def serve(peer: Peer) -> None:
        nonlocal serving
        serving += 1
        try:
            await peer.accept()
            ended.append(await peer.read(lambda data, binary: None))
        finally:
            serving -= 1

    async def meet(port: int) -> None:
        while waiting:
            stream = waiting.pop()
            with anyio.fail_after(10):
                async with await anyio.connect_tcp("127.0.0.1", port) as connection:
                    try:
                        data = stream.head(b"") + stream.body()
                        cut = stream.random.randrange(len(data) + 1)
                        for part in (data[:cut], data[cut:]):
                            if part:
                                await connection.send(part)
                        with anyio.move_on_after(0.2):  # it may be waiting for the rest of the request
                            await connection.receive()
                        await connection.send_eof()
                        while True:
                            await connection.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
                        pass  # the server has closed

    with listen.bind() as listener:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(listen.serve, listener, serve, options=limits))
            async with anyio.create_task_group() as clients:
                for _ in range(AT_ONCE):
                    clients.start_soon(meet, listener.getsockname()[1])
            quiet = 0
            with anyio.fail_after(20):
                while (quiet := 0 if serving else quiet + 1) < 20:  # some clients disconnect before they are served
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    return ended


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("little_memory")
async def test_no_random_stream_escapes_a_server_or_hangs_it(caplog: pytest.LogCaptureFixture) -> None:
    ended = await endings([Asked(number) for number in range(RANDOM)])
    assert {(one.by_peer, one.unreadable) for one in ended} == {(True, False), (False, True), (False, False)}
    assert caplog.messages == []


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("second", [0x00, 0x80, 0xFD, 0xFE, 0xFF])
async def test_no_beginning_of_a_frame_escapes_a_server_or_hangs_it(
    second: int, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await endings([MadeByClient(first, second) for first in range(256)])
    assert len(ended) == 256
    assert sum(one.unreadable for one in ended) > (0 if second >= 0x80 else 250)
    assert caplog.messages == []


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("little_memory")
async def test_no_random_stream_escapes_or_hangs() -> None:
    ended = await outcomes([Stream(number) for number in range(RANDOM)])
    assert {one for one in ended if not isinstance(one, Ending)} >= {ConnectFailed, UpgradeRefused}
    endings = [one for one in ended if isinstance(one, Ending)]
    assert {(one.by_peer, one.unreadable) for one in endings} == {(True, False), (False, True), (False, False)}


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("second", [0x00, 0x7D, 0x7E, 0x7F, 0x83])
async def test_no_beginning_of_a_frame_escapes_or_hangs(second: int) -> None:
    ended = await outcomes([Made(first, second) for first in range(256)])
    assert all(isinstance(one, Ending) for one in ended)
    assert sum(one.unreadable for one in ended) > (0 if second < 0x80 else 250)
