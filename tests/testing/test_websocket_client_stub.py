"""What only the stub has; tests/callback checks that it behaves like the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from rcex_ws.callback import Close, CloseFrame, Frame, Ok, Reconnect, Reply, Text, WebSocketHandler
from rcex_ws.errors import ConnectFailed, NotConnected, UpgradeRefused
from rcex_ws.testing import WebSocketClientStub


class Greeter(WebSocketHandler[int]):
    """A user's handler: greets, counts, and reconnects after a loss with a growing delay."""

    def onconnect(self, ref: int, state: int) -> Reply[int]:
        return Reply(Text("hello"), state)

    def websocket_handle(self, frame: Frame, ref: int, state: int) -> Ok[int] | Reply[int] | Close[int]:
        if frame == Text("bye"):
            return Close("done", state)
        return Reply(Text(f"{state + 1}"), state + 1)

    def ondisconnect(self, reason: object, state: int) -> Close[int] | Reconnect[int]:
        if reason == "done":
            return Close(reason, state)
        return Reconnect(state, delay=None if state == 0 else float(state))


@asynccontextmanager
async def running(handler: Any, **options: Any) -> AsyncIterator[WebSocketClientStub]:
    stub = WebSocketClientStub()
    async with anyio.create_task_group() as tasks:
        assert await stub.start("ws://nowhere/1", handler, 0, 5.0, task_group=tasks, **options) is stub
        yield stub
        await stub.stop()


async def test_a_handler_can_be_tested() -> None:
    async with running(Greeter()) as stub:
        assert await stub.disconnect(ConnectFailed("nobody"), delay=2.5) == 2.5
        await stub.connect()
        await stub.receive(Text("a"))
        await stub.receive(Text("b"))
        assert stub.state == 2
        assert stub.sent == [Text("hello"), Text("1"), Text("2")]
        assert await stub.disconnect() == 2.0
        await stub.connect()
        assert not stub.ended
        await stub.receive(Text("bye"))
        assert stub.ended
        assert not stub.connected
        assert stub.sent[3:] == [Text("hello"), CloseFrame(1000)]
        assert stub.settings is not None
        assert (stub.url, stub.settings.keepalive) == ("ws://nowhere/1", 5.0)


async def test_what_is_cast_while_not_connected_is_dropped() -> None:
    async with running(Greeter()) as stub:
        stub.cast(Text("early"))
        await stub.connect()
        stub.cast(CloseFrame(4000))
        stub.cast(Text("late"))
        assert stub.dropped == [Text("early"), Text("late")]
        assert stub.sent == [Text("hello"), CloseFrame(4000)]
        await stub.receive(CloseFrame(4000))
        assert not stub.connected


async def test_retry_after_is_a_lower_bound() -> None:
    async with running(WebSocketHandler[int]()) as stub:
        assert await stub.disconnect(UpgradeRefused(503, retry_after=9.0)) is None
    handler = Greeter()
    async with running(handler) as stub:
        await stub.connect()
        await stub.receive(Text("a"))
        assert await stub.disconnect(UpgradeRefused(503, retry_after=9.0), delay=9.5) == 9.0


async def test_the_next_address() -> None:
    answers: list[Any] = [ConnectFailed("closed"), b"ws://nowhere/2"]

    async def next_url() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with running(Greeter(), next_url=next_url) as stub:
        await stub.connect()
        assert stub.url == "ws://nowhere/1"
        await stub.disconnect()
        await stub.connect()
        assert not stub.connected
        await stub.connect()
        assert stub.connected
        assert stub.url == "ws://nowhere/2"


async def test_mistakes_of_the_test() -> None:
    stub = WebSocketClientStub()
    with pytest.raises(NotConnected, match="not running"):
        stub.cast(Text("x"))
    async with running(Greeter()) as stub:
        with pytest.raises(NotConnected, match="not connected"):
            await stub.receive(Text("x"))
        await stub.connect()
        with pytest.raises(NotConnected, match="is connected"):
            await stub.connect()
        with pytest.raises(NotConnected, match="runs once"):
            await stub.run("ws://nowhere", Greeter(), 0)
