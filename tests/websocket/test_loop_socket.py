"""The callbacks of a client's WebSocket, called while no task is current: each step, and what is written."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from typing import Any

import pytest

from rcex_ws.errors import UpgradeRefused
from rcex_ws.time_slice import TimeSlice
from rcex_ws.websocket.frames import Ping
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.loop_socket import LoopSocket
from rcex_ws.websocket.socket import Ending, Receivers
from tests.websocket.by_hand import Loop, Transport, outside

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, PING, PONG, CLOSE = 0x81, 0x89, 0x8A, 0x88

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def frame(first: int, data: bytes = b"") -> bytes:
    return bytes((first, len(data))) + data


class Case:
    """A WebSocket of a client, driven by calls from the loop."""

    def __init__(self) -> None:
        self.loop, self.transport = Loop(), Transport()
        self.handshake = ClientHandshake("ws://localhost/", headers={}, max_size=100)
        self.socket = LoopSocket(self.handshake, self.loop)
        self.heard: list[Any] = []
        self.endings: list[Ending] = []
        self.errors: list[Exception] = []

    async def open(self, behind: bytes = b"") -> None:
        """Open the WebSocket, with more bytes in the segment of the response."""
        await outside(self.socket.connection_made, self.transport)
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", self.handshake.request())
        assert found
        accept = base64.b64encode(hashlib.sha1(found[1] + GUID).digest())
        await outside(
            self.socket.data_received,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + behind,
        )

    async def read(self) -> None:
        receivers = Receivers(self.take, self.heard.append, ended=self.endings.append, failed=self.errors.append)
        await outside(self.socket.start_reading, receivers, None)
        await self.turn()

    def take(self, data: bytes, binary: bool) -> None:
        self.heard.append(data.decode())
        if data == b"boom":
            raise ZeroDivisionError

    async def turn(self) -> None:
        await outside(self.loop.turn)

    async def feed(self, data: bytes) -> None:
        await outside(self.socket.data_received, data)


async def open_case(behind: bytes = b"") -> Case:
    case = Case()
    await case.open(behind)
    await case.read()
    return case


async def test_what_comes_is_handed_over_in_order_and_pings_are_answered() -> None:
    case = await open_case(frame(TEXT, b"with the answer"))
    await case.feed(frame(TEXT, b"1") + frame(PING, b"p") + frame(PONG, b"q") + frame(TEXT, b"2")[:2])
    await case.feed(b"2")
    assert case.heard == ["with the answer", "1", b"q", "2"]
    (pong,) = case.transport.writes
    assert (pong[0], len(pong)) == (PONG, 7)


async def test_what_waited_is_handed_over_when_reading_begins() -> None:
    case = Case()
    await case.open()
    await case.feed(frame(TEXT, b"early"))
    await outside(case.socket.eof_received)
    assert (case.heard, case.endings) == ([], [])
    await case.read()
    await case.turn()
    assert case.heard == ["early"]
    assert [ending.by_peer for ending in case.endings] == [False]


async def test_what_is_sent_goes_out_while_the_network_takes_it() -> None:
    case = await open_case()
    assert await outside(case.socket.write, [b"a", Ping()])
    await outside(case.socket.pause_writing)
    assert not await outside(case.socket.write, [b"b"])
    await case.feed(frame(PING))
    assert len(case.transport.writes) == 1
    await outside(case.socket.resume_writing)
    assert len(case.transport.writes) == 2  # the pong that waited
    assert await outside(case.socket.can_write)


async def test_a_close_frame_is_answered_and_told_a_turn_later() -> None:
    case = await open_case()
    await case.feed(frame(TEXT, b"last") + frame(CLOSE, b"\x0f\xa0why"))
    assert (case.heard, case.endings) == (["last"], [])
    assert case.transport.writes[-1][0] == CLOSE
    await case.turn()
    assert case.endings == [Ending(4000, "why", by_peer=True)]
    await outside(case.socket.connection_lost, None)
    await case.turn()
    assert len(case.endings) == 1


@pytest.mark.parametrize("how", ["eof", "lost", "unreadable"])
async def test_an_end_without_a_close_frame(how: str) -> None:
    case = await open_case()
    if how == "unreadable":
        await case.feed(frame(0xF1, b"x"))
    elif how == "eof":
        await outside(case.socket.eof_received)
    else:
        await outside(case.socket.connection_lost, ConnectionResetError())
    await case.turn()
    (ending,) = case.endings
    assert (ending.by_peer, ending.unreadable) == (False, how == "unreadable")


async def test_more_than_fits_in_a_turn_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimeSlice, "LENGTH", 0.0)
    case = await open_case()
    await case.feed(frame(TEXT, b"x") * 100)
    assert 0 < len(case.heard) < 100
    assert case.transport.paused
    while len(case.heard) < 100:
        await case.turn()
    assert not case.transport.paused


async def test_what_a_receiver_raises_is_handed_to_the_owner() -> None:
    case = await open_case()
    await case.feed(frame(TEXT, b"boom") + frame(TEXT, b"more"))
    await outside(case.socket.connection_lost, None)
    await case.turn()
    assert [type(error) for error in case.errors] == [ZeroDivisionError]
    assert (case.heard, case.endings) == (["boom"], [])


async def test_what_the_one_who_hears_of_the_end_raises_is_handed_to_the_owner() -> None:
    case = Case()
    case.endings = Broken()
    await case.open()
    await case.read()
    await outside(case.socket.connection_lost, None)
    await case.turn()
    assert [type(error) for error in case.errors] == [ZeroDivisionError]


class Broken(list[Ending]):
    """Fail in the callback for the end."""

    def append(self, ending: Ending) -> None:
        raise ZeroDivisionError


async def test_nothing_is_handed_over_after_reading_was_stopped() -> None:
    case = await open_case()
    await outside(case.socket.stop_reading)
    await case.feed(frame(TEXT, b"late"))
    await outside(case.socket.connection_lost, None)
    await case.turn()
    assert (case.heard, case.endings, case.errors) == ([], [], [])


async def test_a_refusal_waits_for_the_one_who_opens() -> None:
    case = Case()
    await outside(case.socket.connection_made, case.transport)
    case.handshake.request()
    await outside(case.socket.data_received, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    await outside(case.socket.eof_received)
    with pytest.raises(UpgradeRefused, match="403"):
        await case.socket.open()


async def test_the_body_of_a_refusal_is_not_read() -> None:
    case = Case()
    await outside(case.socket.connection_made, case.transport)
    await case.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n")
    await case.feed(b"body")
    with pytest.raises(UpgradeRefused):
        await case.socket.open()


async def test_replies_that_cannot_be_written_later_are_told_of() -> None:
    case = await open_case()
    await outside(case.socket.pause_writing)
    await case.feed(frame(PING, b"p"))

    def fail(data: Any) -> None:
        raise ZeroDivisionError

    case.transport.write = fail  # type: ignore[method-assign]
    await outside(case.socket.resume_writing)
    assert [type(error) for error in case.errors] == [ZeroDivisionError]


async def test_a_transport_that_is_closing_is_not_resumed() -> None:
    case = Case()
    await case.open(frame(TEXT, b"early"))
    case.transport.paused = case.transport.closing = True
    await case.read()
    assert (case.heard, case.transport.paused) == (["early"], True)


async def test_a_socket_names_its_descriptor_while_it_has_one() -> None:
    case = await open_case()
    assert list(case.socket.descriptors()) == []
    with socket.socket() as sock:
        case.transport.get_extra_info = lambda name, default=None: sock  # type: ignore[method-assign]
        assert list(case.socket.descriptors()) == [sock.fileno()]
    assert list(case.socket.descriptors()) == []
