"""The reasons that `ondisconnect` is told, and the faults of other clients that must not occur here."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import anyio
import pytest

from rcex_ws.callback import (
    KEEPALIVE_TIMEOUT,
    NORMAL,
    REMOTE,
    Close,
    CloseFrame,
    Ok,
    Pong,
    Reconnect,
    Reply,
    Text,
)
from rcex_ws.errors import ConnectFailed, TransportError, UpgradeRefused

HELLO = b"\x81\x05hello"


def wait_for_end(one: socket.socket) -> None:
    """Read until the client ends the stream or says goodbye, which comes alone here."""
    while (data := one.recv(4096)) and data[0] != 0x88:
        pass


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_close_frame_of_the_server(
    peer: Any, order: Any, owned: Any, scripted: Any, until: Any, code: int
) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await until(lambda: peer.open)
        (connection,) = peer.open
        await order(peer.close, code, "bye")
        assert await owner.ended() == NORMAL
        assert connection.protocol.close_rcvd.code == code, "it is answered"
    assert [call[:2] for call in handler.calls[2:]] == [
        ("websocket_handle", CloseFrame(code, "bye")),
        ("ondisconnect", REMOTE),
        ("websocket_terminate", NORMAL),
    ]


async def test_a_close_frame_without_a_code_shows_as_1000(raw: Any, accepted: Any, owned: Any, scripted: Any) -> None:
    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + b"\x88\x00")
        wait_for_end(one)

    handler = scripted()
    async with owned(raw(talk).url, handler) as owner:
        assert await owner.ended() == NORMAL
    assert handler.of("websocket_handle") == [CloseFrame(1000, "")]
    assert handler.of("ondisconnect") == [REMOTE]


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_an_abrupt_end(peer: Any, order: Any, owned: Any, scripted: Any, how: str) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(getattr(peer, how))
        assert await owner.ended() == NORMAL
    (reason,) = handler.of("ondisconnect")
    assert type(reason) is TransportError
    assert reason.retryable


async def test_a_refused_connection_is_no_error_of_the_start(unused_port: int, owned: Any, scripted: Any) -> None:
    handler = scripted(ondisconnect=lambda reason, state: Close(reason, state))
    async with owned(f"ws://127.0.0.1:{unused_port}", handler) as owner:
        with pytest.raises(ConnectFailed):
            await owner.ended()
    assert handler.names == ["init", "ondisconnect", "websocket_terminate"]


async def test_a_name_that_is_unknown(owned: Any, scripted: Any) -> None:
    handler = scripted()
    async with owned("ws://nobody.invalid/", handler) as owner:
        assert await owner.ended() == NORMAL
    assert isinstance(handler.of("ondisconnect")[0], ConnectFailed)


@pytest.mark.parametrize("body", [b"", b"not here", b"x" * 100_000])
async def test_a_refused_upgrade_with_a_body(raw: Any, owned: Any, scripted: Any, body: bytes) -> None:
    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait_for_end(one)

    handler = scripted()
    async with owned(raw(talk).url, handler) as owner:
        assert await owner.ended() == NORMAL
    (reason,) = handler.of("ondisconnect")
    assert isinstance(reason, UpgradeRefused)
    assert reason.status == 404


async def test_frames_in_the_segment_of_the_101(raw: Any, accepted: Any, owned: Any, scripted: Any) -> None:
    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + HELLO + b"\x8a\x02po" + HELLO)
        wait_for_end(one)

    handler = scripted()
    async with owned(raw(talk).url, handler):
        await handler.saw("websocket_handle", 3)
    assert handler.names[1] == "onconnect"
    assert handler.of("websocket_handle") == [Text("hello"), Pong(b"po"), Text("hello")]


async def test_fragments_are_joined(raw: Any, accepted: Any, owned: Any, scripted: Any) -> None:
    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + b"\x01\x03one" + b"\x89\x00" + b"\x80\x03two")
        wait_for_end(one)

    handler = scripted()
    async with owned(raw(talk).url, handler):
        await handler.saw("websocket_handle")
    assert handler.of("websocket_handle") == [Text("onetwo")]


@pytest.mark.parametrize("frame", [b"\x81\x02\xff\xfe", b"\x83\x01x", b"\x81\x7e\x04\x01" + b"x" * 1025])
async def test_what_cannot_be_read(raw: Any, accepted: Any, owned: Any, scripted: Any, frame: bytes) -> None:
    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + HELLO + frame)
        wait_for_end(one)

    handler = scripted()
    async with owned(raw(talk).url, handler, max_size=1024) as owner:
        assert await owner.ended() == NORMAL
    assert handler.of("websocket_handle") == [Text("hello")]
    assert isinstance(handler.of("ondisconnect")[0], TransportError)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x88\x02\x03\xe9", str), (b"\x83\x01x", TransportError), (b"\x81\x02\xff\xfe", TransportError)],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_server_that_does_not_end_the_stream(
    raw: Any,
    accepted: Any,
    owned: Any,
    scripted: Any,
    ms: float,
    data: bytes,
    kind: Any,
    together: bool,
) -> None:
    go_on, release = threading.Event(), threading.Event()

    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + (data if together else b""))
        go_on.wait(20)
        if not together:
            one.sendall(data)
        release.wait(20)

    handler = scripted(ondisconnect=lambda reason, state: Close("over", state))
    async with owned(raw(talk).url, handler) as owner:
        await handler.saw("onconnect")
        go_on.set()
        began = anyio.current_time()
        assert await owner.ended() == "over"
        assert anyio.current_time() - began < 1500 * ms
    release.set()
    assert isinstance(handler.of("ondisconnect")[0], kind)


async def test_an_attempt_is_bounded(peer: Any, owned: Any, scripted: Any, ms: float) -> None:
    peer.hang = True
    handler = scripted()
    async with owned(peer.url, handler, attempt_timeout=50 * ms) as owner:
        assert await owner.ended() == NORMAL
    assert isinstance(handler.of("ondisconnect")[0], ConnectFailed)


async def test_keepalive_pings_and_the_pongs_are_shown(peer: Any, owned: Any, scripted: Any, ms: float) -> None:
    handler = scripted()
    async with owned(peer.url, handler, keepalive=50 * ms):
        await handler.saw("websocket_handle", 3)
        assert handler.of("websocket_handle")[:3] == [Pong(b"")] * 3
        assert "ondisconnect" not in handler.names


async def test_keepalive_is_quiet_while_frames_come(
    peer: Any, order: Any, owned: Any, scripted: Any, ms: float
) -> None:
    handler = scripted(websocket_handle=lambda frame, ref, state: Ok)
    async with owned(peer.url, handler, keepalive=500 * ms):
        await handler.saw("onconnect")
        for _ in range(30):
            await order(peer.send, "x")
            await anyio.sleep(30 * ms)
        assert set(handler.of("websocket_handle")) == {Text("x")}


async def test_a_silent_peer_is_a_keepalive_timeout(
    peer: Any, order: Any, owned: Any, scripted: Any, ms: float
) -> None:
    handler = scripted(ondisconnect=[Reconnect(1), Close("enough", 2)])
    async with owned(peer.url, handler, keepalive=100 * ms) as owner:
        await handler.saw("onconnect")
        began = anyio.current_time()
        await order(peer.freeze)
        await handler.saw("ondisconnect")
        assert handler.of("ondisconnect") == [KEEPALIVE_TIMEOUT]
        assert 90 * ms < anyio.current_time() - began < 2000 * ms
        await handler.saw("onconnect", 2)
        await order(peer.close, 1000)
        assert await owner.ended() == "enough"


async def test_a_close_is_bounded_though_the_peer_does_not_answer(
    raw: Any, accepted: Any, owned: Any, scripted: Any, ms: float
) -> None:
    release = threading.Event()

    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + HELLO)
        release.wait(20)

    handler = scripted(websocket_handle=Close("done", 1))
    async with owned(raw(talk).url, handler, close_timeout=100 * ms) as owner:
        await handler.saw("websocket_handle")
        began = anyio.current_time()
        assert await owner.ended() == NORMAL
        assert anyio.current_time() - began < 1500 * ms
    release.set()
    assert handler.of("ondisconnect") == ["done"]


@pytest.mark.parametrize("way", ["close", "cast", "stop"])
async def test_a_close_is_bounded_though_the_peer_reads_nothing(
    raw: Any, accepted: Any, owned: Any, scripted: Any, ms: float, way: str
) -> None:
    """What was sent before the close frame may block for ever."""
    release = threading.Event()

    def talk(one: socket.socket, request: bytes) -> None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(accepted(request))
        release.wait(20)

    handler = scripted(websocket_info=Close("done", 1))
    async with owned(raw(talk).url, handler, close_timeout=100 * ms) as owner:
        await handler.saw("onconnect")
        for _ in range(64):
            owner.client.cast(Text("x" * 2**18))
        await anyio.sleep(50 * ms)
        if way == "close":
            owner.client.info("close")
        elif way == "cast":
            owner.client.cast(CloseFrame())
        else:
            await owner.client.stop()
        assert await owner.ended() == NORMAL
    release.set()
    if way == "close":
        assert handler.of("ondisconnect") == ["done"]
    elif way == "cast":
        assert isinstance(handler.of("ondisconnect")[0], TransportError)
    else:
        assert handler.of("ondisconnect") == []


@pytest.mark.parametrize("where", ["cast", "keepalive", "pong", "reply"])
async def test_sending_into_a_connection_that_died(
    raw: Any, accepted: Any, owned: Any, scripted: Any, ms: float, where: str
) -> None:
    """A reset that comes with, or just before, what is sent is a disconnection and nothing else."""

    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + HELLO + (b"\x89\x00" if where == "pong" else b""))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    handler = scripted(websocket_handle=Reply(Text("x"), 1) if where == "reply" else Ok)
    keepalive = 20 * ms if where == "keepalive" else None
    async with owned(raw(talk).url, handler, keepalive=keepalive) as owner:
        with anyio.fail_after(10):
            while not owner.over.is_set():
                if where == "cast":
                    owner.client.cast(Text("x"))
                await anyio.sleep(0.001)
        assert await owner.ended() == NORMAL
    (reason,) = handler.of("ondisconnect")
    assert isinstance(reason, TransportError | ConnectFailed)
