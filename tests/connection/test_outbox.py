"""Writing to one socket: what the socket does not accept does not count as sent."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.connection import Pending
from rcex_ws.connection.outbox import Outbox
from rcex_ws.loop import Errands


class ClosedSocket:
    """A socket whose peer has begun to close it: nothing can be written any more."""

    def can_write(self) -> bool:
        return False

    def write(self, messages: Any) -> bool:
        return False

    async def send(self, messages: Any) -> bool:
        return False


async def test_what_a_closing_socket_does_not_take_is_not_sent() -> None:
    errands = Errands()
    outbox = Outbox(ClosedSocket(), errands, close_timeout=1.0)  # type: ignore[arg-type]
    pending: Pending[str] = Pending("1", b"x", 0.0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(errands.run)
            outbox.start(group)
            outbox.put(pending)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert not pending.sent


class Wire:
    """A socket that records what is written; it may have no room, or fail."""

    def __init__(self, *, room: bool = True) -> None:
        self.room = room
        self.written: list[bytes] = []
        self.error: Exception | None = None

    def can_write(self) -> bool:
        return self.room

    def write(self, messages: Any) -> bool:
        if self.error is not None:
            raise self.error
        if self.room:
            self.written += messages
        return self.room

    async def send(self, messages: Any) -> bool:
        await anyio.lowlevel.checkpoint()
        self.written += messages
        return True


def make(wire: Wire) -> tuple[Outbox, Errands]:
    errands = Errands()
    return Outbox(wire, errands, close_timeout=1.0), errands  # type: ignore[arg-type]


async def test_what_was_put_before_the_start_is_written_but_for_withdrawn_requests() -> None:
    wire = Wire(room=False)
    outbox, errands = make(wire)
    for message in (b"1", Pending("2", b"2", 0.0), b"3"):
        outbox.put(message)
    outbox.withdraw_requests()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(errands.run)
            outbox.start(group)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert wire.written == [b"1", b"3"]


async def failure(wire: Wire, *messages: Any) -> Exception:
    """Let each write after the first message fail; return what the writing task raised."""
    outbox, errands = make(wire)
    try:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(errands.run)
                outbox.start(group)
                for message in messages:
                    outbox.put(message)
                    wire.error = ZeroDivisionError("a bug")
                await anyio.sleep_forever()
    except ExceptionGroup as exc:
        return exc.exceptions[0]


@pytest.mark.parametrize("message", [b"1", Pending("1", b"1", 0.0)])
async def test_a_write_that_fails_fails_the_task_that_writes(message: Any) -> None:
    wire = Wire()
    wire.error = ValueError("a bug")
    assert isinstance(await failure(wire, message), ValueError)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_write_that_fails_at_the_end_of_a_turn_fails_the_task_that_writes() -> None:
    wire = Wire()
    assert isinstance(await failure(wire, b"1", b"2"), ZeroDivisionError)
    assert wire.written == [b"1"]
