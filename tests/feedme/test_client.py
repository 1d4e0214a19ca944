"""The life of a client: with and without its context manager, on both loops, to its end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio

from rcex_ws.errors import WrongEventLoop
from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import Destroyed, Disconnected, FeedmeError, HandshakeRejected, TimedOut, TransportFailure
from tests.feedme.scripted import Rig, Script, ScriptedTransport, connected, disconnected
from tests.feedme.wire import REJECTION, answered, failed, opened, refused, violation

VIOLATION = violation("Invalid JSON.", "x")


async def test_as_a_context_manager_it_is_connected_within_the_block_and_destroyed_after_it() -> None:
    script = Script()
    async with FeedmeClient(transport=script) as client:
        assert client.state == "connected"
    assert client.destroyed
    assert script.current.state == "disconnected"


async def test_a_block_does_not_wait_for_a_connection_for_ever() -> None:
    script = Script()
    script.refuse = OSError("nobody is there")
    client = FeedmeClient(transport=script, connect_retry=0, open_timeout=0.05)
    with pytest.raises(TimedOut, match=r"no connection within 0\.05 s \(last: TRANSPORT_FAILURE: .*nobody is there"):
        async with client:
            pytest.fail("there is no connection")
    assert client.destroyed


async def test_a_client_that_is_connected_already_enters_its_block() -> None:
    async with connected() as rig, rig.client as client:
        assert client.state == "connected"
    assert rig.told.lines == ["connecting", "connect", "disconnect"]


async def test_a_block_that_cannot_begin_raises_why_and_leaves_nothing_running() -> None:
    script = Script()
    script.handshake = REJECTION
    with pytest.raises(HandshakeRejected):
        async with FeedmeClient(transport=script):
            pytest.fail("it is not connected")
    script.refuse = OSError("down")
    with pytest.raises(TransportFailure):
        async with FeedmeClient(transport=script, connect_retry=-1):
            pytest.fail("it is not connected")


async def test_a_block_begins_through_retries() -> None:
    script = Script()
    script.refuse = OSError("down")
    client = FeedmeClient(transport=script, connect_retry=0.001, connect_retry_backoff=0)

    def mend(_: Exception) -> None:
        script.refuse = None

    client.on("disconnect", mend)
    async with client:
        assert client.state == "connected"


async def test_to_cancel_the_begin_of_a_block_destroys_the_client() -> None:
    script = Script()
    script.hang = True
    client = FeedmeClient(transport=script)
    with anyio.move_on_after(0.01):
        async with client:
            pytest.fail("it is not connected")
    assert client.destroyed
    assert script.current.state == "disconnected"


async def test_an_exception_leaves_the_block_and_destroys_the_client() -> None:
    with pytest.raises(ZeroDivisionError):
        async with FeedmeClient(transport=Script()) as client:
            raise ZeroDivisionError
    assert client.destroyed


async def test_aclose_may_be_called_at_any_time_and_any_number_of_times() -> None:
    for calls in range(3):
        async with disconnected() as rig:
            if calls:
                rig.client.connect()
            if calls == 2:
                await rig.told.wait("connect")
            await rig.client.aclose()
            await rig.client.aclose()
            assert rig.client.destroyed


async def test_several_tasks_may_call_aclose_and_one_of_them_may_be_cancelled() -> None:
    async with connected() as rig, anyio.create_task_group() as group:
        await rig.open_feed()
        for _ in range(3):
            group.start_soon(rig.client.aclose)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await rig.client.aclose()
        assert rig.client.destroyed


async def test_a_handler_may_call_aclose() -> None:
    closed: list[str] = []

    async def close() -> None:
        await client.aclose()
        closed.append("returned")

    script = Script()
    client = FeedmeClient(transport=script)
    client.on("connect", close)
    client.connect()
    with anyio.fail_after(5):
        while not closed:
            await anyio.lowlevel.checkpoint()
    assert client.destroyed


async def test_a_handler_that_never_returns_delays_aclose_by_the_close_timeout_at_most() -> None:
    async with disconnected(close_timeout=0.05) as rig:
        started = anyio.Event()

        async def hang() -> None:
            started.set()
            await anyio.sleep_forever()

        rig.client.on("connect", hang)
        rig.client.connect()
        await started.wait()
        with anyio.fail_after(5):
            await rig.client.aclose()


async def test_events_that_are_not_delivered_in_time_are_dropped_with_a_warning(caplog: Any) -> None:
    async with disconnected(close_timeout=0.05) as rig:
        started = anyio.Event()

        async def hang() -> None:
            started.set()
            await anyio.sleep_forever()

        rig.client.on("connecting", hang)
        rig.client.connect()
        await started.wait()
        await rig.client.aclose()
    assert "1 events were dropped" in caplog.text


async def test_nothing_runs_after_aclose(anyio_backend_name: str) -> None:
    async with connected() as rig:
        await rig.open_feed()
        rig.client.action("x", {})
        await rig.client.aclose()
        if anyio_backend_name == "asyncio":
            left = [task.get_name() for task in asyncio.all_tasks() if "feedme" in task.get_name()]
        else:
            root = trio.lowlevel.current_root_task()
            assert root is not None
            left = [
                task.name for nursery in root.child_nurseries for task in nursery.child_tasks if "rcex" in task.name
            ]
        assert left == []


async def test_a_client_that_was_never_used_needs_no_end() -> None:
    FeedmeClient(transport=Script())
    gc.collect()


async def test_to_cancel_who_waits_harms_nobody_else() -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        action = rig.client.action("x", {})
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(action._wait)
                group.start_soon(feed.wait_open)
                await rig.script.kinds(2)
                scope.cancel()
        assert rig.client.pending == (action,)
        rig.script.say(answered("1", {"a": 1}))
        assert await action == {"a": 1}
        rig.script.say(opened({"b": 2}))
        assert await feed.wait_open() == {"b": 2}


async def test_a_violation_is_an_event_and_changes_nothing() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        assert await rig.say(VIOLATION) == ["bad_client_message"]
        assert rig.told.items[0][1] == (VIOLATION["Diagnostics"],)
        assert (rig.client.state, feed.state) == ("connected", "open")


async def test_bad_messages_without_a_handler_are_logged(caplog: Any) -> None:
    script = Script()
    async with FeedmeClient(transport=script) as client:
        settled = anyio.Event()
        script.say(b"garbage", VIOLATION)
        client.action("settle", {}, lambda *_: settled.set())
        await settled.wait()
    assert "bad_server_message" in caplog.text
    assert "bad_client_message" in caplog.text


async def test_what_a_handler_raises_is_an_event_and_the_next_one_follows(caplog: Any) -> None:
    def explode(*_: Any) -> None:
        raise ZeroDivisionError

    def prepare(rig: Rig) -> None:
        rig.client.on("connecting", explode)

    async with connected(prepare) as rig:
        await rig.settle()
        assert isinstance(rig.told.of("error")[0][0], ZeroDivisionError)
        feed = await rig.open_feed()
        feed.on("close", explode)
        feed.desire_closed()
        await rig.settle()
        assert rig.told.lines == ["board close", "error"]
    assert "ZeroDivisionError" in caplog.text


async def test_what_a_handler_raises_is_logged_if_nobody_handles_errors(caplog: Any) -> None:
    def explode(*_: Any) -> None:
        raise ZeroDivisionError

    client = FeedmeClient(transport=Script())
    client.on("connect", explode)
    async with client:
        feed = client.feed("x")
        feed.on("close", explode)
        feed.desire_open()
        feed.desire_closed()
        client.action("settle", {}, explode)
    assert caplog.text.count("ZeroDivisionError") >= 3


async def test_a_client_belongs_to_one_event_loop() -> None:
    async with connected() as rig:
        failures: list[BaseException] = []

        def elsewhere() -> None:
            for use in (rig.client.connect, rig.client.disconnect, lambda: rig.client.action("x", {})):
                try:
                    use()
                except WrongEventLoop as exc:
                    failures.append(exc)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        assert len(failures) == 3


async def one_session(use_context_manager: bool) -> None:
    script = Script()
    client = FeedmeClient(transport=script)
    if use_context_manager:
        async with client:
            pass
    else:
        client.connect()
        await client.wait_connected()
        client.action("x", {})
        client.feed("y").desire_open()


@pytest.mark.parametrize("use_context_manager", [True, False])
def test_plain_asyncio_run_and_trio_run_also_end_without_aclose(use_context_manager: bool) -> None:
    asyncio.run(one_session(use_context_manager))
    trio.run(one_session, use_context_manager)


def test_a_client_may_be_made_where_no_loop_runs_yet_and_its_feeds_may_not() -> None:
    async def use(client: FeedmeClient) -> None:
        async with client:
            assert client.feed("x").state == "closed"

    for run in (asyncio.run, None):
        client = FeedmeClient(transport=lambda: ScriptedTransport(Script()))
        client.on("connect", lambda: None)
        with pytest.raises(WrongEventLoop):
            client.feed("x")
        if run is None:
            trio.run(use, client)
        else:
            run(use(client))


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_program_ends_quietly_without_aclose(loop: str) -> None:
    program = f"""
    import {loop}
    from rcex_ws.feedme.client import FeedmeClient
    from tests.feedme.scripted import Script

    async def main():
        client = FeedmeClient(transport=Script())
        client.connect()
        await client.wait_connected()
        client.feed("x").desire_open()
        print("done")

    {loop}.run({"main()" if loop == "asyncio" else "main"})
    """
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")


async def test_the_errors_of_an_ended_client_are_those_of_its_end() -> None:
    async with connected() as rig:
        rig.client.disconnect()
        with pytest.raises(Disconnected):
            await rig.client.wait_connected()
        await rig.client.aclose()
        with pytest.raises(Destroyed):
            await rig.client.wait_connected()


async def test_an_error_that_is_raised_again_and_again_does_not_grow() -> None:
    async with connected(reconnect=False) as rig:
        action, feed = rig.client.action("x", {}), rig.feed()
        feed.desire_open()
        rig.script.say(
            failed("1"),
            refused(),
        )
        await rig.told.wait("board close REJECTED")

        async def follow() -> None:
            async for _ in feed:
                pass

        async def act() -> None:
            await action

        steps: list[Callable[[], Awaitable[object]]] = [act, feed.wait_open, follow]
        for step in steps:
            assert await depth(step) == await depth(step)
        rig.script.lose()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        assert await depth(rig.client.wait_connected) == await depth(rig.client.wait_connected)


async def depth(step: Callable[[], Awaitable[object]]) -> int:
    """Return the length of the traceback of the error that a step raises."""
    try:
        await step()
    except FeedmeError as exc:
        return len([*traceback.walk_tb(exc.__traceback__)])
    raise AssertionError("it raised nothing")
