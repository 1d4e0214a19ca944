"""A trio stream with the interface of a transport: what is written at once, and what happens at its end."""

from __future__ import annotations

import asyncio
import socket

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

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


async def idle(sock: socket.socket, nursery: trio.Nursery) -> tuple[StreamTransport, Recorder]:
    """Run a transport on a socket until it has nothing to do."""
    protocol = Recorder()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    transport = StreamTransport(stream, nursery, sock)
    await nursery.start(transport.run, protocol)
    await wait_all_tasks_blocked()
    return transport, protocol


async def test_a_socket_is_written_to_at_once() -> None:
    near, far = socket.socketpair()
    far.setblocking(False)
    with far:
        async with trio.open_nursery() as nursery:
            transport, _ = await idle(near, nursery)
            for data in (b"one", b"two"):
                transport.write(data)
                assert far.recv(10) == data  # no other task has run
            transport.abort()


async def test_what_a_socket_does_not_accept_follows_in_order() -> None:
    near, far = socket.socketpair()
    sent = bytes(range(256)) * 2**14  # more than the buffers of the system take
    async with trio.open_nursery() as nursery:
        transport, _ = await idle(near, nursery)
        transport.write(sent)
        transport.write(b"the end")
        transport.close()
        async with trio.SocketStream(trio.socket.from_stdlib_socket(far)) as stream:
            with trio.fail_after(10):
                assert b"".join([data async for data in stream]) == sent + b"the end"


async def test_nothing_is_written_at_once_to_a_full_socket() -> None:
    near, far = socket.socketpair()
    async with trio.open_nursery() as nursery:
        transport, _ = await idle(near, nursery)
        taken = near.send(bytes(2**22))
        transport.write(b"the end")
        transport.close()
        async with trio.SocketStream(trio.socket.from_stdlib_socket(far)) as stream:
            with trio.fail_after(10):
                assert b"".join([data async for data in stream]) == bytes(taken) + b"the end"


async def test_a_write_to_a_socket_that_was_reset_ends_the_transport() -> None:
    near, far = socket.socketpair()
    async with trio.open_nursery() as nursery:
        transport, protocol = await idle(near, nursery)
        far.close()
        transport.write(b"nobody reads it")
        assert transport.is_closing()
    assert protocol.lost
