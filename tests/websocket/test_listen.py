"""Accepting connections: whatever `accept` raises, the next connection is accepted, and no socket is left open."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from rcex_ws.websocket import listen
from rcex_ws.websocket.listen import accept_all, bind


class Listener(socket.socket):
    """A listening socket whose `accept` raises errors first."""

    errors: list[int]
    accepted: list[socket.socket]

    def accept(self) -> Any:
        if self.errors:
            raise OSError(self.errors.pop(0), "no")
        one, address = super().accept()
        self.accepted.append(one)
        return one, address


@pytest.fixture
def listener() -> Iterator[Listener]:
    with bind() as bound:
        listener = Listener(fileno=bound.detach())
    with listener:
        listener.setblocking(False)
        listener.errors, listener.accepted = [], []
        yield listener


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), 5)


async def test_it_goes_on_accepting_when_one_connection_cannot_be(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listen, "_RETRY", 0.01)
    listener.errors = [errno.EMFILE, errno.ECONNABORTED]
    served = anyio.Event()

    async def serve_one(sock: socket.socket) -> None:
        served.set()

    with connect(listener), caplog.at_level(logging.WARNING):
        async with anyio.create_task_group() as group:
            group.start_soon(accept_all, listener, serve_one)
            with anyio.fail_after(5):
                await served.wait()
            group.cancel_scope.cancel()
    assert listener.errors == []
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["no room for another connection"]


async def test_others_have_their_turn_between_many_connections(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "_AT_ONCE", 2)
    served: list[int] = []

    async def serve_one(sock: socket.socket) -> None:
        served.append(sock.fileno())

    clients = [connect(listener) for _ in range(5)]
    async with anyio.create_task_group() as group:
        group.start_soon(accept_all, listener, serve_one)
        with anyio.fail_after(5):
            while len(served) < len(clients):
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    for client in clients:
        client.close()


def test_a_connection_whose_task_never_started_is_closed(listener: Listener) -> None:
    """As when `asyncio.run` cancels all tasks because the program ends."""
    served: list[socket.socket] = []

    async def serve_one(sock: socket.socket) -> None:
        served.append(sock)

    async def main() -> None:
        accepting = asyncio.ensure_future(accept_all(listener, serve_one))
        while not listener.accepted:
            await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(accepting, return_exceptions=True)

    with connect(listener), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # such a task never awaits its coroutine
        asyncio.run(main())
        gc.collect()
    assert served == []
    assert [one.fileno() for one in listener.accepted] == [-1]


@pytest.mark.parametrize("turns", range(5))
async def test_listener_may_be_closed_when_it_is_cancelled_and_a_connection_waits(
    listener: Listener, turns: int
) -> None:
    """However far the loop has come with that connection."""
    with connect(listener) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(accept_all, listener, _serve_nothing)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
            anyio.notify_closing(listener)
            listener.close()
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


async def _serve_nothing(sock: socket.socket) -> None:
    await anyio.sleep_forever()
