"""A server's WebSockets over real sockets, on asyncio, uvloop and trio."""

from __future__ import annotations

import gc
import logging
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import websockets
from websockets.sync.client import connect

from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Binary, Text
from rcex_ws.websocket.opener import open_websocket
from rcex_ws.websocket.peer import broadcast
from rcex_ws.websocket.server_peer import ServerPeer
from rcex_ws.websocket.socket import Ending, Receivers
from tests.reading import read
from tests.websocket.serving import CLOSE, UPGRADE, Raw, echo, masked, serving


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return ("asyncio", {"use_uvloop": True}) if request.param == "uvloop" else request.param


class Taken:
    """A handler that accepts and records what it receives."""

    def __init__(self) -> None:
        self.peers: list[ServerPeer] = []
        self.messages: list[bytes] = []
        self.pongs: list[bytes] = []
        self.closing: list[bool] = []
        self.endings: list[Ending] = []

    async def __call__(self, peer: ServerPeer) -> None:
        await peer.accept()
        self.peers.append(peer)
        self.endings.append(
            await peer.read(
                lambda data, binary: self.messages.append(data),
                self.pongs.append,
                lambda: self.closing.append(peer.is_open),
            )
        )

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(5):
            while not condition():
                await anyio.sleep(0.002)

    async def one(self) -> ServerPeer:
        await self.until(lambda: self.peers)
        return self.peers[0]


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_the_librarys_own_client(compression: Any) -> None:
    def talk(port: int) -> None:
        with connect(f"ws://127.0.0.1:{port}", proxy=None, compression=compression) as ws:
            assert ("Sec-WebSocket-Extensions" in ws.response.headers) is (compression is not None)
            for message in ("text", b"bytes", "x" * 100_000, "", "\u20ac"):
                ws.send(message)
                assert ws.recv(5) == message
            ws.send(iter(["frag", "ments"]))
            assert ws.recv(5) == "fragments"
            assert ws.ping().wait(5)
        assert ws.close_code == 1000

    async with serving() as port:
        await anyio.to_thread.run_sync(talk, port)


async def test_our_own_client_over_tls(authority: Any) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    taken: list[bytes] = []
    async with serving(tls=tls) as port:
        endpoint = Endpoint(f"wss://localhost:{port}", ssl_context=ours)
        with anyio.fail_after(10):
            async with open_websocket(endpoint) as ws, anyio.create_task_group() as group:
                group.start_soon(
                    lambda: read(ws, Receivers(lambda data, binary: taken.append(data), lambda data: None))
                )
                assert await ws.send([b"a", Binary(b"b" * 100_000)])
                while len(taken) < 2:
                    await anyio.sleep(0.002)
                await ws.close(1000, "", within=5)
        with Raw(port) as raw:  # a client without TLS affects no other
            await raw.send(UPGRADE)
            await raw.rest()
    assert taken == [b"a", b"b" * 100_000]


async def test_a_client_that_begins_tls_and_no_more_is_dropped(authority: Any) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with serving(tls=tls, open_timeout=0.1) as port:
        with Raw(port) as raw:
            await raw.send(b"\x16\x03\x01")
            assert await raw.rest() == b""


async def test_messages_come_in_the_segment_of_the_answer() -> None:
    async def greet(peer: ServerPeer) -> None:
        await peer.accept(messages=[b"hello", Binary(b"x")])
        await peer.wait_gone()

    async with serving(greet) as port:
        with Raw(port) as raw:
            await raw.send(UPGRADE)
            assert (await raw.some()).partition(b"\r\n\r\n")[2] == b"\x81\x05hello\x82\x01x"


async def test_frames_that_came_before_the_answer_are_read_after_it() -> None:
    async with serving() as port:
        with Raw(port) as raw:
            rest = await raw.open(masked(0x89, b"!") + masked(0x81, b"early") + CLOSE)
            assert rest + await raw.rest() == b"\x81\x05early" + b"\x8a\x01!" + b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 499, 503])
async def test_a_refusal_has_any_status_headers_and_body(status: int) -> None:
    async def refuse(peer: ServerPeer) -> None:
        await peer.refuse(status, {"Retry-After": "7", "Content-Type": "application/json"}, b"{}")

    async with serving(refuse) as port:
        with Raw(port) as raw:
            await raw.send(UPGRADE)
            answer = await raw.rest()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nRetry-After: 7\r\n" in answer
    assert answer.count(b"Content-Type") == 1
    assert answer.endswith(b"\r\n\r\n{}")


async def test_bad_requests_are_answered_and_never_reach_the_handler() -> None:
    async def never(peer: ServerPeer) -> None:
        raise AssertionError

    requests = {
        405: UPGRADE.replace(b"GET", b"POST"),
        505: UPGRADE.replace(b"1.1", b"1.0"),
        431: b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,  # answered while the client is still sending
        414: b"x" * 1_000_000,
        400: b"\0\r\n\r\n",
        426: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    async with serving(never) as port:
        for status, request in requests.items():
            with Raw(port) as raw:
                await raw.send(request)
                assert (await raw.rest()).startswith(b"HTTP/1.1 %d " % status)


async def test_a_request_that_never_ends_has_its_time() -> None:
    async with serving(open_timeout=0.05, close_timeout=0.05) as port:
        with Raw(port) as silent, Raw(port) as slow:
            await slow.send(UPGRADE[:-2])
            assert (await slow.rest()).startswith(b"HTTP/1.1 408 ")
            await silent.rest()


async def test_an_upgrade_that_hangs_and_one_that_is_reset() -> None:
    ended = anyio.Event()

    async def handler(peer: ServerPeer) -> None:
        if peer.request.path == "/rst":
            peer.abort()
        else:
            await peer.wait_gone()
            ended.set()

    async with serving(handler) as port:
        with Raw(port) as raw:
            await raw.send(UPGRADE.replace(b"/path?token=1", b"/rst"))
            with pytest.raises(ConnectionResetError):
                await raw.some()
        with Raw(port) as raw:
            await raw.send(UPGRADE)
            await anyio.sleep(0.02)
            assert not ended.is_set()
        with anyio.fail_after(5):
            await ended.wait()


async def test_the_owner_hears_of_the_end_at_once_and_once() -> None:
    """Row G1: what is sent after the client's close frame is reported as lost, not dropped silently."""
    taken, told = Taken(), []

    async def handler(peer: ServerPeer) -> None:
        await peer.accept()
        await peer.read(lambda data, binary: None, on_closing=lambda: told.append(peer.send([b"late"])))

    async with serving(handler) as port:
        with Raw(port) as raw:
            await raw.open()
            await raw.send(CLOSE)
            assert await raw.rest() == b"\x88\x02\x03\xe8"
        await taken.until(lambda: told)
    assert told == [False]


@pytest.mark.parametrize("way", ["close", "fin", "rst", "bad"])
async def test_every_end_by_the_client_is_told(way: str) -> None:
    taken = Taken()
    async with serving(taken) as port:
        with Raw(port) as raw:
            await raw.open()
            await raw.send(masked(0x81, b"last"))
            if way == "close":
                await raw.send(CLOSE)
            elif way == "bad":
                await raw.send(b"\xff\x80\0\0\0\0")
                assert (await raw.rest())[2:4] == b"\x03\xea"  # 1002
            elif way == "rst":
                await taken.until(lambda: taken.messages)
                raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await taken.until(lambda: taken.endings)
    assert taken.messages == [b"last"]
    assert taken.closing == [False]
    (ending,) = taken.endings
    assert (ending.code, ending.by_peer, ending.unreadable) == {
        "close": (1000, True, False),
        "bad": (1002, False, True),
    }.get(way, (None, False, False))


async def test_a_close_of_ours_is_answered() -> None:
    taken = Taken()
    async with serving(taken) as port:
        with Raw(port) as raw:
            await raw.open()
            peer = await taken.one()
            peer.close(4001, "bye")
            peer.close(4002)
            assert not peer.is_open
            assert not peer.send([b"late"])
            assert await raw.until(b"bye") == b"\x88\x05\x0f\xa1bye"
            await raw.send(masked(0x81, b"under way") + masked(0x88, b"\x0f\xa1"))
            assert await raw.rest() == b""
            await taken.until(lambda: taken.endings)
    assert (taken.messages, taken.closing) == ([b"under way"], [False])
    assert taken.endings == [Ending(4001, "", by_peer=True, answered=True)]


async def test_a_close_that_is_not_answered_has_its_time() -> None:
    taken = Taken()
    async with serving(taken, close_timeout=0.05) as port:
        with Raw(port) as raw:
            await raw.open()
            (await taken.one()).close()
            assert await raw.rest() == b"\x88\x02\x03\xe8"
            await taken.until(lambda: taken.endings)
    assert taken.endings == [Ending(None, "", by_peer=False)]


async def test_an_abort_is_a_reset() -> None:
    taken = Taken()
    async with serving(taken) as port:
        with Raw(port) as raw:
            await raw.open()
            (await taken.one()).abort()
            assert taken.closing == [False]
            with pytest.raises(ConnectionResetError):
                await raw.some()
        await taken.until(lambda: taken.endings)


async def test_pings_of_both_sides() -> None:
    taken = Taken()
    async with serving(taken) as port:
        with Raw(port) as raw:
            await raw.open()
            (await taken.one()).ping(b"are you there")
            await raw.until(b"there")
            await raw.send(masked(0x8A, b"yes") + masked(0x89, b"and you"))
            assert await raw.until(b"you") == b"\x8a\x07and you"
            await taken.until(lambda: taken.pongs)
    assert taken.pongs == [b"yes"]


async def test_a_handler_that_fails_costs_its_own_websocket_only(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: ServerPeer) -> None:
        await peer.accept()
        if peer.request.path == "/now":
            raise RuntimeError("handler")
        await peer.read(lambda data, binary: 1 / 0 if data == b"0" else peer.send([data]))

    async with serving(handler) as port:
        with Raw(port) as good, Raw(port) as now, Raw(port) as later:
            await good.open()
            await now.send(UPGRADE.replace(b"/path?token=1", b"/now"))
            await later.open()
            await later.send(masked(0x81, b"0"))
            assert (await now.rest()).endswith(b"\x88\x02\x03\xf3")  # 1011
            assert await later.rest() == b"\x88\x02\x03\xf3"
            await good.send(masked(0x81, b"still"))
            await good.until(b"still")
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [type(record.exc_info[1]) for record in logged if record.exc_info] == [RuntimeError, ZeroDivisionError]
    assert "token" not in caplog.text


async def test_a_handler_that_returns_closes() -> None:
    async def handler(peer: ServerPeer) -> None:
        await peer.accept(messages=[b"that is all"])

    async with serving(handler) as port:
        with Raw(port) as raw:
            assert await raw.open() + await raw.rest() == b"\x81\x0bthat is all\x88\x02\x03\xe8"


async def test_the_end_of_the_server_ends_all() -> None:
    taken = Taken()
    async with serving(taken) as port:
        with Raw(port) as opened, Raw(port) as begun:
            await opened.open()
            await begun.send(UPGRADE[:9])
            peer = await taken.one()
            began = time.monotonic()
    assert time.monotonic() - began < 2
    assert not peer.is_open
    assert taken.closing == [False]


class TestFlow:
    """Bounded buffers, and peers that read too slowly."""

    async def test_a_slow_peer_is_dropped_with_its_code(self) -> None:
        taken = Taken()
        async with serving(taken, max_buffer=100_000, overflow_code=1013, close_timeout=5) as port:
            with Raw(port, small=True) as raw:
                await raw.open()
                peer = await taken.one()
                sent = 0
                while peer.send([b"x" * 50_000]):
                    sent += 1
                    assert peer.waiting <= 100_000
                    assert sent < 1000
                    assert not peer.overflowed
                assert peer.overflowed
                assert taken.closing == [False]
                data = await raw.rest()
            assert data.endswith(b"\x88\x0a\x03\xf5too slow")
            frame = b"\x81\x7e\xc3\x50" + b"x" * 50_000
            whole = data.removesuffix(b"\x88\x0a\x03\xf5too slow")
            assert whole == frame * (len(whole) // len(frame))

    async def test_one_that_never_reads_again_is_aborted(self) -> None:
        taken = Taken()
        async with serving(taken, max_buffer=100_000, close_timeout=0.05) as port:
            with Raw(port, small=True) as raw:
                await raw.open()
                peer = await taken.one()
                while peer.send([b"x" * 50_000]):
                    pass
                await taken.until(lambda: taken.endings)

    async def test_who_drains_loses_nobody(self) -> None:
        done = anyio.Event()

        async def handler(peer: ServerPeer) -> None:
            await peer.accept()
            for _ in range(100):
                assert peer.send([b"x" * 50_000])
                await peer.drain()
                assert peer.waiting == 0
            done.set()

        async with serving(handler, max_buffer=1, overflow_code=None) as port:
            with Raw(port, small=True) as raw:
                size = len(await raw.open())
                await anyio.sleep(0.02)
                assert not done.is_set()
                size += len(await raw.rest())
        assert size == 100 * 50_004 + 4

    async def test_drain_ends_with_the_websocket(self) -> None:
        drained = anyio.Event()
        taken = Taken()

        async def handler(peer: ServerPeer) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(taken, peer)
                await taken.one()
                while not peer.waiting:
                    peer.send([b"x" * 100_000])
                await peer.drain()
                drained.set()

        async with serving(handler, overflow_code=None) as port:
            with Raw(port, small=True) as raw:
                await raw.open()
                await taken.until(lambda: taken.peers and taken.peers[0].waiting)
                assert not drained.is_set()
            with anyio.fail_after(5):
                await drained.wait()

    async def test_a_client_that_sends_more_than_anybody_reads_has_to_wait(self) -> None:
        async def handler(peer: ServerPeer) -> None:
            await peer.accept()
            await anyio.sleep_forever()

        async with serving(handler) as port:
            with Raw(port) as raw:
                await raw.open()
                raw.sock.setblocking(False)
                sent, quiet = 0, 0
                while quiet < 10:
                    try:
                        sent += raw.sock.send(masked(0x81, b"x" * 100) * 500)
                        quiet = 0
                    except BlockingIOError:
                        quiet += 1
                        await anyio.sleep(0.01)
                    assert sent < 2**26

    async def test_a_flood_leaves_the_loop_to_others(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                await raw.send(masked(0x81, b"x") * 50_000 + CLOSE)
                await raw.rest()
                await taken.until(lambda: taken.endings)
        assert len(taken.messages) == 50_000


class TestBroadcast:
    async def test_all_get_it_and_those_that_do_not_compress_the_same_bytes(self) -> None:
        taken = Taken()
        got: list[Any] = []

        def talk(port: int) -> None:
            with connect(f"ws://127.0.0.1:{port}", proxy=None) as ws:
                got.extend(ws.recv(5) for _ in range(4))

        async with serving(taken) as port, anyio.create_task_group() as group:
            with Raw(port) as one, Raw(port) as two, Raw(port) as gone:
                for raw in (one, two, gone):
                    await raw.open()
                await gone.send(CLOSE)
                await gone.rest()
                group.start_soon(anyio.to_thread.run_sync, talk, port)
                await taken.until(lambda: len(taken.peers) == 4)
                assert broadcast(taken.peers, [Text("a"), Binary(b"b")]) == 3
                assert broadcast(iter(taken.peers), [b"c", b"d" * 200]) == 3
                expected = b"\x81\x01a\x82\x01b\x81\x01c\x81\x7e\x00\xc8" + b"d" * 200
                for raw in (one, two):
                    assert await raw.until(b"d" * 200) == expected
        assert got == ["a", b"b", "c", "d" * 200]

    async def test_a_peer_that_is_dropped_by_it_may_leave_the_set(self) -> None:
        peers: set[ServerPeer] = set()

        async def handler(peer: ServerPeer) -> None:
            await peer.accept()
            peers.add(peer)
            await peer.read(lambda data, binary: None, on_closing=lambda: peers.discard(peer))

        async with serving(handler, max_buffer=100_000, close_timeout=0.1) as port:
            with Raw(port, small=True) as slow, Raw(port) as quick:
                await slow.open()
                await quick.open()
                with anyio.fail_after(10):
                    while len(peers) < 2:
                        await anyio.sleep(0.002)
                    while len(peers) > 1:
                        broadcast(peers, [b"x" * 50_000])
                        with anyio.move_on_after(0.005):
                            await quick.some()
                assert next(iter(peers)).is_open


class TestRehearsal:
    """The additional methods for test servers."""

    async def test_a_frozen_peer_reads_and_writes_nothing_until_it_is_thawed(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                peer = await taken.one()
                peer.freeze()
                peer.freeze()
                assert peer.is_frozen
                assert peer.send([b"held"])
                await raw.send(masked(0x81, b"unread") + masked(0x89, b"?"))
                raw.sock.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    await raw.some()
                assert taken.messages == []
                peer.thaw()
                raw.sock.settimeout(10)
                assert await raw.until(b"?") == b"\x81\x04held\x8a\x01?"
                assert taken.messages == [b"unread"]

    async def test_a_frozen_peer_does_not_notice_that_the_client_leaves(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                (await taken.one()).freeze()
            await anyio.sleep(0.05)
            assert taken.closing == []
            taken.peers[0].thaw()
            await taken.until(lambda: taken.endings)

    async def test_a_frozen_peer_can_be_reset(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                (await taken.one()).freeze()
                taken.peers[0].abort()
                with pytest.raises(ConnectionResetError):
                    await raw.some()
            await taken.until(lambda: taken.endings)

    async def test_a_peer_frozen_in_the_middle_of_a_flood_comes_to_its_end(self) -> None:
        taken = Taken()

        async def handler(peer: ServerPeer) -> None:
            await peer.accept()
            taken.endings.append(await peer.read(lambda data, binary: peer.freeze()))

        async with serving(handler) as port:
            with Raw(port) as raw:
                await raw.open()
                await raw.send(masked(0x81, b"x") * 50_000)
                await anyio.sleep(0.05)
        assert taken.endings == []

    async def test_frames_one_by_one(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                peer = await taken.one()
                peer.pace(0.02)
                peer.send([b"a", b"b", b"c"])
                assert [await raw.some() for _ in range(3)] == [b"\x81\x01a", b"\x81\x01b", b"\x81\x01c"]

    async def test_one_frame_in_many_segments(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                peer = await taken.one()
                peer.pace(0.02, piece=2)
                peer.send([b"abc"])
                peer.close()
                assert [await raw.some() for _ in range(5)] == [b"\x81\x03", b"ab", b"c", b"\x88\x02", b"\x03\xe8"]

    async def test_several_frames_in_one_write_and_bytes_that_are_none(self) -> None:
        taken = Taken()
        async with serving(taken) as port:
            with Raw(port) as raw:
                await raw.open()
                peer = await taken.one()
                peer.send([b"a", b"b"])
                assert await raw.some() == b"\x81\x01a\x81\x01b"
                peer.send_bytes(b"\xff\xff")
                assert await raw.some() == b"\xff\xff"


async def test_no_log_shows_the_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def talk(port: int) -> None:
        with (
            pytest.raises(websockets.InvalidStatus),
            connect(f"ws://127.0.0.1:{port}/?token=1", proxy=None, logger=logging.Logger("quiet")),
        ):
            pass

    async def refuse(peer: ServerPeer) -> None:
        await peer.refuse(401)

    async with serving(refuse) as port:
        await anyio.to_thread.run_sync(talk, port)
    assert "token" not in caplog.text


async def test_a_peer_that_has_gone_is_not_left_to_the_collector() -> None:
    gone: list[weakref.ref[ServerPeer]] = []

    async def note(peer: ServerPeer) -> None:
        gone.append(weakref.ref(peer))
        await echo(peer)

    async def none_left() -> None:
        with anyio.fail_after(5):
            while any(one() is not None for one in gone):
                await anyio.sleep(0.01)

    gc.disable()
    try:
        async with serving(note) as port:
            for last in (CLOSE, b""):
                with Raw(port) as raw:
                    await raw.open(masked(0x81, b"x") + last)
            await none_left()
    finally:
        gc.enable()
    assert len(gone) == 2
