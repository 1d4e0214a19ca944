"""The events of a server come in order; only reports of bad messages and errors may be dropped."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.connection import EventEmitter
from rcex_ws.errors import ConfigurationError, SlowConsumer
from rcex_ws.feedme.server import FeedmeServer, UnexpectedClientMessage
from rcex_ws.feedme.server.events import ServerEventQueue, ServerEvents
from tests.feedme.server.raw_client import connected

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("told", [True, False])
async def test_a_client_that_floods_the_server_with_garbage(told: bool, caplog: pytest.LogCaptureFixture) -> None:
    emitter = EventEmitter(events=ServerEvents)
    queue, heard = ServerEventQueue(emitter), []
    for event in {*ServerEvents} if told else {*ServerEvents} - {ServerEvents.ERROR}:
        emitter.on(event, lambda *args, event=event: heard.append((event, *args)))
    queue.emit(ServerEvents.CONNECT, "client")
    for number in range(3000):
        queue.report_message("client", UnexpectedClientMessage("text", str(number)), 10)
    queue.emit(ServerEvents.DISCONNECT, "client", None)
    queue.close()
    await queue.run()
    names = [name for name, *_ in heard]
    assert (names[0], names[-1], len(names)) == ("connect", "disconnect", 1002 + told)
    assert next(error.client_message for name, *_, error in heard if name == "bad_client_message") == "2000"
    assert [type(error) for name, *_, error in heard if name == "error"] == [SlowConsumer] * told
    assert "handlers are too slow" in caplog.text
    assert "2000 events were dropped" in caplog.text


async def test_a_client_whose_actions_fail_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    emitter = EventEmitter(events=ServerEvents)
    queue, heard = ServerEventQueue(emitter), list[Exception]()
    emitter.on(ServerEvents.ERROR, heard.append)
    for number in range(3000):
        queue.report(ZeroDivisionError(number))
    assert queue.undelivered == 1001
    queue.close()
    await queue.run()
    assert [type(error) for error in heard].count(SlowConsumer) == 1
    assert str(heard[-1]) == "2999"


async def test_a_client_that_comes_again_and_again_is_refused_when_handlers_are_too_slow() -> None:
    """Events of clients that come and leave are not dropped, so there must not be any number of them."""
    async with FeedmeServer().mounted() as server:
        go = anyio.Event()

        @server.on("connect")
        async def wait(client: Any) -> None:
            await go.wait()

        async def come_and_leave(times: int) -> None:
            for _ in range(times):
                transport = server.memory_transport()
                await transport.connect()
                transport.disconnect()
                while server.clients:
                    await anyio.lowlevel.checkpoint()

        with pytest.raises(ConnectionRefusedError, match="503"):
            await come_and_leave(600)
        assert 1000 < server._core.events.undelivered < 1010
        go.set()
        while server._core.events.undelivered:
            await anyio.lowlevel.checkpoint()
        await come_and_leave(1)


async def test_without_a_handler_a_bad_message_is_not_queued() -> None:
    queue = ServerEventQueue(EventEmitter(events=ServerEvents))
    queue.report_message("client", UnexpectedClientMessage("text", "x"), 10)
    assert queue.undelivered == 0


async def test_an_exception_in_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    async with FeedmeServer() as server:
        heard: list[Any] = []
        server.on("error", heard.append)

        @server.on("connect")
        async def fail(client: Any) -> None:
            await anyio.lowlevel.checkpoint()
            raise ZeroDivisionError("bug")

        server.on("connect", lambda client: heard.append("the next one"))
        async with connected(server.url):
            pass
        await server.aclose()
    assert heard[0] == "the next one"
    assert [type(error) for error in heard[1:]] == [ZeroDivisionError]
    assert "a handler of the event 'connect' raised" in caplog.text


async def test_an_error_without_a_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    queue = ServerEventQueue(EventEmitter(events=ServerEvents))
    queue.report(ZeroDivisionError("bug"))
    assert queue.undelivered == 0
    assert [record.getMessage() for record in caplog.records] == ["the server itself raised ZeroDivisionError: bug"]


async def test_a_handler_can_be_detached() -> None:
    async with FeedmeServer() as server:
        heard: list[Any] = []
        server.on("connect", heard.append)()
        async with connected(server.url):
            pass
        await server.aclose()
    assert heard == []


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'connected' is none of bad_client_message, connect"):
        FeedmeServer().on("connected", lambda: None)
