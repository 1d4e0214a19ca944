"""A WebSocket over a trio stream in memory."""

from __future__ import annotations

import base64
import hashlib

import pytest
import trio
from trio.testing import memory_stream_pair

from rcex_ws.connection import Endpoint, open_websocket
from rcex_ws.websocket.socket import Receivers
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
