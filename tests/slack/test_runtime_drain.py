"""The end of a client: what is queued for handlers is delivered in what is left of the time, or reported."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws.connection import State
from rcex_ws.errors import RequestLost

ROOM = "C0GENERAL"


@pytest.fixture
async def waiting(slack: Any, told: Any) -> Callable[..., Any]:
    """Bring a client to where a handler runs, two events wait and the callback of a message comes when it is closed."""

    async def waiting(client: Any, handler: Callable[[], Any]) -> None:
        @client.on("first")
        async def first(event: Any) -> None:
            told.add("running")
            await handler()

        told.listen(client, "second", "third")
        await client.start()
        slack.swallow_acks(None)
        client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply", error))
        await slack.wait_for_message("one")
        slack.push({"type": "first"}, {"type": "second"}, {"type": "third"})
        await told.wait("running")

    return waiting


async def test_handlers_have_all_that_is_left_of_the_time(
    make_client: Any, waiting: Any, told: Any, ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    """The closing handshake took next to nothing of it."""
    client = make_client(close_timeout=1000 * ms)
    await waiting(client, lambda: anyio.sleep(500 * ms))
    await client.aclose()
    assert told.names[-4:] == ["second", "third", "disconnect", "reply"]
    ((error,),) = told.of("reply")
    assert isinstance(error, RequestLost)
    assert "dropped" not in caplog.text


async def test_what_is_dropped_at_the_end_is_reported(
    make_client: Any, waiting: Any, told: Any, ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(close_timeout=200 * ms)
    await waiting(client, anyio.sleep_forever)
    with anyio.fail_after(5):
        await client.aclose()
    assert "second" not in told.names
    (record,) = [record for record in caplog.records if "before all handlers had run" in record.getMessage()]
    assert record.levelno == logging.WARNING
    # second, third, disconnect; the reply
    assert "3 events and 1 callbacks of messages were dropped" in record.getMessage()


async def test_a_handler_that_closes_is_followed_by_the_rest(
    make_client: Any, waiting: Any, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()

    async def close() -> None:
        await client.aclose()
        told.add("closed")

    await waiting(client, close)
    await told.wait("reply")
    assert told.names[-5:] == ["closed", "second", "third", "disconnect", "reply"]
    assert client.state is State.CLOSED
    assert "dropped" not in caplog.text


async def test_a_handler_that_closes_what_is_being_closed_is_followed_by_the_rest(
    make_client: Any, waiting: Any, told: Any, ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither waits for the other, and nothing is dropped."""
    client = make_client(close_timeout=5000 * ms)
    closes = anyio.Event()

    async def close() -> None:
        await closes.wait()
        await client.aclose()
        told.add("closed")

    await waiting(client, close)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.aclose)
        while client.state is not State.CLOSED:
            await anyio.lowlevel.checkpoint()
        closes.set()
    await told.wait("reply")
    assert anyio.current_time() - began < 2000 * ms
    assert told.names[-5:] == ["closed", "second", "third", "disconnect", "reply"]
    assert "dropped" not in caplog.text


async def test_what_one_of_the_last_handlers_raises_is_told(make_client: Any, waiting: Any, told: Any) -> None:
    client = make_client()

    async def close() -> None:
        await client.aclose()
        raise LookupError("after the end")

    await waiting(client, close)
    assert str((await told.wait("client_error"))[0]) == "after the end"
    assert told.names[-2:] == ["reply", "client_error"]


async def test_an_error_of_a_handler_goes_to_the_life_that_called_it(make_client: Any, slack: Any, told: Any) -> None:
    """Two lives overlap: a handler of the first starts the second, and raises while the second is busy."""
    client = make_client()
    second_is_busy, gate = anyio.Event(), anyio.Event()

    @client.on("again")
    async def again(event: Any) -> None:
        await client.aclose()
        await client.start()
        slack.push({"type": "busy"})
        await second_is_busy.wait()
        raise LookupError("of the first life")

    @client.on("busy")
    async def busy(event: Any) -> None:
        second_is_busy.set()
        await gate.wait()

    await client.start()
    slack.push({"type": "again"})
    assert (
        str((await told.wait("client_error"))[0]) == "of the first life"
    )  # it does not wait for the second life's turn
    gate.set()
