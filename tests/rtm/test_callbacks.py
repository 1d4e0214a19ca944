"""The callbacks of events: how they are called, in which order, and what becomes of one that raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.rtm import RtmClient
from tests.rtm.scripted import rig


async def test_a_callback_gets_one_list_or_its_members() -> None:
    async with rig() as it:
        got: list[Any] = []
        it.client.subscribe("x", got.append)
        it.client.subscribe("x", lambda *args: got.append(args), spread=True)
        await it.client.start()
        it.server.event("x", "Hello", {"a": 1})
        it.server.event("x")
        await it.settle()
        assert got == [["Hello", {"a": 1}], ("Hello", {"a": 1}), [], ()]


async def test_callbacks_are_called_in_the_order_of_subscription_and_one_at_a_time() -> None:
    async with rig() as it:
        lines: list[str] = []

        def slow(name: str) -> Callable[[list[Any]], Any]:
            async def callback(data: list[Any]) -> None:
                lines.append(f"{name} {data[0]} begins")
                await anyio.lowlevel.checkpoint()
                lines.append(f"{name} {data[0]} ends")

            return callback

        it.client.subscribe("x", slow("a"))
        it.client.subscribe("x", lambda data: lines.append(f"b {data[0]}"))
        it.client.subscribe("x", slow("c"))
        it.client.subscribe("y", lambda data: lines.append("y"))
        await it.client.start()
        it.server.event("x", 1)
        it.server.event("y")
        it.server.event("x", 2)
        await it.settle()
        one = ["a 1 begins", "a 1 ends", "b 1", "c 1 begins", "c 1 ends"]
        assert lines == [*one, "y", *(line.replace("1", "2") for line in one)]


async def test_no_callback_sees_what_another_one_does_to_the_list() -> None:
    async with rig() as it:
        got: list[Any] = []
        it.client.subscribe("x", lambda data: data.clear())
        it.client.subscribe("x", got.append)
        await it.client.start()
        it.server.event("x", 1)
        await it.settle()
        assert got == [[1]]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_callback_that_raises_is_reported_and_the_next_one_runs(is_async: bool) -> None:
    async with rig() as it:

        def wrong(data: list[Any]) -> None:
            raise ValueError(data[0])

        async def wrong_later(data: list[Any]) -> None:
            await anyio.lowlevel.checkpoint()
            wrong(data)

        callback = wrong_later if is_async else wrong
        it.client.subscribe("x", callback)
        it.subscribe("x")
        it.client.subscribe("x", callback)
        it.client.subscribe("x", lambda _: it.told.add("last"))
        await it.client.start()
        it.server.event("x", "bad")
        await it.settle()
        assert it.told.names == ["open", "error", "x", "error", "last"]
        assert [repr(error) for error in it.told.of("error")] == ["ValueError('bad')"] * 2


async def test_without_a_handler_of_errors_it_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with rig() as it:
        it.client._emitter.remove_all_listeners("error")
        it.client.subscribe("x", lambda data: 1 / 0)
        await it.client.start()
        it.server.event("x")
        await it.settle()
        (record,) = (one for one in caplog.records if one.levelname == "ERROR")
        assert "'x' raised" in record.getMessage()


async def test_something_cancelled_in_a_callback_does_not_end_the_client() -> None:
    async with rig() as it:

        async def cancelled(data: list[Any]) -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anyio.sleep(1)
            raise RuntimeError("given up")

        it.client.subscribe("x", cancelled)
        await it.client.start()
        it.server.event("x")
        await it.settle()
        assert it.told.names == ["open", "error"]


async def test_an_unsubscribed_callback_is_not_called_any_more() -> None:
    async with rig() as it:
        got: list[str] = []
        offs = [it.client.subscribe("x", lambda _, name=name: got.append(name)) for name in "abc"]  # type: ignore[misc]
        await it.client.start()
        it.server.event("x")
        await it.settle()
        offs[1]()
        offs[1]()
        it.server.event("x")
        await it.settle()
        offs[0]()
        offs[2]()
        it.server.event("x")
        await it.settle()
        assert got == ["a", "b", "c", "a", "c"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_nor_one_that_an_earlier_callback_of_the_event_unsubscribes(is_async: bool) -> None:
    async with rig() as it:
        got: list[str] = []

        def first(_: list[Any]) -> None:
            off_second()

        async def first_later(_: list[Any]) -> None:
            off_second()

        it.client.subscribe("x", first_later if is_async else first)
        off_second = it.client.subscribe("x", lambda _: got.append("second"))
        it.client.subscribe("x", lambda _: got.append("third"))
        await it.client.start()
        it.server.event("x")
        await it.settle()
        assert got == ["third"]


async def test_a_callback_may_subscribe_another_one_in_time_for_the_next_event() -> None:
    async with rig() as it:
        it.client.subscribe("begin", lambda _: it.subscribe("x"))
        await it.client.start()
        it.server.event("x", 1)
        it.server.event("begin")
        it.server.event("x", 2)
        await it.settle()
        assert it.told.of("x") == [[2]]


async def test_the_same_function_may_be_subscribed_twice() -> None:
    async with rig() as it:
        got: list[Any] = []
        off = it.client.subscribe("x", got.append)
        it.client.subscribe("x", got.append)
        await it.client.start()
        it.server.event("x", 1)
        await it.settle()
        off()
        it.server.event("x", 2)
        await it.settle()
        assert got == [[1], [1], [2]]


def test_it_is_a_decorator_also_before_there_is_a_loop() -> None:
    client = RtmClient("ws://rtm.example/")

    @client.subscribe("x")
    def callback(data: list[Any]) -> str:
        return f"got {data}"

    @client.subscribe("x", spread=True)
    async def spread(first: int, second: int) -> None:
        """Do nothing."""

    assert callback([1]) == "got [1]"
    assert len(client._callbacks._callbacks["x"]) == 2


@pytest.mark.parametrize(
    ("event", "callback", "message"),
    [
        ("", print, "event: expected"),
        (5, print, "event: expected"),
        ("rtm:session", print, "begin with 'rtm:' belong to the protocol"),
        ("x", 5, "callback: expected a function"),
        ("x", None, "callback: expected a function"),
        ("x", lambda: 1, "callback: expected a function of one argument"),
        ("x", lambda first, second: 1, "callback: expected a function of one argument"),
    ],
    ids=["empty", "number", "reserved", "no function", "None", "no argument", "two arguments"],
)
def test_wrong_arguments_are_refused_by_name(event: Any, callback: Any, message: str) -> None:
    client = RtmClient("ws://rtm.example/")
    with pytest.raises(ConfigurationError, match=message):
        client.subscribe(event, callback)
    with pytest.raises(ConfigurationError, match=message):
        client.subscribe(event)(callback)
