"""A WebSocket over a trio stream in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl

import pytest
import trio
from trio.testing import memory_stream_pair

from rcex_ws.connection import Endpoint, open_websocket
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.socket import Receivers
from rcex_ws.websocket.stream_socket import StreamSocket
from tests.reading import read

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_what_came_with_a_close_frame_is_read_though_the_frame_cannot_be_answered() -> None:
    """Else the loss would count as announced, and what was lost in it as complete; asyncio's flavour does it right."""
    near, far = memory_stream_pair()
    messages: list[bytes] = []

    async def accept() -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await far.receive_some()
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        answer = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        await far.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
        )

    async def refuse() -> None:
        raise trio.BrokenResourceError("reset by the peer")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            async with open_websocket(Endpoint("ws://peer/"), stream=near) as socket:
                near.send_stream.send_all_hook = refuse
                await far.send_all(b"\x81\x03one" + b"\x81\x03two" + b"\x88\x02\x03\xe9")
                closed = await read(socket, Receivers(lambda data, binary: messages.append(data), lambda data: None))
    assert messages == [b"one", b"two"]
    assert (closed.code, closed.by_peer) == (1001, True)


class Peer:
    """The other end of a stream in memory, which has accepted the upgrade of `near`."""

    def __init__(self) -> None:
        self.near, self.far = memory_stream_pair()

    async def accept(self, behind: bytes = b"") -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await self.far.receive_some()
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        answer = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        await self.far.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n" + behind
        )


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_receiver_may_stop_the_reading() -> None:
    peer, messages = Peer(), []
    endings: list[object] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept, b"\x81\x03one" + b"\x81\x03two")
            async with open_websocket(Endpoint("ws://peer/"), stream=peer.near) as socket:

                def stop(data: bytes, binary: bool) -> None:
                    messages.append(data)
                    socket.stop_reading()

                async with trio.open_nursery() as reading:
                    socket.start_reading(Receivers(stop, lambda data: None, ended=endings.append), reading)
    assert (messages, endings) == ([b"one"], [])


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_nothing_is_sent_after_the_close_frame() -> None:
    peer = Peer()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_websocket(Endpoint("ws://peer/"), stream=peer.near) as socket:
                assert await socket.send([])  # nothing is no frame
                await socket.close(1000, "", within=0.01)
                assert not await socket.send([b"late"])
    data = b""
    with contextlib.suppress(trio.BrokenResourceError):
        while more := await peer.far.receive_some():
            data += more
    assert (data[0], len(data)) == (0x88, 8)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_stream_names_its_descriptor_while_it_has_one() -> None:
    async def descriptors(stream: trio.abc.Stream) -> list[int]:
        return list(StreamSocket(stream, ClientHandshake("ws://peer/", headers={}, max_size=1)).descriptors())

    near, _far = memory_stream_pair()
    assert await descriptors(near) == []
    left, right = trio.socket.socketpair()
    with right:
        stream = trio.SocketStream(left)
        secured = trio.SSLStream(stream, ssl.create_default_context(), server_hostname="localhost")
        assert await descriptors(stream) == await descriptors(secured) == [left.fileno()]
        await trio.aclose_forcefully(stream)
        assert await descriptors(secured) == []
