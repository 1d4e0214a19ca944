"""The same handlers, mounted into Starlette under uvicorn, and under an ASGI server that misbehaves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.sync.client import connect

from rcex_ws.websocket.asgi_peer import serve_asgi
from rcex_ws.websocket.frames import Binary, Ping, Text
from rcex_ws.websocket.peer import Peer, PeerOptions, broadcast
from rcex_ws.websocket.socket import Ending
from tests.under_uvicorn import under_uvicorn
from tests.websocket.serving import echo


def mounted(handler: Any) -> Starlette:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await serve_asgi(handler, scope, receive, send)

    return Starlette(routes=[Mount("/ws", app=application)])


@contextlib.contextmanager
def running(handler: Any) -> Iterator[str]:
    """Run uvicorn in a thread; yields the address."""
    with under_uvicorn(mounted(handler)) as address:
        yield f"ws://{address}/ws/path?token=1"


class TestUvicorn:
    def test_an_echo(self) -> None:
        with running(echo) as url, connect(url, proxy=None) as ws:
            for message in ("text", b"bytes", "x" * 100_000):
                ws.send(message)
                assert ws.recv(5) == message

    def test_the_request_and_a_subprotocol(self) -> None:
        seen: list[Any] = []

        async def handler(peer: Peer) -> None:
            seen.append(peer.request)
            await peer.accept("b", {"X-Y": "z"}, [b"hello", Ping(), Binary(b"x")])
            peer.close(4001, "bye")
            seen.append(await peer.read(lambda data, binary: None))

        with running(handler) as url:
            with connect(url, proxy=None, subprotocols=["a", "b"], additional_headers={"X-A": "1"}) as ws:  # type: ignore[list-item]
                assert (ws.subprotocol, ws.response.headers["X-Y"]) == ("b", "z")
                assert [ws.recv(5), ws.recv(5)] == ["hello", b"x"]
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    ws.recv(5)
            deadline = time.monotonic() + 5
            while len(seen) < 2 and time.monotonic() < deadline:
                time.sleep(0.002)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "bye")
        request, ending = seen
        assert request.path.endswith("/path?token=1")
        assert (request.subprotocols, request.headers["x-a"]) == (("a", "b"), "1")
        assert ending.code in (4001, None)

    def test_a_refusal(self) -> None:
        async def handler(peer: Peer) -> None:
            await peer.refuse(429, {"Retry-After": "7"}, "slow down")

        with running(handler) as url, pytest.raises(websockets.InvalidStatus) as caught, connect(url, proxy=None):
            pass
        response = caught.value.response
        assert (response.status_code, response.headers["Retry-After"], response.body) == (429, "7", b"slow down")

    def test_a_client_that_closes_and_one_that_vanishes(self) -> None:
        endings: list[Ending] = []
        closing: list[bool] = []

        async def handler(peer: Peer) -> None:
            await peer.accept()
            endings.append(
                await peer.read(lambda data, binary: None, on_closing=lambda: closing.append(peer.send([b"late"])))
            )

        with running(handler) as url:
            with connect(url, proxy=None) as ws:
                ws.close(4002, "going")
            deadline = time.monotonic() + 5
            while not endings and time.monotonic() < deadline:
                time.sleep(0.002)
        assert endings == [Ending(4002, "going", by_peer=True)]
        assert closing == [False]


class Server:
    """An ASGI server for one WebSocket, under the control of a test."""

    def __init__(self, *, extensions: tuple[str, ...] = ()) -> None:
        self.scope = {"type": "websocket", "path": "/p\u00e9", "query_string": b"", "headers": []}
        self.scope |= {"extensions": {name: {} for name in extensions}}
        self.told, self._to_app = anyio.create_memory_object_stream[Any](100)[::-1]
        self.sent: list[Any] = []
        self.blocked = anyio.Event()
        self.blocked.set()
        self.broken = False
        self.tell(type="websocket.connect")

    def tell(self, **message: Any) -> None:
        self._to_app.send_nowait(message)

    async def send(self, message: Any) -> None:
        await self.blocked.wait()
        if self.broken:
            raise OSError
        self.sent.append(message)

    async def run(self, handler: Any, **options: Any) -> None:
        with self._to_app, self.told:
            await serve_asgi(handler, self.scope, self.told.receive, self.send, PeerOptions(**options))


async def test_a_server_that_cannot_refuse_closes() -> None:
    async def handler(peer: Peer) -> None:
        assert peer.request.path == "/p%C3%A9"
        await peer.refuse(404)

    server = Server()
    await server.run(handler)
    assert server.sent == [{"type": "websocket.close", "code": 1000}]


async def test_a_handler_that_does_nothing_or_returns_early_or_fails() -> None:
    async def nothing(peer: Peer) -> None:
        pass

    async def early(peer: Peer) -> None:
        await peer.accept(messages=[b"all"])

    async def failing(peer: Peer) -> None:
        await peer.accept()
        raise ZeroDivisionError

    server = Server()
    await server.run(nothing)
    assert [message["type"] for message in server.sent] == ["websocket.close"]
    server = Server()
    await server.run(early)
    assert [message["type"] for message in server.sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    server = Server()
    with pytest.raises(ZeroDivisionError):
        await server.run(failing)


async def test_a_slow_server_and_its_limit() -> None:
    server = Server()
    told: list[str] = []

    async def handler(peer: Peer) -> None:
        await peer.accept()
        server.blocked = anyio.Event()
        sent = 0
        while peer.send([b"x" * 100]):
            sent += 1
            assert not peer.overflowed
            await anyio.lowlevel.checkpoint()
        assert sent <= 11
        assert peer.overflowed
        told.append("dropped")
        server.blocked.set()
        assert not (await peer.read(lambda data, binary: None)).by_peer

    await server.run(handler, max_buffer=1000, close_timeout=0.05)
    assert told == ["dropped"]
    assert server.sent[-1] == {"type": "websocket.close", "code": 1013, "reason": "too slow"}


async def test_a_message_larger_than_the_limit_is_sent_if_nothing_waits_before_it() -> None:
    server = Server()

    async def handler(peer: Peer) -> None:
        await peer.accept()
        assert peer.send([b"x" * 2000])
        await peer.drain()
        assert peer.send([b"y" * 2000])
        assert not peer.send([b"z"])
        assert peer.overflowed

    await server.run(handler, max_buffer=1000, close_timeout=0.05)
    assert server.sent[1] == {"type": "websocket.send", "text": "x" * 2000}
    assert server.sent[-1]["code"] == 1013


async def test_a_server_that_takes_nothing_any_more_and_an_end_in_time() -> None:
    server = Server()
    endings: list[Ending] = []

    async def handler(peer: Peer) -> None:
        await peer.accept()
        server.blocked = anyio.Event()
        peer.send([b"stuck"])
        await anyio.sleep(0.01)
        peer.close()
        endings.append(await peer.read(lambda data, binary: None))

    with anyio.fail_after(5):
        await server.run(handler, close_timeout=0.05)
    assert endings == [Ending(None, "", by_peer=False)]


async def test_draining_and_a_client_that_has_left() -> None:
    server = Server()

    async def handler(peer: Peer) -> None:
        await peer.accept()
        for _ in range(3):
            assert peer.send([b"x" * 100])
            await peer.drain()
        assert len(server.sent) == 4
        server.broken = True
        peer.send([Text("lost")])
        ending = await peer.read(lambda data, binary: None)
        assert ending.code is None
        assert not peer.is_open
        await peer.drain()

    await server.run(handler, max_buffer=1, overflow_code=None)


async def test_an_abort_and_a_close_that_nobody_answers() -> None:
    for way in ("abort", "close"):
        server = Server()
        messages: list[Any] = []

        async def handler(peer: Peer, way: str = way, messages: list[Any] = messages) -> None:
            await peer.accept()

            def take(data: bytes, binary: bool) -> None:
                messages.append((data, binary))
                if binary:
                    peer.abort() if way == "abort" else peer.close()

            assert (await peer.read(take)).code is None

        server.tell(type="websocket.receive", text="a", bytes=None)
        server.tell(type="websocket.receive", bytes=b"b")
        await server.run(handler, close_timeout=0.05)
        assert messages == [(b"a", False), (b"b", True)]


async def test_a_broadcast_to_peers_of_both_kinds() -> None:
    server, ready = Server(), anyio.Event()
    peers: list[Peer] = []

    async def handler(peer: Peer) -> None:
        await peer.accept()
        peers.append(peer)
        ready.set()
        await peer.read(lambda data, binary: None)

    async with anyio.create_task_group() as group:
        group.start_soon(server.run, handler)
        await ready.wait()
        assert broadcast(peers, [b"a", Binary(b"b")]) == 1
        with anyio.fail_after(5):
            while len(server.sent) < 3:
                await anyio.lowlevel.checkpoint()
        server.tell(type="websocket.disconnect", code=1000)
    assert [message.get("text", message.get("bytes")) for message in server.sent[1:3]] == ["a", b"b"]


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True}), "trio"])
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


async def test_a_server_that_begins_with_anything_else_has_no_websocket() -> None:
    called: list[Peer] = []

    async def handler(peer: Peer) -> None:
        called.append(peer)

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None:
        sent.append(message)

    await serve_asgi(handler, {"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert (called, sent) == ([], [])


async def test_a_refused_websocket_has_nothing_to_read() -> None:
    endings: list[Ending] = []

    async def handler(peer: Peer) -> None:
        await peer.refuse(404)
        endings.append(await peer.read(lambda data, binary: None))

    with anyio.fail_after(5):
        await Server().run(handler)
    assert endings == [Ending(None, "", by_peer=False)]


async def test_the_code_1006_of_a_server_is_no_close_frame() -> None:
    endings: list[Ending] = []

    async def handler(peer: Peer) -> None:
        await peer.accept()
        endings.append(await peer.read(lambda data, binary: None))

    for message in ({"code": 1006}, {}):
        server = Server()
        server.tell(type="websocket.disconnect", **message)
        await server.run(handler)
    assert endings[0] == Ending(None, "", by_peer=False)
    assert len(endings) == 2
