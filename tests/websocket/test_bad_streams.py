"""Whatever bytes a server sends, a client ends with a word, soon, and holds no more than it must.

Random streams are drawn from seeds; RCEX_BAD_STREAMS says how many (`make check` takes more).
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import struct
import tracemalloc
from collections.abc import Iterator

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.websocket.endpoint import Endpoint, open_websocket
from rcex_ws.websocket.socket import Ending, Receivers

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
    """What a server sends, and how."""

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
        """Make a frame, a good one or not, or what is none."""
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
    """A stream made by hand: an upgrade, and then one beginning of a frame."""

    def __init__(self, first: int, second: int) -> None:
        self.random = random.Random(first)
        self._frame = bytes((first, second)) + b"abc"

    def head(self, request: bytes) -> bytes:
        return accepted(request)

    def body(self) -> bytes:
        return self._frame + b"\x81\x02ok"


async def outcomes(streams: list[Stream] | list[Made]) -> list[Ending | type[ConnectFailed]]:
    """Have a client meet each stream, and tell how each of its connections ended."""
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
                pass  # the client has had enough

    def message(data: bytes, binary: bool) -> None:
        assert len(data) <= MAX_SIZE

    async def connect(port: int) -> None:
        while waiting:
            number, _ = waiting.pop()
            endpoint = Endpoint(f"ws://127.0.0.1:{port}/{number}", max_size=MAX_SIZE, proxy=False)
            try:
                with anyio.fail_after(10):
                    async with open_websocket(endpoint) as websocket:
                        ended[number] = await websocket.read(Receivers(message, lambda _: None))
            except ConnectFailed as exc:
                ended[number] = type(exc)  # an error holds all that stood on its way

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
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


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
