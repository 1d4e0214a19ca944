"""Writing to a socket without its transport: at once, in order whatever the network accepts, and never out of turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import trio
import trio.testing
from anyio.abc import TaskGroup

from rcex_ws.loop import on_trio
from rcex_ws.websocket.loop_connection import Scheduler
from rcex_ws.websocket.peer_writer import PeerWriter
from rcex_ws.websocket.stream_transport import StreamTransport

LARGE = bytes(range(256)) * 2**14  # more than the buffers of the system take


class Owner(asyncio.Protocol):
    """A writer, and what its transport says."""

    def __init__(self, sock: socket.socket, loop: Scheduler) -> None:
        self.lost = False
        self._sock, self._loop = sock, loop

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.writer = PeerWriter(transport, self._loop, lambda exc: None, self._sock)

    def pause_writing(self) -> None:
        self.writer.block()

    def resume_writing(self) -> None:
        self.writer.unblock()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class Case:
    """Both ends of a connection.

    Attributes:
        owner: of the near one.
        near: where the writer writes to.
        far: where it arrives.
    """

    def __init__(self, owner: Owner, near: socket.socket, far: socket.socket) -> None:
        self.owner, self.near, self.far = owner, near, far
        self.put = owner.writer.put

    def come(self) -> bytes:
        """Return what has come so far."""
        try:
            return self.far.recv(2**16)
        except BlockingIOError:
            return b""

    async def read(self, size: int) -> bytes:
        """Wait for so many bytes."""
        data = b""
        with anyio.fail_after(10):
            while len(data) < size:
                data += self.come()
                await anyio.lowlevel.checkpoint()
        return data


async def open_owner(near: socket.socket, group: TaskGroup) -> Owner:
    if not on_trio():
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: Owner(near, loop), sock=near))[1]
    nursery: trio.Nursery = group._nursery  # type: ignore[attr-defined]
    transport = StreamTransport(trio.SocketStream(trio.socket.from_stdlib_socket(near)), nursery)
    owner = Owner(near, transport)
    await nursery.start(transport.run, owner)
    await trio.testing.wait_all_tasks_blocked()
    return owner


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with far:
        async with anyio.create_task_group() as group:
            owner = await open_owner(near, group)
            yield Case(owner, near, far)
            owner.transport.abort()
            with anyio.fail_after(5):
                while not owner.lost:
                    await anyio.lowlevel.checkpoint()


async def test_it_is_written_at_once(case: Case) -> None:
    for data in (b"one", b"two"):
        assert case.put(data)
        assert case.come() == data  # no other task has run


async def test_what_the_network_does_not_accept_follows_in_order(case: Case) -> None:
    case.put(LARGE)
    case.put(b"the end")
    assert await case.read(len(LARGE) + 7) == LARGE + b"the end"
    await anyio.wait_all_tasks_blocked()
    assert case.put(b"more")
    assert case.come() == b"more"


async def test_nothing_is_written_out_of_turn_to_a_full_socket(case: Case) -> None:
    taken = case.near.send(LARGE)
    case.put(b"the end")
    assert await case.read(taken + 7) == LARGE[:taken] + b"the end"


async def test_nothing_is_written_while_it_is_frozen_or_blocked(case: Case) -> None:
    assert case.put(b"1")
    case.owner.writer.freeze()
    assert not case.put(b"2")
    case.owner.writer.frozen = False
    case.owner.writer.block()
    assert not case.put(b"3")
    assert case.come() == b"1"
    case.owner.writer.unblock()
    assert await case.read(2) == b"23"


async def test_pieces_have_their_pace(case: Case) -> None:
    assert case.put(b"1")
    case.owner.writer.pace(0.001, 1)
    assert case.come() == b"1"
    case.put(b"23")
    came = case.come()
    assert came in (b"", b"2")
    assert came + await case.read(2 - len(came)) == b"23"


async def test_a_write_to_a_connection_that_was_reset_ends_the_transport(case: Case) -> None:
    case.put(b"1")
    case.come()
    case.far.close()
    case.put(b"nobody reads it")
    with anyio.fail_after(5):
        while not case.owner.lost:
            await anyio.lowlevel.checkpoint()
