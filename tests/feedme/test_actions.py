"""Actions: how each one is sent, and settles exactly once."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import pytest
import trio
from trio.testing import MockClock

from rcex_ws.feedme.errors import Disconnected, Rejected, TimedOut
from tests.feedme.scripted import connected, disconnected
from tests.feedme.wire import Message, answered

UNEXPECTED = "bad_server_message UNEXPECTED_MESSAGE"


def rejected(callback_id: str, code: str = "NO", data: Message | None = None) -> Message:
    members = {"MessageType": "ActionResponse", "Success": False, "CallbackId": callback_id}
    return {**members, "ErrorCode": code, "ErrorData": data or {}}


async def test_an_action_is_sent_with_a_decimal_counter_that_starts_anew_with_each_connection() -> None:
    async with connected() as rig:
        for _ in range(2):
            rig.client.action("move", {"to": [1, 2]})
            rig.client.action("stop", {})
            assert await rig.script.next() == {
                "MessageType": "Action",
                "ActionName": "move",
                "ActionArgs": {"to": [1, 2]},
                "CallbackId": "1",
            }
            assert (await rig.script.next())["CallbackId"] == "2"
            rig.client.disconnect()
            rig.client.connect()
            await rig.client.wait_connected()


async def test_the_action_data_is_returned_and_is_read_only() -> None:
    async with connected() as rig:
        action = rig.client.action("x", {})
        rig.script.say(answered("1", {"a": [1]}))
        data = await action
        assert data == {"a": [1]}
        with pytest.raises(TypeError):
            data["a"].append(2)
        assert await action == data  # any number of times


async def test_a_rejection_is_raised_with_the_servers_error() -> None:
    async with connected() as rig:
        action = rig.client.action("x", {})
        rig.script.say(rejected("1", "FULL", {"max": 3}))
        with pytest.raises(Rejected) as caught:
            await action
        assert (caught.value.server_error_code, caught.value.server_error_data) == ("FULL", {"max": 3})
        assert caught.value.code == "REJECTED"


async def test_answers_may_come_in_any_order() -> None:
    async with connected() as rig:
        actions = [rig.client.action(str(n), {}) for n in range(3)]
        for n in (2, 3, 1):
            rig.script.say(answered(str(n), {"n": n}))
        assert [(await action)["n"] for action in actions] == [1, 2, 3]


async def test_a_callback_gets_an_error_or_data_once_and_in_order_with_events() -> None:
    async with connected() as rig:

        async def slow(error: Any, data: Any) -> None:
            await anyio.lowlevel.checkpoint()
            rig.told.add("slow", error, data)

        rig.client.action("x", {}, slow)
        rig.client.action("y", {}, partial(rig.told.add, "quick"))
        violation = {"MessageType": "ViolationResponse", "Diagnostics": {}}
        await rig.say(answered("1", {"a": 1}), rejected("2"), violation)
        assert rig.told.lines == ["slow", "quick REJECTED", "bad_client_message"]
        assert rig.told.of("slow") == [(None, {"a": 1})]
        assert rig.told.of("quick REJECTED")[0][1] is None


async def test_pending_actions_are_listed_as_they_were_sent() -> None:
    async with connected() as rig:
        before = datetime.now(UTC)
        first, second = rig.client.action("x", {"a": 1}), rig.client.action("y", {})
        assert rig.client.pending == (first, second)
        assert (first.name, first.args) == ("x", {"a": 1})
        assert before <= first.sent_at <= second.sent_at
        assert "pending" in repr(first)
        rig.script.say(answered("1"))
        await first
        assert rig.client.pending == (second,)
        assert "settled" in repr(first)


async def test_without_a_connection_it_is_not_connected_for_awaiter_and_callback_alike() -> None:
    async with disconnected() as rig:
        rig.script.hang = True
        for prepare in (lambda: None, rig.client.connect):
            prepare()
            with pytest.raises(Disconnected):
                await rig.client.action("x", {})
            rig.client.action("x", {}, partial(rig.told.add, "action"))
            await rig.told.wait("action NOT_CONNECTED")
            rig.told.clear()
        assert rig.client.pending == ()


async def test_a_loss_settles_all_that_wait() -> None:
    async with connected() as rig:
        action = rig.client.action("x", {})
        rig.script.lose()
        with pytest.raises(Disconnected):
            await action
        assert rig.client.pending == ()


async def test_nobody_has_to_await_an_action_but_its_failure_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as rig:
        awaited = rig.client.action("a", {})
        rig.client.action("b", {}, lambda *_: None)
        rig.client.action("c", {})
        rig.client.action("d", {})
        await rig.say(rejected("1"), rejected("2"), rejected("3"), answered("4"))
        with pytest.raises(Rejected):
            await awaited
    del awaited
    gc.collect()
    messages = [record.getMessage() for record in caplog.records if record.name == "rcex_ws.feedme"]
    assert messages == [
        "the action 'c' has failed, and nobody has awaited it: REJECTED: the server answered with the error 'NO'"
    ]


@pytest.mark.parametrize("key", ["0", "", "2", "01", "1.0", "toString", "__proto__", "\ud800", "9" * 5000])
async def test_an_answer_that_nobody_waits_for_is_reported(key: str) -> None:
    async with connected() as rig:
        assert await rig.say(answered(key), rejected(key)) == [UNEXPECTED] * 2


async def test_a_second_answer_is_reported() -> None:
    async with connected() as rig:
        action = rig.client.action("x", {})
        rig.script.say(answered("1", {"first": True}), answered("1", {}))
        await rig.told.wait(UNEXPECTED)
        assert await action == {"first": True}


class TestOnTheClock:
    """Time-outs, on the only loop whose clock a test can turn."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_an_action_without_an_answer_times_out(self) -> None:
        async with connected(action_timeout=7) as rig:
            begun = trio.current_time()
            with pytest.raises(TimedOut, match="move"):
                await rig.client.action("move", {})
            assert trio.current_time() == begun + 7
            assert rig.client.pending == ()

    @pytest.mark.parametrize("late", [answered("1"), rejected("1")])
    async def test_a_late_answer_is_swallowed_once(self, late: Message) -> None:
        async with connected(action_timeout=7) as rig:
            rig.client.action("x", {}, partial(rig.told.add, "action"))
            await rig.told.wait("action TIMEOUT")
            assert await rig.say(late) == []
            assert await rig.say(late) == [UNEXPECTED]

    async def test_an_id_stays_reserved_until_then_and_no_longer_than_its_connection(self) -> None:
        async with connected(action_timeout=7) as rig:
            for n in "1234":
                rig.client.action("x", {}, partial(rig.told.add, "action"))
                assert (await rig.script.next())["CallbackId"] == n
            await rig.told.wait("action TIMEOUT", 4)
            rig.client.disconnect()
            rig.client.connect()
            await rig.told.wait("connect", 2)
            assert await rig.say(answered("4")) == [UNEXPECTED]

    async def test_with_an_action_timeout_of_zero_it_waits_for_ever(self) -> None:
        async with connected(action_timeout=0) as rig:
            action = rig.client.action("x", {})
            await trio.sleep(80_000)
            rig.script.say(answered("1", {"a": 1}))
            assert await action == {"a": 1}
