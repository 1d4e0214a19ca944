"""Stopping from everywhere, crashing callbacks, cancellation, and a handler that is too slow."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.callback import NORMAL, Close, CloseFrame, Ok, Once, Reconnect, Reply, Text, WebSocketClient
from rcex_ws.errors import SlowConsumer
from rcex_ws.testing import WebSocketClientStub

# -- stop ----------------------------------------------------------------------------------------------------------


async def test_stop_handles_what_was_put_before_and_closes_politely(
    peer: Any, owned: Any, scripted: Any, until: Any
) -> None:
    peer.deaf = True
    handler = scripted(websocket_info=lambda message, ref, state: Reply(Text(message), state))
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await until(lambda: peer.open)
        (connection,) = peer.open
        for word in "abc":
            owner.client.info(word)
        await owner.client.stop()
        assert await owner.ended() == NORMAL
    await until(lambda: not peer.open)  # it has answered the close, but not taken everything yet
    assert peer.received == ["a", "b", "c"]
    assert connection.protocol.close_rcvd.code == 1000
    assert handler.names[-2:] == ["websocket_info", "websocket_terminate"]
    assert handler.of("websocket_terminate") == [NORMAL]


async def test_stop_twice_and_after_the_end(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(owner.client.stop)
                tasks.start_soon(owner.client.stop)
            await owner.client.stop()
    assert handler.names.count("websocket_terminate") == 1


@pytest.mark.parametrize("callback", ["onconnect", "websocket_handle", "websocket_info", "ondisconnect"])
async def test_stop_from_inside_a_callback(peer: Any, order: Any, owned: Any, scripted: Any, callback: str) -> None:
    handler = scripted(ondisconnect=Reconnect(0))
    original = getattr(handler, callback)

    async def stopping(*args: Any) -> Any:
        await WebSocketClient.current().stop()
        result = original(*args)
        return await result if hasattr(result, "__await__") else result

    setattr(handler, callback, stopping)
    async with owned(peer.url, handler) as owner:
        await handler.saw("init")
        if callback != "onconnect":
            await handler.saw("onconnect")
        if callback == "websocket_info":
            owner.client.info("x")
        elif callback == "websocket_handle":
            await order(peer.send, "x")
        elif callback == "ondisconnect":
            await order(peer.end)
        assert await owner.ended() == NORMAL
    assert handler.names[-1] == "websocket_terminate"
    assert handler.names.count("onconnect") == 1


async def test_stop_from_inside_init_connects_to_nobody(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()

    async def init(state: Any) -> Any:
        await WebSocketClient.current().stop()
        return Ok

    handler.init = init
    async with owned(peer.url, handler) as owner:
        assert await owner.ended() == NORMAL
    assert handler.names == ["websocket_terminate"]


@pytest.mark.parametrize("when", ["connecting", "waiting", "closing", "closed by cast"])
async def test_stop_at_a_bad_moment(peer: Any, order: Any, owned: Any, scripted: Any, until: Any, when: str) -> None:
    handler = scripted(
        websocket_info=Close("own", 1), ondisconnect=Reconnect(1, delay=None if when == "connecting" else 1000)
    )
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        if when == "connecting":
            peer.hang = True
            await order(peer.end)
            await until(lambda: len(peer.upgrades) == 2)
        elif when == "waiting":
            await order(peer.end)
            await handler.saw("ondisconnect")
        elif when == "closing":
            owner.client.info("close")
        else:
            owner.client.cast(CloseFrame(4000))
        with anyio.fail_after(5):
            await owner.client.stop()
        assert await owner.ended() == NORMAL
    assert handler.names.count("ondisconnect") == (when != "closed by cast")


async def test_a_helper_of_a_callback_may_stop(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()

    async def websocket_handle(*args: Any) -> Any:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(WebSocketClient.current().stop)
        return Ok

    handler.websocket_handle = websocket_handle
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.send, "x")
        assert await owner.ended() == NORMAL


# -- crashes -------------------------------------------------------------------------------------------------------

CRASHING = ["onconnect", "ondisconnect", "websocket_handle", "websocket_info"]


async def provoke(peer: Any, order: Any, owner: Any, handler: Any, callback: str) -> None:
    if callback != "onconnect":
        await handler.saw("onconnect")
    if callback == "ondisconnect":
        await order(peer.end)
    elif callback == "websocket_info":
        owner.client.info("x")
    elif callback == "websocket_handle":
        await order(peer.send, "x")


@pytest.mark.parametrize("callback", CRASHING)
async def test_an_exception_reaches_the_owner_as_it_is(
    peer: Any, order: Any, owned: Any, scripted: Any, until: Any, callback: str
) -> None:
    error = LookupError("a bug")
    handler = scripted(**{callback: error})
    async with owned(peer.url, handler, "state") as owner:
        await provoke(peer, order, owner, handler, callback)
        with pytest.raises(LookupError) as caught:
            await owner.ended()
        assert caught.value is error
        await until(lambda: not peer.open)
    assert handler.calls[-1] == ("websocket_terminate", error, None, "state")
    assert handler.names.count("ondisconnect") == (callback == "ondisconnect")


@pytest.mark.parametrize("callback", CRASHING)
@pytest.mark.parametrize("result", [None, Once(1), "ok", object, Reply("no frame", 1), Reconnect(1), Close])
async def test_a_result_that_a_callback_may_not_give(
    peer: Any, order: Any, owned: Any, scripted: Any, callback: str, result: Any
) -> None:
    if callback == "ondisconnect" and isinstance(result, Reconnect):
        return
    handler = scripted(**{callback: lambda *args: result})
    async with owned(peer.url, handler) as owner:
        await provoke(peer, order, owner, handler, callback)
        with pytest.raises(TypeError, match=f"^{callback} returned "):
            await owner.ended()
    assert isinstance(handler.of("websocket_terminate")[0], TypeError)


@pytest.mark.parametrize(
    "result", [None, Reply(Text("x"), 1), Close("x", 1), pytest.param(RuntimeError("no"), id="exception")]
)
async def test_a_bad_init_raises_out_of_start(scripted: Any, result: Any) -> None:
    handler = scripted(init=lambda state: result)
    async with anyio.create_task_group() as tasks:
        with pytest.raises((TypeError, RuntimeError), match=r"^init returned .* may return Ok, Once or Reconnect|^no$"):
            await WebSocketClient.start("ws://localhost:1", handler, 0, task_group=tasks)
    assert handler.names == ["init"]


async def test_a_crash_of_terminate_reaches_the_owner(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted(websocket_terminate=ValueError("at the end"))
    async with owned(peer.url, handler) as owner:
        await owner.client.stop()
        with pytest.raises(ValueError, match="at the end"):
            await owner.ended()


async def test_a_bug_in_next_url_reaches_the_owner(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    async def next_url() -> str:
        raise KeyError("url")

    handler = scripted(ondisconnect=Reconnect(0))
    async with owned(peer.url, handler, next_url=next_url) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        with pytest.raises(KeyError, match="url"):
            await owner.ended()
    assert isinstance(handler.of("websocket_terminate")[0], KeyError)


async def test_casts_of_terminate_are_dropped(peer: Any, owned: Any, scripted: Any, caplog: Any) -> None:
    caplog.set_level(logging.WARNING, "rcex_ws.callback")
    handler = scripted(
        websocket_info=ValueError("x"), websocket_terminate=lambda *_: WebSocketClient.current().cast(Text("bye"))
    )
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        owner.client.info("x")
        with pytest.raises(ValueError, match="x"):
            await owner.ended()
    assert "dropping frame, not connected" in caplog.messages
    assert peer.received == []


# -- cancellation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
async def test_a_cancellation_calls_nothing_and_drops_the_connection(
    peer: Any, scripted: Any, until: Any, inside: bool
) -> None:
    handler = scripted()
    if inside:

        async def websocket_info(*args: Any) -> Any:
            handler.calls.append(("websocket_info", *args))
            await anyio.sleep_forever()

        handler.websocket_info = websocket_info
    async with anyio.create_task_group() as tasks:
        client = await WebSocketClient.start(peer.url, handler, 0, task_group=tasks)
        await handler.saw("onconnect")
        client.info("x")
        await handler.saw("websocket_info")
        tasks.cancel_scope.cancel()
    assert handler.names == ["init", "onconnect", "websocket_info"]
    await until(lambda: not peer.open)
    with anyio.fail_after(1):
        await client.stop()


# -- a slow handler ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [{"max_pending": 10}, {"max_pending_bytes": 100}])
async def test_a_slow_handler_loses_the_oldest_frames_and_is_told(
    peer: Any, order: Any, owned: Any, scripted: Any, until: Any, caplog: Any, bound: dict[str, int]
) -> None:
    caplog.set_level(logging.WARNING, "rcex_ws.callback")
    go_on = anyio.Event()
    handler = scripted()

    async def onconnect(*args: Any) -> Any:
        handler.calls.append(("onconnect", *args))
        await go_on.wait()
        return Ok

    handler.onconnect = onconnect
    async with owned(peer.url, handler, **bound) as owner:
        await handler.saw("onconnect")
        owner.client.info("first")
        await order(lambda: (peer.send(*(f"{n:010}" for n in range(100))), peer.end()))
        await until(lambda: any("too slow" in message for message in caplog.messages))
        await checkpoint()
        await anyio.sleep(0.05)
        go_on.set()
        await owner.ended()
    frames = handler.of("websocket_handle")
    assert frames == [Text(f"{n:010}") for n in range(90, 100)]
    first, second = handler.of("websocket_info")
    assert first == "first"
    assert isinstance(second, SlowConsumer)
    assert handler.names[-2:] == ["ondisconnect", "websocket_terminate"]
    assert any("90 frames were dropped" in message for message in caplog.messages)


async def test_nothing_waits_for_the_handler(peer: Any, order: Any, owned: Any, scripted: Any, ms: float) -> None:
    """The reader goes on, and the keep-alive with it, while a callback takes its time."""
    handler = scripted()

    async def websocket_handle(*args: Any) -> Any:
        handler.calls.append(("websocket_handle", *args))
        if args[0] == Text("slow"):
            await anyio.sleep(900 * ms)
        return Ok

    handler.websocket_handle = websocket_handle
    async with owned(peer.url, handler, keepalive=200 * ms):
        await handler.saw("onconnect")
        await order(peer.send, "slow")
        await handler.saw("websocket_handle", 4)
        assert "ondisconnect" not in handler.names


async def test_a_handler_that_never_waits_leaves_turns_to_others(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()
    handled = 0

    def websocket_info(*args: Any) -> Any:
        nonlocal handled
        handled += 1
        return Ok

    handler.websocket_info = websocket_info
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        for n in range(20_000):
            owner.client.info(n)
        turns: set[int] = set()
        while handled < 20_000:
            turns.add(handled)
            await checkpoint()
    assert len(turns) > 3


async def test_what_waits_behind_a_crash_is_dropped_and_nobody_waits_for_it(owned: Any, scripted: Any) -> None:
    stub = WebSocketClientStub()
    handler = scripted(websocket_info=ZeroDivisionError())
    async with owned("ws://nowhere/", handler, run=stub.run) as owner:
        owner.client.info(1)
        owner.client.info(2)
        async with anyio.create_task_group() as group:
            group.start_soon(stub.settle)
            with pytest.raises(ZeroDivisionError):
                await owner.ended()
        assert handler.of("websocket_info") == [1]
        with anyio.fail_after(1):
            await stub.settle()
