"""A handler that follows a script, the owner of its client, and servers that can be made to do anything."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from rcex_ws.callback import Ok, WebSocketClient, WebSocketHandler

CALLBACKS = ("init", "onconnect", "ondisconnect", "websocket_handle", "websocket_info", "websocket_terminate")


class Scripted(WebSocketHandler[Any]):
    """Note every call; a script says what each callback gives: a result, an exception to raise, a function, or a list
    of these, of which the last one stays.
    """

    def __init__(self, **script: Any) -> None:
        assert set(script) <= set(CALLBACKS)
        self.script = script
        self.calls: list[tuple[Any, ...]] = []

    def _play(self, callback: str, *args: Any) -> Any:
        self.calls.append((callback, *args))
        step = self.script.get(callback, Ok)
        if isinstance(step, list):
            step = step.pop(0) if len(step) > 1 else step[0]
        if callable(step) and step is not Ok:
            step = step(*args)
        if isinstance(step, Exception):
            raise step
        return step

    def init(self, *args: Any) -> Any:
        return self._play("init", *args)

    async def onconnect(self, *args: Any) -> Any:
        return self._play("onconnect", *args)

    def ondisconnect(self, *args: Any) -> Any:
        return self._play("ondisconnect", *args)

    async def websocket_handle(self, *args: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return self._play("websocket_handle", *args)

    def websocket_info(self, *args: Any) -> Any:
        return self._play("websocket_info", *args)

    async def websocket_terminate(self, *args: Any) -> Any:
        return self._play("websocket_terminate", *args)

    def of(self, callback: str) -> list[Any]:
        """Give the first argument of each call of a callback."""
        return [call[1] for call in self.calls if call[0] == callback]

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    async def saw(self, callback: str, times: int = 1) -> None:
        """Wait until a callback was called so often."""
        with anyio.fail_after(10):
            while self.names.count(callback) < times:
                await anyio.sleep(0.002)


class Owner:
    """Own one run of a client."""

    client: Any

    def __init__(self) -> None:
        self.reason: object = "not ended"
        self.error: Exception | None = None
        self.over = anyio.Event()

    async def ended(self) -> object:
        """Wait for the end; give the reason or raise the error."""
        with anyio.fail_after(10):
            await self.over.wait()
        if self.error is not None:
            raise self.error
        return self.reason


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


class RawServer:
    """Serve TCP by a function of the test's, called in a thread for each connection with the socket and its request."""

    def __init__(self, talk: Callable[[socket.socket, bytes], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.requests: list[bytes] = []
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(one)
            thread = threading.Thread(target=self._serve, args=(one,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, one: socket.socket) -> None:
        with one, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                data = one.recv(4096)
                if not data:
                    return
                request += data
            self.requests.append(request)
            self._talk(one, request)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


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
