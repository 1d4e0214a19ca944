"""A client's WebSocket in the loop's callbacks, with servers that leave, stall or send early."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Ping
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.socket import Receivers


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return ("asyncio", {"use_uvloop": True}) if request.param == "uvloop" else request.param


NORMAL = b"\x88\x02\x03\xe8"


def agree(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            raise OSError("left")
        data += more
    key = next(line.split(b": ")[1] for line in data.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


def reset(conn: socket.socket) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], object]], int]]:
    """Serve raw connections, each in its own thread; return the port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(script: Callable[[socket.socket], object]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(conn: socket.socket) -> None:
            with conn, suppress(OSError):
                script(conn)

        def run() -> None:
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(conn,), daemon=True))
                threads[-1].start()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


class Driver:
    """A driver that does nothing, and is its own conversation."""

    def __init__(self, port: int, slow: float = 0.0) -> None:
        self.port, self.slow, self.ended = port, slow, anyio.Event()
        self.how: Any = None

    async def endpoint(self) -> Endpoint:
        return Endpoint(f"ws://127.0.0.1:{self.port}/", proxy=False)

    def conversation(self, link: Any) -> Any:
        return self

    async def next_delay(self, ended: Any, delay: float) -> float:
        self.how = ended
        self.ended.set()
        return 60.0

    def on_misconfigured(self, error: Exception) -> None:
        raise error

    def on_failed(self, error: Exception) -> None:
        self.how = error
        self.ended.set()

    def on_message(self, data: bytes, binary: bool) -> None:
        end = time.perf_counter() + self.slow
        while time.perf_counter() < end:
            pass

    def on_pong(self, data: bytes) -> None: ...
    def heartbeat(self) -> Ping:
        return Ping()

    def on_suspended(self, seconds: float) -> None: ...
    def on_lost(self, loss: Any) -> None: ...
    async def handshake(self) -> None: ...
    async def prepare(self) -> None: ...
    async def after_ready(self) -> None: ...


async def first_end(driver: Driver) -> Any:
    supervisor = Supervisor(driver)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:

        async def run() -> None:
            try:
                await supervisor.run()
            except Exception as exc:  # noqa: BLE001 - as the root task does
                supervisor.give_up(exc)

        group.start_soon(run)
        with anyio.fail_after(5):
            await driver.ended.wait()
        group.cancel_scope.cancel()
    return driver.how


def after_the_101(conn: socket.socket) -> None:
    conn.sendall(agree(conn) + NORMAL)


def amid_a_burst(conn: socket.socket) -> None:
    conn.sendall(agree(conn))
    time.sleep(0.05)
    conn.sendall(((b"\x81\x7e\x01\x00" + b"x" * 256) * 60 + b"\x89\x01p") * 3)
    reset(conn)


@pytest.mark.parametrize("script", [after_the_101, amid_a_burst])
async def test_a_server_that_leaves_early_is_a_loss_and_no_bug_of_ours(listen: Any, script: Any) -> None:
    how = await first_end(Driver(listen(script), slow=0.0005))
    assert not isinstance(how, RuntimeError), how


@pytest.mark.parametrize("by_proxy", [False, True])
async def test_who_leaves_at_once_makes_a_failed_attempt(by_proxy: bool) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    endpoint = Endpoint(f"ws://127.0.0.1:{port}/", proxy=f"http://127.0.0.1:{port}" if by_proxy else False)
    try:
        for _ in range(30):
            with pytest.raises(ConnectFailed):
                async with open_websocket(endpoint):
                    pass
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("end", ["stall", "end"])
async def test_a_refusal_whose_body_does_not_come_is_one(listen: Any, end: str) -> None:
    over = threading.Event()

    def refuse(conn: socket.socket) -> None:
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nabc")
        if end == "stall":
            over.wait(5)

    port = listen(refuse)
    try:
        with pytest.raises(UpgradeRefused), anyio.fail_after(1):
            async with open_websocket(Endpoint(f"ws://127.0.0.1:{port}/", proxy=False)):
                pass
    finally:
        over.set()


async def test_nothing_comes_when_reading_was_stopped_before_it_began(listen: Any) -> None:
    heard: list[Any] = []

    def script(conn: socket.socket) -> None:
        conn.sendall(agree(conn) + b"\x81\x01a\x81\x01b")

    async with open_websocket(Endpoint(f"ws://127.0.0.1:{listen(script)}/", proxy=False)) as opened:
        await anyio.sleep(0.1)
        async with anyio.create_task_group() as group:
            receivers = Receivers(lambda data, _: heard.append(data), heard.append, ended=heard.append)
            opened.stop_reading()  # as `Link.lose` does before the first step of `Link.run`
            opened.start_reading(receivers, group)
            await anyio.sleep(0.1)
            group.cancel_scope.cancel()
    assert heard == []
