"""Calls of functions: their frames, the queue, and how each one settles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import anyio
import pytest

from rcex_ws.errors import BadFrame, ConfigurationError, NotConnected, RequestLost, RequestTimeout
from rcex_ws.rtm import QueueFull, RemoteError
from rcex_ws.secret import Secret
from tests.rtm.scripted import PATIENCE, Rig, Scripted, rig


def mute(server: Scripted) -> None:
    server.replies = False


async def outcome(it: Rig, function: str, *args: Any, **options: Any) -> Any:
    """Return what a call gives, or the error that it raises."""
    try:
        return await it.client.call_wait(function, *args, **options)
    except Exception as exc:  # noqa: BLE001 - the outcome
        return exc


async def test_a_call_has_the_frame_of_the_original_client() -> None:
    async with rig() as it:
        await it.client.start()
        assert await it.client.call_wait("f") == []
        assert await it.client.call_wait("g", None, {"a": [1.5, True]}, Secret("s")) == [None, {"a": [1.5, True]}, "s"]
        it.client.call("h", "x")
        assert [await it.server.next() for _ in range(3)] == [
            {"id": "1", "type": "invoke", "function": "f", "data": []},
            {"id": "2", "type": "invoke", "function": "g", "data": [None, {"a": [1.5, True]}, "s"]},
            {"id": "3", "type": "invoke", "function": "h", "data": ["x"]},
        ]


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({}, None),
        ({"data": None}, None),
        ({"data": False}, False),
        ({"data": {"error": None}}, {"error": None}),
        ({"data": {"error": ""}}, {"error": ""}),
        ({"data": {"error": 0, "x": 1}}, {"error": 0, "x": 1}),
        ({"data": [{"error": "no"}]}, [{"error": "no"}]),
        ({"data": "x", "event": ""}, "x"),
        ({"data": "x", "event": None}, "x"),
    ],
)
async def test_what_is_no_error_for_the_original_client_is_a_result(reply: dict[str, Any], result: Any) -> None:
    async with rig(mute) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:

            async def answer() -> None:
                it.server.say({"id": (await it.server.next())["id"], **reply})

            group.start_soon(answer)
            assert await it.client.call_wait("f") == result


@pytest.mark.parametrize("error", ["no", 5, True, {"code": 1}, {}, []])
async def test_an_error_reply_is_raised_with_what_the_server_says(error: Any) -> None:
    async with rig(mute) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:

            async def refuse() -> None:
                it.server.say({"id": (await it.server.next())["id"], "data": {"error": error}})

            group.start_soon(refuse)
            with pytest.raises(RemoteError) as caught:
                await it.client.call_wait("f")
        assert caught.value.error == error
        assert copy.copy(caught.value).error == pickle.loads(pickle.dumps(caught.value)).error == error


@pytest.mark.parametrize("error", [None, False, 0, ""])
def test_a_function_cannot_refuse_with_what_passes_for_a_success(error: Any) -> None:
    with pytest.raises(ConfigurationError, match="error: expected something that is true"):
        RemoteError(error)


async def test_replies_that_nothing_waits_for_are_ignored() -> None:
    async with rig() as it:
        await it.client.start()
        assert await it.client.call_wait("f") == []
        it.server.say({"id": "1", "data": "again"}, {"id": "77", "data": {"error": "x"}}, {"data": 1}, {"id": 1.5})
        await it.settle()
        assert it.told.names == ["open"]
        assert it.client.stats.calls == 0


async def test_an_id_may_come_back_as_a_number() -> None:
    async with rig(mute) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:

            async def answer() -> None:
                it.server.say({"id": int((await it.server.next())["id"]), "data": "x"})

            group.start_soon(answer)
            assert await it.client.call_wait("f") == "x"


async def test_a_call_without_a_waiter_reports_its_error_with_its_name() -> None:
    async with rig(mute) as it:
        await it.client.start()
        it.client.call("log", "x")
        it.server.say({"id": (await it.server.next())["id"], "data": {"error": "full"}})
        error = await it.told.wait("error")
        assert (error.error, error.__notes__) == ("full", ["in the call of 'log'"])


async def test_a_call_that_is_not_answered_times_out(ms: float) -> None:
    async with rig(mute, call_timeout=30 * ms) as it:
        await it.client.start()
        with pytest.raises(RequestTimeout):
            await it.client.call_wait("f")
        it.client.call("g")
        assert isinstance(await it.told.wait("error"), RequestTimeout)
        with pytest.raises(RequestTimeout):
            await it.client.call_wait("f", timeout=10 * ms)
        assert it.told.names == ["open", "error"]
        late = it.server.received[0]["id"]
        it.server.replies = True
        it.server.say({"id": late, "data": 1})
        await it.settle()


async def test_calls_wait_for_a_connection_and_go_out_in_order() -> None:
    async with rig() as it:
        await it.client.start(wait=False)
        it.client.call("a")
        it.client.call("b", 1)
        assert await it.client.call_wait("c") == []
        assert [frame["function"] for frame in it.server.received] == ["a", "b", "c"]
        assert it.told.names == ["open"]


async def test_the_queue_is_bounded() -> None:
    async with rig(max_queue=2) as it:
        await it.client.start(wait=False)
        it.client.call("a")
        it.client.call("b")
        with pytest.raises(QueueFull):
            it.client.call("c")
        with pytest.raises(QueueFull):
            await it.client.call_wait("c")
        await it.client.wait_ready()
        for _ in range(5):
            it.client.call("d")
        assert await it.client.call_wait("e") == []
        assert [frame["function"] for frame in it.server.received] == ["a", "b", *"ddddd", "e"]


async def test_a_call_whose_connection_is_lost_fails_and_one_that_was_not_sent_goes_out_over_the_next() -> None:
    async with rig(mute) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:
            got: list[Any] = []

            async def call() -> None:
                got.append(await outcome(it, "f"))

            group.start_soon(call)
            it.client.call("g")
            await it.server.until(lambda: len(it.server.received) == 2)
            it.server.refusal = 503
            it.server.peer.abort()
            await it.told.wait("close")
            it.client.call("h")
        (lost,) = got
        assert isinstance(lost, RequestLost)
        assert lost.sent
        reported = await it.told.wait("error")
        assert isinstance(reported, RequestLost)
        it.server.refusal, it.server.replies = None, True
        await it.told.wait("open", 2)
        await it.settle()
        assert [frame["function"] for frame in it.server.received[2:]] == ["h", "settle"]
        assert [frame["id"] for frame in it.server.received] == ["1", "2", "3", "4"]


async def test_what_was_not_written_when_the_connection_was_lost_goes_out_over_the_next() -> None:
    async with rig() as it:
        await it.client.start()
        for name in "abc":
            it.client.call(name)
        link = it.client._runtime.supervisor.link  # type: ignore[union-attr]
        assert link is not None
        link.abort()
        await it.told.wait("open", 2)
        await it.settle()
        lost = len(it.told.of("error"))
        assert lost <= 1, "the first one may have been written"
        functions = [frame["function"] for frame in it.server.received]
        assert functions[-1] == "settle"
        assert [one for one in functions if one in "bc"] == ["b", "c"]


async def test_closing_settles_all_calls() -> None:
    async with rig(mute) as it:
        await it.client.start()
        got: list[Any] = []

        async def call(function: str) -> None:
            got.append(await outcome(it, function))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(call, "sent")
                await it.server.next()
                it.server.refusal = 503
                it.server.peer.abort()
                await it.told.wait("error")
                assert isinstance(got.pop(), RequestLost)
                group.start_soon(call, "queued")
                await anyio.wait_all_tasks_blocked()
                it.client.call("queued")
                await it.client.aclose()
        (error,) = got
        assert isinstance(error, NotConnected)
        assert isinstance(it.told.of("error")[-1], NotConnected)


async def test_closing_fails_what_was_sent() -> None:
    async with rig(mute) as it:
        await it.client.start()
        it.client.call("f")
        await it.server.next()
        await it.client.aclose()
        (error,) = it.told.of("error")
        assert isinstance(error, RequestLost)
        assert error.sent
        assert it.told.names == ["open", "close", "error"]


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    async with rig() as it:
        await it.client.start(wait=False)
        with anyio.move_on_after(0):
            await it.client.call_wait("f")
        assert it.client.stats.calls == 0
        await it.client.wait_ready()
        await it.settle()
        assert [frame["function"] for frame in it.server.received] == ["settle"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("ok", object()), r"args\[1\] of 'f': JSON cannot express it"),
        (("\ud800",), r"args\[0\] of 'f'"),
        ((1, 2, {(1, 2): object()}), r"args\[2\] of 'f'"),
    ],
)
async def test_an_argument_that_is_not_json_is_refused_at_the_call(args: Any, message: str) -> None:
    async with rig() as it:
        await it.client.start()
        with pytest.raises(ConfigurationError, match=message):
            it.client.call("f", *args)
        with pytest.raises(ConfigurationError, match=message):
            await it.client.call_wait("f", *args)
        await it.settle()
        assert len(it.server.received) == 1


async def test_a_name_that_is_not_json_is_refused_too() -> None:
    async with rig() as it:
        await it.client.start()
        with pytest.raises(ConfigurationError, match="function: JSON cannot express it"):
            it.client.call("\ud800")


async def test_publish_calls_the_function_of_the_protocol() -> None:
    async with rig(mute) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:

            async def answer(data: Any) -> None:
                frame = await it.server.next()
                assert (frame["function"], frame["data"]) == ("rtm:publish", ["ann", "alert", 1, [2]])
                it.server.say({"id": frame["id"], "data": data})

            group.start_soon(answer, 3)
            assert await it.client.publish("ann", "alert", 1, [2]) == 3
            for wrong in ("3", True, None):
                group.start_soon(answer, wrong)
                with pytest.raises(BadFrame):
                    await it.client.publish("ann", "alert", 1, [2])
            group.start_soon(answer, {"error": "unknown function"})
            with pytest.raises(RemoteError):
                await it.client.publish("ann", "alert", 1, [2])
