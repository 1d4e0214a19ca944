"""Faults of the WebSocket layer found by a reviewer; peers are raw sockets in threads."""

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
from rcex_ws.websocket.asgi_peer import serve_asgi
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, Ping
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.socket import Ending, Receivers
from tests.websocket.serving import CLOSE, Raw, masked, serving


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


async def test_a_bad_frame_behind_a_message_that_is_answered_is_no_bug_of_the_handler() -> None:
    endings: list[Any] = []

    async def handler(peer: Any) -> None:
        await peer.accept()
        try:
            endings.append(await peer.read(lambda data, binary: peer.send([data])))
        except Exception as exc:  # noqa: BLE001 - the point of the test
            endings.append(exc)

    async with serving(handler) as port:
        with Raw(port) as raw:
            await raw.open()
            await raw.send(masked(0x81, b"a") + masked(0x83, b"b"))
            rest = await raw.rest()
    assert isinstance(endings[0], Ending), endings
    assert b"\x03\xea" in rest  # 1002


async def test_everybody_who_drains_goes_on() -> None:
    done: list[int] = []
    both = anyio.Event()

    async def handler(peer: Any) -> None:
        await peer.accept()
        peer.send([Binary(b"x" * 5_000_000)])

        async def drain(number: int) -> None:
            await peer.drain()
            done.append(number)
            if len(done) == 2:
                both.set()

        async with anyio.create_task_group() as group:
            group.start_soon(drain, 1)
            group.start_soon(drain, 2)
            await peer.read(lambda data, binary: None)
            with anyio.move_on_after(1):
                await both.wait()
            group.cancel_scope.cancel()

    async with serving(handler) as port:
        with Raw(port) as raw:
            size = len(await raw.open())
            while size < 5_000_000:
                size += len(await raw.some())
            await raw.send(CLOSE)
            await raw.rest()
        with anyio.move_on_after(2):
            await both.wait()
    assert sorted(done) == [1, 2]


async def test_what_waits_for_a_slow_client_reaches_it_though_it_ends_its_side() -> None:
    async def handler(peer: Any) -> None:
        await peer.accept()
        for _ in range(100):
            peer.send([Binary(b"x" * 100_000)])
        await peer.read(lambda data, binary: None)

    async with serving(handler, max_buffer=2**30) as port:
        with Raw(port, small=True) as raw:
            size = len(await raw.open())
            await raw.send(CLOSE)
            raw.sock.shutdown(socket.SHUT_WR)
            rest = await raw.rest()
    assert size + len(rest) > 10_000_000
    assert rest.endswith(NORMAL)


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


async def test_a_handler_that_fails_over_asgi_still_says_what_it_said() -> None:
    sent: list[tuple[Any, ...]] = []
    first = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        if not first:
            await anyio.sleep_forever()
        return first.pop()

    async def send(message: Any) -> None:
        sent.append((message["type"], message.get("text"), message.get("code")))
        await anyio.lowlevel.checkpoint()

    async def handler(peer: Any) -> None:
        await peer.accept()
        peer.send([b"a", b"b"])
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await serve_asgi(handler, {"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent[1:] == [
        ("websocket.send", "a", None),
        ("websocket.send", "b", None),
        ("websocket.close", None, 1011),
    ]


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


async def test_a_message_on_which_the_handler_failed_is_not_handed_over_again() -> None:
    calls: list[bytes] = []

    async def handler(peer: Any) -> None:
        await peer.accept()

        def fail(data: bytes, _: bool) -> None:
            calls.append(data)
            raise ValueError("a bug")

        await peer.read(fail)

    rounds = 5
    async with serving(handler) as port:
        for _ in range(rounds):
            with Raw(port) as raw:
                await raw.open()
                try:
                    for _ in range(40):
                        raw.sock.send(masked(0x81, b"m") * 3000)
                    await raw.rest()
                except OSError:
                    pass
    assert len(calls) == rounds
