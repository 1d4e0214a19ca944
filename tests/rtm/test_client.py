"""The life of a client: started, closed and started again, in whatever state it is."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.connection import LossKind, State
from rcex_ws.errors import ConfigurationError, NotConnected, WrongEventLoop
from rcex_ws.rtm import AuthenticationRefused, RtmClient, RtmStats
from rcex_ws.trace import Phase, Step, TraceEvent
from rcex_ws.websocket.listen import bind, serve
from tests.rtm.scripted import PATIENCE, Rig, Scripted, rig, session


async def test_it_authenticates_then_opens_then_calls_and_hears_events() -> None:
    async with rig(authentication={"token": "x"}) as it:
        it.subscribe("alert")
        await it.client.start()
        assert (it.client.state, it.client.authenticated, it.client.connected) == (State.READY, True, True)
        assert await it.server.next() == {"id": "1", "type": "auth", "data": [{"token": "x"}]}
        it.server.event("alert", "Hello from server!", 2)
        assert await it.told.wait("alert") == ["Hello from server!", 2]
        assert await it.client.call_wait("add", 1, [2]) == [1, [2]]
        await it.client.aclose()
        assert it.told.names == ["authenticating", "open", "alert", "close"]
        assert (it.client.state, it.client.authenticated, it.client.connected) == (State.CLOSED, False, False)


async def test_without_authentication_it_is_open_once_its_ping_is_answered() -> None:
    async with rig(headers={"X-App": "a"}) as it:
        await it.client.start()
        await it.settle()
        assert (it.told.names, it.client.authenticated) == (["open"], False)
        assert it.server.upgrades == ["new"]
        assert it.server.headers[0]["x-app"] == "a"


async def test_after_a_loss_it_resumes_its_session() -> None:
    def prepare(server: Scripted) -> None:
        server.greets = lambda number: [session(resumed=number > 1)]

    async with rig(prepare) as it:
        it.subscribe("x")
        await it.client.start()
        it.server.event("x", 1)
        it.server.event("x", 2, position="p7")
        it.server.event("unheard")
        await it.settle()
        await it.lose()
        it.server.event("x", 3)
        await it.told.wait("x", 3)
        assert it.server.upgrades == ["new", "s1;3;p7"]
        assert it.told.of("x") == [[1], [2], [3]]
        assert it.told.names == ["open", "x", "x", "close", "reconnecting", "open", "x"]
        assert it.told.losses[0].kind is LossKind.DROPPED
        assert it.told.of("reconnecting") == [1]
        assert it.client.stats == RtmStats(connections=2, events=4)


@pytest.mark.parametrize("reply", [None, False, "", 0, {"error": "who are you?"}, {"error": {}}], ids=str)
async def test_a_refused_authentication_is_final(reply: Any) -> None:
    async with rig(lambda server: setattr(server, "accepts", reply), authentication="a") as it:
        with pytest.raises(AuthenticationRefused):
            await it.client.start()
        assert it.client.state is State.FAILED
        assert it.told.names == ["authenticating", "close", "error"]
        assert len(it.server.upgrades) == 1
        with pytest.raises(AuthenticationRefused):
            await it.client.call_wait("f")
        it.server.accepts = True
        await it.client.start()
        assert it.client.state is State.READY, "the application may have another authentication now"


async def test_a_refusal_after_a_start_that_does_not_wait_is_told_by_events_and_by_waiting() -> None:
    async with rig(lambda server: setattr(server, "accepts", None), authentication="a") as it:
        await it.client.start(wait=False)
        with pytest.raises(AuthenticationRefused):
            await it.client.wait_ready()
        with pytest.raises(AuthenticationRefused):
            await it.client.wait_closed()
        assert it.client.state is State.FAILED
        with pytest.raises(AuthenticationRefused):
            it.client.call("f")
        with pytest.raises(AuthenticationRefused):
            await it.client.subscribe_push("x", [], print)
        await it.client.aclose()
        assert it.client.state is State.CLOSED


async def test_before_the_start_nothing_can_be_sent() -> None:
    async with rig() as it:
        assert (it.client.state, it.client.stats, it.client.connected) == (State.IDLE, RtmStats(), False)
        for attempt in (
            it.client.call_wait("f"),
            it.client.publish("ann", "x"),
            it.client.subscribe_push("x", [], print),
            it.client.wait_ready(),
            it.client.wait_closed(),
        ):
            with pytest.raises(NotConnected, match=r"not started; call start\(\) first"):
                await attempt
        with pytest.raises(NotConnected):
            it.client.call("f")
        await it.client.aclose()
        assert it.client.state is State.IDLE


async def test_start_twice_is_start_once() -> None:
    async with rig() as it:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(it.client.start)
        await it.client.start()
        await it.settle()
        assert (it.told.names, len(it.server.upgrades)) == (["open"], 1)


async def test_it_can_be_started_again_and_ids_go_on() -> None:
    async with rig(authentication="a") as it:
        it.subscribe("x")
        for _ in range(2):
            await it.client.start()
            it.server.event("x")
            await it.settle()
            await it.client.aclose()
            await it.client.aclose()
        assert it.told.names == ["authenticating", "open", "x", "close"] * 2
        assert [frame["id"] for frame in it.server.received] == ["1", "2", "3", "4"]
        assert it.server.upgrades == ["new", "new"]


async def test_it_is_an_async_context() -> None:
    async with rig() as it:
        async with it.client as client:
            assert client is it.client
            assert await client.call_wait("f", 1) == [1]
        assert it.client.state is State.CLOSED


async def test_a_cancelled_start_leaves_nothing_running() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        async with anyio.create_task_group() as group:
            group.start_soon(it.client.start)
            await it.server.next()
            group.cancel_scope.cancel()
        assert it.client.state is State.CLOSED
        it.server.accepts = True
        await it.client.start()


async def test_all_that_wait_for_the_start_are_told_why_it_failed() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        async with anyio.create_task_group() as group:

            async def start() -> None:
                with pytest.raises(AuthenticationRefused):
                    await it.client.start()

            group.start_soon(start)
            group.start_soon(start)
            frame = await it.server.next()
            it.server.say({"id": frame["id"], "data": None})
        assert it.client.state is State.FAILED


async def test_closing_at_once_ends_the_start() -> None:
    async with rig() as it:
        async with anyio.create_task_group() as group:

            async def start() -> None:
                with pytest.raises(NotConnected):
                    await it.client.start()

            async def close() -> None:
                while it.client._runtime is None:
                    await anyio.lowlevel.checkpoint()
                await it.client.aclose()

            group.start_soon(start)
            group.start_soon(close)
        await it.client.wait_closed()
        assert (it.client.state, it.server.upgrades) == (State.CLOSED, [])


async def test_closing_while_it_connects_ends_the_start() -> None:
    async with rig(lambda server: setattr(server, "accepts", ...), authentication="a") as it:
        async with anyio.create_task_group() as group:

            async def start() -> None:
                with pytest.raises(NotConnected):
                    await it.client.start()

            group.start_soon(start)
            await it.server.next()
            await it.client.aclose()
        assert it.client.state is State.CLOSED
        assert it.told.names == ["authenticating", "close"]


async def test_closing_while_it_waits_for_the_next_attempt() -> None:
    async with rig(reconnect_delays=lambda _: 3600.0) as it:
        await it.client.start()
        it.server.peer.abort()
        await it.told.wait("close")
        assert it.client.state is State.WAITING
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(it.client.wait_closed)
                await anyio.wait_all_tasks_blocked()
                await it.client.aclose()
        assert it.told.names == ["open", "close"]


@pytest.mark.parametrize("event", ["open", "close", "x"])
async def test_closing_from_inside_a_handler_lets_it_finish(event: str) -> None:
    async with rig() as it:
        finished = anyio.Event()

        async def close(*_: object) -> None:
            await it.client.aclose()
            await anyio.lowlevel.checkpoint()
            finished.set()

        if event == "x":
            it.client.subscribe("x", close)
        else:
            it.client.on(event, close)
        await it.client.start(wait=False)
        await it.told.wait("open")
        if event == "x":
            it.server.event("x")
        if event == "close":
            it.server.peer.close()
        with anyio.fail_after(PATIENCE):
            await finished.wait()
            await it.client.wait_closed()
        assert it.client.state is State.CLOSED
        assert it.told.names[-1] == "close"
        assert len(it.server.upgrades) == 1


async def test_a_handler_may_start_it_again() -> None:
    async with rig() as it:
        again = True

        async def restart(*_: object) -> None:
            nonlocal again
            if again:
                again = False
                await it.client.aclose()
                await it.client.start()
                it.told.add("restarted")

        it.client.subscribe("x", restart)
        await it.client.start()
        it.server.event("x")
        await it.told.wait("restarted")
        await it.settle()
        assert (it.client.state, len(it.server.upgrades)) == (State.READY, 2)


async def test_what_was_received_is_delivered_before_the_closing_ends() -> None:
    async with rig() as it:
        it.subscribe("x")
        await it.client.start()
        for number in range(100):
            it.server.event("x", number)
        await it.client.call_wait("f")
        await it.client.aclose()
        assert it.told.of("x") == [[number] for number in range(100)]
        assert it.told.names[-1] == "close"


async def test_a_handler_that_hangs_does_not_keep_it_open(ms: float, caplog: pytest.LogCaptureFixture) -> None:
    async with rig(close_timeout=100 * ms) as it:

        async def hang(_: list[Any]) -> None:
            it.told.add("hanging")
            await anyio.sleep_forever()

        it.client.subscribe("x", hang)
        await it.client.start()
        it.server.event("x")
        it.server.event("x")
        await it.told.wait("hanging")
        await it.client.call_wait("f")
        with anyio.fail_after(PATIENCE):
            await it.client.aclose()
        assert "closed before all handlers had run: 2 events were dropped" in caplog.text


async def test_the_steps_are_traced() -> None:
    events: list[TraceEvent] = []
    async with rig(trace=events.append, authentication="a") as it:
        await it.client.start()
    done = [event.step for event in events if event.phase is Phase.DONE]
    assert [step for step in done if step is not Step.TOKEN][:4] == [
        Step.TCP,
        Step.UPGRADE,
        Step.HANDSHAKE,
        Step.ATTEMPT,
    ]
    assert {event.source for event in events} == {"rcex_ws.rtm"}


async def test_wrong_arguments_are_refused_by_name() -> None:
    async with rig() as it:
        await it.client.start()
        wrong: list[tuple[Any, str]] = [
            (lambda: it.client.start(wait=1), "wait: "),  # type: ignore[arg-type]
            (lambda: it.client.call(""), "function: "),
            (lambda: it.client.call("rtm:publish"), "function: .*belong to the protocol"),
            (lambda: it.client.call_wait(5), "function: "),  # type: ignore[arg-type]
            (lambda: it.client.call_wait("f", timeout=0), "timeout: "),
            (lambda: it.client.publish("", "x"), "user_id: "),
            (lambda: it.client.publish("ann", "rtm:x"), "event: .*belong to the protocol"),
            (lambda: it.client.subscribe("x", print, spread=1), "spread: "),  # type: ignore[call-overload]
        ]
        for call, message in wrong:
            with pytest.raises(ConfigurationError, match=message):
                call()
        await it.settle()
        assert len(it.server.received) == 1


def test_it_belongs_to_one_loop() -> None:
    client = RtmClient("ws://127.0.0.1:9/")

    async def start() -> None:
        await client.start(wait=False)
        await client.aclose()

    asyncio.run(start())
    with pytest.raises(WrongEventLoop):
        asyncio.run(start())
    with pytest.raises(WrongEventLoop):
        client.call("f")


def test_it_works_where_nothing_of_anyio_runs_the_loop() -> None:
    async def main() -> list[str]:
        with bind() as listener:
            server = Scripted("ws://{}:{}/rtm".format(*listener.getsockname()))
            serving = asyncio.create_task(serve(listener, server.serve))
            it = Rig(server, authentication="a")
            it.subscribe("x")
            await it.client.start()
            it.server.event("x", 1)
            await it.settle()
            await it.lose()
            await it.settle()
            await asyncio.create_task(it.client.aclose())
            serving.cancel()
            return it.told.names

    assert asyncio.run(main()) == [
        *("authenticating", "open", "x", "close"),
        *("reconnecting", "authenticating", "gap", "open", "close"),
    ]
