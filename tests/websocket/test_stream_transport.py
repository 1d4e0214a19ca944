"""A trio stream with the interface of a transport: what happens at its end."""

from __future__ import annotations

import asyncio

import pytest
import trio
from trio.testing import memory_stream_pair

from rcex_ws.websocket.stream_transport import StreamTransport


@pytest.fixture
def anyio_backend() -> str:
    """Only trio, whose streams these are."""
    return "trio"


class Recorder(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def test_what_is_written_after_the_close_is_dropped() -> None:
    near, far = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        transport = StreamTransport(near, nursery)
        await nursery.start(transport.run, Recorder())
        transport.write(b"before")
        transport.close()
        transport.write(b"after")
        with trio.fail_after(5):
            assert await far.receive_some() == b"before"
            assert await far.receive_some() == b""


async def test_a_stream_that_cannot_be_half_closed_is_dropped() -> None:
    near, _far = memory_stream_pair()

    async def fail() -> None:
        raise trio.BrokenResourceError

    near.send_eof = fail  # type: ignore[method-assign]
    protocol = Recorder()
    async with trio.open_nursery() as nursery:
        transport = StreamTransport(near, nursery)
        await nursery.start(transport.run, protocol)
        transport.write_eof()
        with trio.fail_after(5):
            while not protocol.lost:
                await trio.sleep(0.001)
    assert transport.is_closing()
