"""A server's WebSocket over in-memory trio streams, under a virtual clock."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.listen_trio import serve_stream
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.peer import Peer, PeerOptions
from rcex_ws.websocket.server_peer import ServerPeer
from rcex_ws.websocket.socket import Receivers
from tests.reading import read
from tests.websocket.serving import CLOSE, UPGRADE, echo, masked


@pytest.fixture
def anyio_backend() -> Any:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def receive(stream: Any) -> bytes:
    return bytes(await stream.receive_some())


async def upgraded(stream: Any) -> None:
    await stream.send_all(UPGRADE)
    assert (await receive(stream)).startswith(b"HTTP/1.1 101 ")


async def test_our_own_client() -> None:
    ours, theirs = memory_stream_pair()
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, echo)
        async with open_websocket(Endpoint("ws://memory"), stream=ours) as ws:
            nursery.start_soon(read, ws, Receivers(lambda data, binary: got.append(data), lambda data: None))
            assert await ws.send([b"a" * 1000])
            await trio.sleep(1)
            await ws.close(1000, "", within=1)
    assert got == [b"a" * 1000]


async def test_what_is_sent_before_the_next_turn_is_one_write() -> None:
    async def greet(peer: Peer) -> None:
        await peer.accept()
        await trio.sleep(1)
        for message in (b"a", b"b", b"c"):
            peer.send([message])
        await peer.read(lambda data, binary: None)

    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, greet)
        await upgraded(ours)
        assert await receive(ours) == b"\x81\x01a\x81\x01b\x81\x01c"
        await ours.send_all(CLOSE)
        assert await receive(ours) == b"\x88\x02\x03\xe8"
        assert await receive(ours) == b""


async def test_long_times_pass_at_once() -> None:
    started = trio.current_time()
    options = PeerOptions(open_timeout=1000, close_timeout=2000)
    ours, theirs = memory_stream_pair()
    await serve_stream(theirs, echo, options)
    assert (await receive(ours)).startswith(b"HTTP/1.1 408 ")
    assert trio.current_time() - started == 3000  # for the request, and for the client to disconnect


async def test_half_a_frame_a_freeze_and_an_abort() -> None:
    peers: list[ServerPeer] = []
    messages: list[bytes] = []

    async def handler(peer: Any) -> None:
        await peer.accept()
        peers.append(peer)
        await peer.read(lambda data, binary: messages.append(data))

    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, handler)
        await upgraded(ours)
        await ours.send_all(masked(0x81, b"whole") + b"\x81\x83\0\0")
        await trio.sleep(1)
        assert messages == [b"whole"]
        peers[0].freeze()
        await ours.send_all(b"\0\0end")
        peers[0].send([b"held"])
        with trio.move_on_after(100) as scope:
            await receive(ours)
        assert scope.cancelled_caught
        assert messages == [b"whole"]
        peers[0].thaw()
        assert await receive(ours) == b"\x81\x04held"
        assert messages == [b"whole", b"end"]
        peers[0].abort()
        assert await receive(ours) == b""


async def test_a_peer_that_reads_nothing_is_dropped() -> None:
    async def handler(peer: Peer) -> None:
        await peer.accept()
        while peer.send([b"x" * 50_000]):
            await trio.sleep(1)
        await peer.read(lambda data, binary: None)

    started = trio.current_time()
    ours, there = memory_stream_pair()
    theirs = trio.StapledStream(Stuck(), there.receive_stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, handler, PeerOptions(max_buffer=100_000, close_timeout=50))
        await ours.send_all(UPGRADE)
    assert trio.current_time() - started < 60


class Stuck(trio.abc.SendStream):
    """A network that accepts no data."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep(math.inf)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep(math.inf)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_who_is_cancelled_closes_the_stream() -> None:
    for seconds in (0, 1):
        ours, theirs = memory_stream_pair()
        with trio.move_on_after(seconds):
            await serve_stream(theirs, echo)
        assert await receive(ours) == b""
