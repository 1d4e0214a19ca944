"""A handler that follows a script, the owner of its client, and servers that can be made to do anything."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from rcex_ws.callback import WebSocketClient
from tests.callback.raw_server import RawServer
from tests.callback.scripted import Owner, Scripted


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def owned() -> Callable[..., AbstractAsyncContextManager[Owner]]:
    """Run a handler; delays are small unless the test gives others."""

    @asynccontextmanager
    async def owned(url: str | bytes, handler: Any, state: Any = 0, **options: Any) -> AsyncIterator[Owner]:
        owner = Owner()
        run = options.pop("run", WebSocketClient.run)
        options = {"reconnect_delays": lambda _: 0.01, "close_timeout": 2.0, **options}

        async def own(*, task_status: Any) -> None:
            try:
                owner.reason = await run(url, handler, state, task_status=task_status, **options)
            except Exception as exc:  # noqa: BLE001 - what the owner of a client is told
                owner.error = exc
            finally:
                owner.over.set()

        async with anyio.create_task_group() as tasks:
            owner.client = await tasks.start(partial(own))
            yield owner
            tasks.cancel_scope.cancel()

    return owned


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket, bytes], None]], RawServer]]:
    """Start raw servers; all end with the test."""
    servers: list[RawServer] = []

    def start(talk: Callable[[socket.socket, bytes], None]) -> RawServer:
        servers.append(RawServer(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def accepted() -> Callable[[bytes], bytes]:
    """Give the answer that accepts an upgrade request."""

    def accepted(request: bytes) -> bytes:
        (key,) = [
            line.split(b":")[1].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        ]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    return accepted


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def order(peer: Any, until: Any) -> Callable[..., Any]:
    """Have the peer do something to its connections, as soon as it has noted that there is one."""

    async def order(act: Callable[..., object], *args: object) -> None:
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(act, *args)

    return order
