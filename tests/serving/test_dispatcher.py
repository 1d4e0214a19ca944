"""Handlers run in order or together, and none stops another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.feedme.server import FeedmeServer
from rcex_ws.feedme.server.errors import Refusal
from rcex_ws.loop import on_trio
from rcex_ws.serving import Dispatcher, HandlerCall
from tests.feedme.wire import HANDSHAKE, action

pytestmark = pytest.mark.anyio


class Recorded:
    """What became of each call, in order."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []
        self.reported: list[Exception] = []
        self.dispatcher = Dispatcher(lambda error, what: self.reported.append(error), refusal=Refusal)

    def put(self, call: Callable[[], Any]) -> None:
        self.dispatcher.put(HandlerCall("a handler", call, self.outcomes.append, self.outcomes.append))

    async def run(self) -> None:
        """Run what is queued, and what that starts."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.dispatcher.run)
            await anyio.wait_all_tasks_blocked()
            self.dispatcher.close()


def failing(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def failing_later(error: Exception) -> Callable[[], Any]:
    async def fail() -> Any:
        await anyio.lowlevel.checkpoint()
        raise error

    return fail


async def test_sync_handlers_run_in_order() -> None:
    recorded = Recorded()
    for number in range(5):
        recorded.put(lambda number=number: number)
    await recorded.run()
    assert recorded.outcomes == [0, 1, 2, 3, 4]


async def test_async_handlers_run_together_and_hold_nobody_up() -> None:
    recorded = Recorded()
    go = anyio.Event()

    async def wait() -> str:
        await go.wait()
        return "waited"

    recorded.put(wait)
    recorded.put(wait)
    recorded.put(lambda: go.set() or "went")
    await recorded.run()
    assert recorded.outcomes == ["went", "waited", "waited"]


@pytest.mark.parametrize("fail", [failing, failing_later])
async def test_an_exception_of_a_handler_fails_its_request_alone(
    fail: Callable[[Exception], Callable[[], Any]],
) -> None:
    recorded, bug, refusal = Recorded(), ZeroDivisionError("bug"), Refusal("NO", {"a": 1})
    recorded.put(fail(refusal))
    recorded.put(fail(bug))
    recorded.put(lambda: "next")
    await recorded.run()
    expected = ["next", refusal, bug]  # trio starts tasks in any order
    assert sorted(recorded.outcomes, key=str) == sorted(expected, key=str)
    assert recorded.reported == [bug]


async def test_an_exception_while_responding_counts_as_raised_by_the_handler() -> None:
    recorded, bug = Recorded(), ValueError("no JSON object")
    failures: list[Any] = []
    recorded.dispatcher.put(HandlerCall("a handler", lambda: 1, failing_with(bug), failures.append))
    await recorded.run()
    assert (failures, recorded.reported) == ([bug], [bug])


def failing_with(error: Exception) -> Callable[[Any], Any]:
    def fail(_: Any) -> Any:
        raise error

    return fail


async def test_a_handler_that_awaits_something_cancelled() -> None:
    """It fails like any other, and does not end the task of all handlers."""
    if on_trio():
        pytest.skip("trio has no such error")
    recorded = Recorded()

    async def wait() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    recorded.put(wait)
    recorded.put(lambda: "next")
    await recorded.run()
    assert [type(outcome) for outcome in recorded.outcomes] == [str, RuntimeError]
    assert recorded.reported == recorded.outcomes[1:]


async def test_requests_are_counted_until_their_handlers_have_returned() -> None:
    recorded, counts = Recorded(), list[int]()

    async def count() -> None:
        await anyio.lowlevel.checkpoint()
        counts.append(recorded.dispatcher.unfinished)

    recorded.put(count)
    recorded.put(failing_later(ZeroDivisionError()))
    assert recorded.dispatcher.unfinished == 2
    await recorded.run()
    assert counts[0] in (1, 2)
    assert recorded.dispatcher.unfinished == 0


async def test_a_client_that_leaves_requests_behind_is_refused_when_it_comes_again() -> None:
    """Its limits are those of one connection, and handlers finish what it asked for, so it could ask for any amount."""
    async with FeedmeServer(max_actions=2, max_open_feeds=1).mounted() as server:
        go, done = anyio.Event(), list[str]()

        @server.action()
        async def wait(client: Any, name: str, args: Any) -> Any:
            await go.wait()
            done.append(name)
            return {}

        async def ask_and_leave(name: str) -> None:
            transport = server.memory_transport()
            await transport.connect()
            for message in (HANDSHAKE, action(name, callback_id="1"), action(name, callback_id="2")):
                transport.send(json.dumps(message).encode())
            transport.disconnect()
            while server.clients:
                await anyio.lowlevel.checkpoint()

        for name in ("a", "b", "c"):  # 4 are allowed for each connection, and for one that has left
            await ask_and_leave(name)
        with pytest.raises(ConnectionRefusedError, match="503"):
            await ask_and_leave("d")
        go.set()
        while len(done) < 6:
            await anyio.lowlevel.checkpoint()
        assert sorted(done) == ["a", "a", "b", "b", "c", "c"]
        await ask_and_leave("e")


async def test_a_closed_dispatcher_handles_queued_requests_only() -> None:
    recorded = Recorded()
    recorded.put(lambda: "queued before")
    recorded.dispatcher.close()
    recorded.put(lambda: "ignored")
    await recorded.dispatcher.run()
    assert recorded.outcomes == ["queued before"]
