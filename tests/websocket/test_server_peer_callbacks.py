"""The loop's callbacks, called without a loop or a task: each step, what is written, and in how many writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st

from rcex_ws.websocket.frames import Binary
from rcex_ws.websocket.peer import PeerOptions, broadcast
from rcex_ws.websocket.server_peer import ServerPeer
from rcex_ws.websocket.socket import Ending
from tests.websocket.by_hand import Loop, Transport, outside
from tests.websocket.serving import CLOSE, UPGRADE, masked


class Case:
    """An open peer with a reader."""

    def __init__(self, group: TaskGroup, **options: Any) -> None:
        self.loop, self.transport = Loop(), Transport()
        self.peer = ServerPeer(PeerOptions(**options), self.loop)
        self.group = group
        self.messages: list[bytes] = []
        self.told: list[str] = []
        self.endings: list[Any] = []

    async def open(self) -> None:
        await outside(self.peer.connection_made, self.transport)
        await outside(self.peer.data_received, UPGRADE)
        await self.peer.accept()
        self.transport.writes.clear()
        self.group.start_soon(self.read)
        await anyio.sleep(0.001)

    async def read(self) -> None:
        try:
            self.endings.append(await self.peer.read(self.take, self.pong, lambda: self.told.append("closing")))
        except ZeroDivisionError as exc:
            self.endings.append(exc)

    def take(self, data: bytes, binary: bool) -> None:
        self.messages.append(data)
        if data == b"boom":
            raise ZeroDivisionError

    def pong(self, data: bytes) -> None:
        self.told.append("pong")

    async def ended(self) -> Any:
        with anyio.fail_after(1):
            while not self.endings:
                await anyio.lowlevel.checkpoint()
        return self.endings[0]


@pytest.fixture
def anyio_backend() -> str:
    """Only asyncio, whose callbacks these are."""
    return "asyncio"


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    async with anyio.create_task_group() as group:
        case = Case(group, max_buffer=1000)
        await case.open()
        yield case
        group.cancel_scope.cancel()


async def test_what_is_sent_together_is_one_write_in_the_same_turn(case: Case) -> None:
    assert await outside(case.peer.send, [b"a", Binary(b"b")])
    assert await outside(broadcast, [case.peer], [b"c", b"d"]) == 1
    assert case.transport.writes == [b"\x81\x01a\x82\x01b", b"\x81\x01c\x81\x01d"]


async def test_a_broadcast_gives_every_peer_the_same_object() -> None:
    async with anyio.create_task_group() as group:
        cases = [Case(group) for _ in range(3)]
        for one in cases:
            await one.open()
        await outside(broadcast, [one.peer for one in cases], [b"x" * 1000])
        group.cancel_scope.cancel()
    first, *others = (one.transport.kept[-1] for one in cases)
    assert all(other is first for other in others)


async def test_messages_pongs_and_pings(case: Case) -> None:
    await outside(case.peer.data_received, masked(0x81, b"a") + masked(0x8A, b"") + masked(0x89, b"?") + b"\x81")
    assert (case.messages, case.told, case.transport.writes) == ([b"a"], ["pong"], [b"\x8a\x01?"])


async def test_a_close_frame_is_told_and_answered_at_once(case: Case) -> None:
    await outside(case.peer.data_received, masked(0x81, b"a") + CLOSE + masked(0x81, b"b"))
    assert (case.messages, case.told) == ([b"a"], ["closing"])
    assert (case.transport.writes, case.transport.eof) == ([b"\x88\x02\x03\xe8"], True)
    await outside(case.peer.data_received, b"more")
    (deadline,) = case.loop.timers
    await outside(deadline.callback)
    assert case.transport.aborted
    await outside(case.peer.connection_lost, None)
    assert (await case.ended()).code == 1000


async def test_a_slow_network_and_its_recovery(case: Case) -> None:
    await outside(case.peer.pause_writing)
    assert await outside(case.peer.send, [b"a"])
    assert await outside(case.peer.send, [b"b"])
    await outside(case.peer.data_received, masked(0x89, b"?"))
    assert (case.peer.waiting, case.transport.writes) == (6, [])
    await outside(case.peer.resume_writing)
    assert case.transport.writes == [b"\x81\x01a\x81\x01b", b"\x8a\x01?"]


async def test_too_much_for_a_slow_network(case: Case) -> None:
    await outside(case.peer.pause_writing)
    while await outside(case.peer.send, [b"x" * 100]):
        assert case.peer.waiting <= 1000
    assert case.told == ["closing"]
    await outside(case.peer.resume_writing)
    assert case.transport.writes == [b"\x88\x0a\x03\xf5too slow"]


async def test_an_error_of_a_receiver_is_the_readers(case: Case) -> None:
    await outside(case.peer.data_received, masked(0x81, b"boom"))
    assert case.told == ["closing"]
    assert case.transport.writes == [b"\x88\x02\x03\xf3"]
    assert isinstance(await case.ended(), ZeroDivisionError)


async def test_an_end_of_the_stream_that_comes_while_there_is_more_to_do(case: Case, monkeypatch: Any) -> None:
    monkeypatch.setattr("rcex_ws.time_slice.TimeSlice.LENGTH", -1)
    await outside(case.peer.data_received, masked(0x81, b"x") * 50)
    assert case.transport.paused
    assert 0 < len(case.messages) < 50
    await outside(case.peer.eof_received)
    case.transport.close()
    await outside(case.peer.connection_lost, None)
    assert case.told == []
    while case.loop.soon:
        await outside(case.loop.turn)
    assert (len(case.messages), case.told) == (50, ["closing"])
    assert (await case.ended()).code is None


async def test_a_frozen_peer_that_is_cut_while_there_is_more_to_do(case: Case, monkeypatch: Any) -> None:
    monkeypatch.setattr("rcex_ws.time_slice.TimeSlice.LENGTH", -1)
    await outside(case.peer.data_received, masked(0x81, b"x") * 50)
    await outside(case.peer.freeze)
    await outside(case.loop.turn)
    got = len(case.messages)
    await outside(case.loop.turn)
    assert len(case.messages) == got < 50
    await outside(case.peer.abort)
    await outside(case.peer.connection_lost, None)
    while case.loop.soon:
        await outside(case.loop.turn)
    assert (await case.ended()).code is None


STEPS = ["send", "ping", "message", "flood", "close", "bad", "pause", "resume", "freeze", "thaw", "pace", "eof"]


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_any_order_of_calls_ends_well(steps: list[str]) -> None:
    """Nothing escapes a callback, nothing is written after the end, and the reader finishes."""

    async def main() -> None:
        async with anyio.create_task_group() as group:
            case = Case(group, max_buffer=100)
            await case.open()
            peer = case.peer
            for step in steps:
                match step:
                    case "send" | "ping":
                        await outside(peer.send, [b"x" * 30]) if step == "send" else await outside(peer.ping)
                    case "message" | "flood" | "bad":
                        data = {"message": masked(0x81, b"m"), "flood": masked(0x89, b"f") * 100, "bad": b"\xff" * 20}
                        await outside(peer.data_received, data[step])
                    case "close":
                        await outside(peer.close)
                    case "pause":
                        await outside(peer.pause_writing)
                    case "resume":
                        await outside(peer.resume_writing)
                    case "freeze":
                        await outside(peer.freeze)
                    case "thaw":
                        await outside(peer.thaw)
                    case "pace":
                        await outside(peer.pace, 0.1, 3)
                    case _:
                        await outside(peer.eof_received)
                        case.transport.close()
                for timer in case.loop.timers:
                    if not timer.cancelled and timer.callback != case.transport.abort:
                        timer.cancelled = True
                        await outside(timer.callback)
                await outside(case.loop.turn)
            await outside(peer.connection_lost, None)
            while case.loop.soon:
                await outside(case.loop.turn)
            await case.ended()
            assert not peer.is_open
            assert case.told.count("closing") == 1
            group.cancel_scope.cancel()

    asyncio.run(main())


chunks = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(masked, st.integers(0, 255), st.binary(max_size=20)),
        st.sampled_from([CLOSE, UPGRADE, b"GET / HTTP/1.1\r\n\r\n", b"\x81\xff" + b"\xff" * 8, b"\r\n\r\n"]),
    ),
    max_size=8,
)


@settings(max_examples=400)
@given(chunks, st.booleans())
def test_any_bytes_end_well(data: list[bytes], opened: bool) -> None:
    """As a request and as frames: nothing escapes, every end is reported, and nothing stays buffered after it."""

    async def main() -> None:
        async with anyio.create_task_group() as group:
            case = Case(group)
            if opened:
                await case.open()
            else:
                await outside(case.peer.connection_made, case.transport)
            for one in data:
                await outside(case.peer.data_received, one)
            await outside(case.peer.eof_received)
            case.transport.close()
            await outside(case.peer.connection_lost, None)
            while case.loop.soon:
                await outside(case.loop.turn)
            if opened:
                assert isinstance(await case.ended(), Ending)
                assert case.told.count("closing") == 1
            else:
                answered = b"".join(case.transport.writes)
                assert not answered or answered.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
            assert not case.peer.is_open
            group.cancel_scope.cancel()

    asyncio.run(main())


def broken(case: Case) -> None:
    """Let each write to the transport fail from now on."""

    def fail(data: Any) -> None:
        raise ZeroDivisionError

    case.transport.write = fail  # type: ignore[method-assign]


async def test_what_cannot_be_written_later_is_told_to_the_reader_once(case: Case) -> None:
    await outside(case.peer.pause_writing)
    assert await outside(case.peer.send, [b"waits"])
    await outside(case.peer.data_received, masked(0x89, b"?"))
    broken(case)
    await outside(case.peer.resume_writing)
    assert isinstance(await case.ended(), ZeroDivisionError)


async def test_what_cannot_be_written_in_its_turn_is_told_to_the_reader(case: Case) -> None:
    case.peer.pace(0.1)
    assert await outside(case.peer.send, [b"a", b"b"])
    assert case.transport.writes == [b"\x81\x01a"]
    broken(case)
    await outside(case.loop.timers[-1].callback)
    assert isinstance(await case.ended(), ZeroDivisionError)


async def test_a_failure_before_there_is_a_reader_is_told_to_it() -> None:
    async with anyio.create_task_group() as group:
        case = Case(group)
        await outside(case.peer.connection_made, case.transport)
        await outside(case.peer.data_received, UPGRADE)
        await case.peer.accept()
        await outside(case.peer.pause_writing)
        assert await outside(case.peer.send, [b"waits"])
        broken(case)
        await outside(case.peer.resume_writing)
        group.start_soon(case.read)
        assert isinstance(await case.ended(), ZeroDivisionError)


async def test_a_connection_that_is_gone_takes_nothing(case: Case) -> None:
    case.transport.closing = True
    await outside(case.peer.send_bytes, b"raw")
    await outside(case.peer.connection_lost, None)
    await outside(case.peer.abort)
    await case.peer.drain()
    assert not await outside(case.peer.send, [b"late"])
    assert (case.transport.writes, case.transport.aborted, case.peer.is_open) == ([], False, False)
    assert (await case.ended()).code is None


@pytest.mark.parametrize("gone", ["eof", "closing"])
async def test_accepting_whoever_has_left_writes_nothing(gone: str) -> None:
    async with anyio.create_task_group() as group:
        case = Case(group)
        await outside(case.peer.connection_made, case.transport)
        await outside(case.peer.data_received, UPGRADE)
        if gone == "eof":
            await outside(case.peer.eof_received)
        else:
            case.transport.closing = True
        await case.peer.accept()
        assert case.transport.writes == []


async def test_refusing_whoever_has_left_writes_nothing() -> None:
    async with anyio.create_task_group() as group:
        case = Case(group)
        await outside(case.peer.connection_made, case.transport)
        case.transport.closing = True
        await outside(case.peer.data_received, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert case.transport.writes == []


async def test_a_broadcast_leaves_out_whoever_has_sent_a_bad_frame(case: Case) -> None:
    async with anyio.create_task_group() as group:
        other = Case(group)
        await other.open()
        counts: list[int] = []
        case.take = lambda data, binary: counts.append(broadcast([case.peer, other.peer], [b"x"]))  # type: ignore[method-assign]
        group.start_soon(case.peer.read, case.take)
        await anyio.sleep(0.001)
        await outside(case.peer.data_received, masked(0x81, b"a") + masked(0x83, b"no such frame"))
        assert counts == [1]
        assert other.transport.writes == [b"\x81\x01x"]
        assert b"\x81\x01x" not in case.transport.writes
        group.cancel_scope.cancel()


async def test_pings_can_be_left_unanswered(case: Case) -> None:
    case.peer.ignore_pings()
    await outside(case.peer.data_received, masked(0x89, b"?") + masked(0x81, b"a"))
    assert (case.messages, case.transport.writes) == ([b"a"], [])


async def test_a_peer_may_thaw_before_it_has_a_reader_or_was_frozen() -> None:
    async with anyio.create_task_group() as group:
        case = Case(group)
        await outside(case.peer.connection_made, case.transport)
        await outside(case.peer.thaw)
        await outside(case.peer.freeze)
        assert case.peer.is_frozen
        assert case.transport.paused
        await outside(case.peer.thaw)
        assert not case.peer.is_frozen
        assert not case.transport.paused
