"""A server's WebSocket in the loop's callbacks, with handlers that fail and clients that leave."""

from __future__ import annotations

import socket
from typing import Any

import anyio
import pytest

from rcex_ws.websocket.frames import Binary
from rcex_ws.websocket.socket import Ending
from tests.websocket.serving import CLOSE, Raw, masked, serving

NORMAL = b"\x88\x02\x03\xe8"  # a close frame of the server, 1000


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return ("asyncio", {"use_uvloop": True}) if request.param == "uvloop" else request.param


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
        for _ in range(40):
            peer.send([Binary(b"x" * 100_000)])
        await peer.read(lambda data, binary: None)

    async with serving(handler, max_buffer=2**30, close_timeout=30) as port:
        with Raw(port, small=True) as raw:
            size = len(await raw.open())
            await raw.send(CLOSE)
            raw.sock.shutdown(socket.SHUT_WR)
            rest = await raw.rest()
    assert size + len(rest) > 4_000_000
    assert rest.endswith(NORMAL)


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
