"""The queue of events: one order for all, bounded where a server can fill it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.errors import SlowConsumer
from rcex_ws.feedme.events import Events, FeedEvents
from tests.feedme.scripted import Rig, connected
from tests.feedme.wire import answered, notified, opened, setting

VIOLATION = {"MessageType": "ViolationResponse", "Diagnostics": {"a": "b" * 1000}}


class Gate:
    """A handler that waits until the test opens it."""

    def __init__(self, rig: Rig) -> None:
        self.reached, self._open = anyio.Event(), anyio.Event()
        rig.client.action("settle", {}, self._wait)

    async def _wait(self, *_: Any) -> None:
        self.reached.set()
        await self._open.wait()

    def open(self) -> None:
        self._open.set()


def test_the_names_of_events_are_those_of_the_issue() -> None:
    assert set(Events) == {"connecting", "connect", "disconnect", "bad_server_message", "bad_client_message", "error"}
    assert set(FeedEvents) == {"opening", "open", "close", "action"}


async def test_handlers_run_one_at_a_time_and_in_order() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 0})
        order: list[str] = []

        async def slow(name: str, *_: Any) -> None:
            order.append(f"begin {name}")
            await anyio.lowlevel.checkpoint()
            order.append(f"end {name}")

        feed.on("action", slow)
        await rig.say(notified(name="a"), notified(name="b"))
        assert order == ["begin a", "end a", "begin b", "end b"]


async def test_a_slow_handler_delays_neither_state_nor_answers() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 0})
        gate = Gate(rig)
        await gate.reached.wait()
        rig.script.say(notified(setting("n", 1)))
        action = rig.client.action("x", {})
        rig.script.say(answered("2"))
        await action
        assert feed.data == {"n": 1}
        assert rig.told.lines == []
        gate.open()


async def test_beyond_the_bound_the_oldest_events_of_messages_are_dropped_with_one_error() -> None:
    async with connected(max_pending=3) as rig:
        feed = await rig.open_feed({"n": 0})
        gate = Gate(rig)
        await gate.reached.wait()
        for n in range(1, 11):
            rig.script.say(notified(setting("n", n), name=str(n)))
        await rig.script.until(lambda: feed.data == {"n": 10})
        feed.desire_closed()
        gate.open()
        await rig.told.wait("board close")
        await rig.settle()
        assert [line for line in rig.told.lines if "action" in line] == [f"board action {n}" for n in (8, 9, 10)]
        assert rig.told.lines.count("error") == 1
        assert isinstance(rig.told.of("error")[0][0], SlowConsumer)
        assert "board close" in rig.told.lines  # never dropped


async def test_the_bound_counts_bytes_too() -> None:
    async with connected(max_pending_bytes=5_000) as rig:
        gate = Gate(rig)
        await gate.reached.wait()
        rig.told.clear()
        rig.script.say(*[VIOLATION] * 20)
        barrier = rig.client.action("x", {})
        await rig.script.next()
        rig.script.say(answered("2"))
        await barrier
        gate.open()
        await rig.settle()
        assert rig.told.lines.count("bad_client_message") == 4
        assert rig.told.lines.count("error") == 1


async def test_without_a_handler_for_errors_a_slow_one_is_logged(caplog: Any) -> None:
    async with connected(max_pending=1) as rig:
        rig.client._emitter.remove_all_listeners("error")  # pyright: ignore[reportPrivateUsage]
        gate = Gate(rig)
        await gate.reached.wait()
        rig.script.say(*[VIOLATION] * 3)
        barrier = rig.client.action("x", {})
        rig.script.say(answered("2"))
        await barrier
        gate.open()
    assert "too slow" in caplog.text
    assert "2 events were dropped" in caplog.text


@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_attached_by_the_handler_of_open_gets_all_actions_after_it(waits: bool) -> None:
    async with connected() as rig:
        feed, arrived = rig.client.feed("Board"), anyio.Event()
        got: list[str] = []

        async def attach(_: Any) -> None:
            if waits:
                await arrived.wait()
            feed.on("action", lambda name, *_: got.append(name))

        feed.on("open", attach)
        feed.desire_open()
        await rig.script.next()
        rig.script.say(opened({"n": 0}), notified(setting("n", 1), name="a"), notified(setting("n", 2), name="b"))
        await feed.wait_open()
        await rig.script.until(lambda: feed.data == {"n": 2})
        arrived.set()
        await rig.settle()
        assert got == ["a", "b"]


async def test_a_handler_can_be_detached_and_on_is_a_decorator() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        got: list[str] = []

        @feed.on("action")
        def decorated(name: str, *_: Any) -> None:
            got.append(f"decorated {name}")

        detach = feed.on("action", lambda name, *_: got.append(f"plain {name}"))
        await rig.say(notified(name="a"))
        detach()
        detach()
        await rig.say(notified(name="b"))
        assert got == ["decorated a", "plain a", "decorated b"]


@pytest.mark.parametrize("kind", ["bad_server_message", "bad_client_message"])
async def test_handlers_of_bad_messages_may_be_async(kind: str) -> None:
    async with connected() as rig:
        got: list[Any] = []

        async def handler(argument: Any) -> None:
            await anyio.lowlevel.checkpoint()
            got.append(argument)

        rig.client.on(kind, handler)
        await rig.say(b"garbage" if kind == "bad_server_message" else VIOLATION)
        assert len(got) == 1
