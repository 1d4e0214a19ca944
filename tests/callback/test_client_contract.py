"""The stub of `rcex_ws.testing` keeps the contract of the real client: each test here runs with both.

A sequence of random results, driven through the stub, shows the rules that hold for every handler.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcex_ws.callback import (
    NORMAL,
    REMOTE,
    Binary,
    Close,
    CloseFrame,
    Ok,
    Once,
    Reconnect,
    Reply,
    Text,
    WebSocketClient,
    WebSocketHandler,
)
from rcex_ws.errors import ConfigurationError, ConnectFailed, TransportError
from rcex_ws.testing import WebSocketClientStub


class RealServer:
    """Play the server of a real client."""

    def __init__(self, peer: Any, order: Any, until: Any) -> None:
        peer.deaf = True
        self._peer, self._order, self._until = peer, order, until
        self.run = WebSocketClient.run
        self.url = peer.url

    async def connect(self, handler: Any) -> None:
        await handler.saw("onconnect", handler.names.count("onconnect") + 1)

    async def receive(self, message: str, handler: Any) -> None:
        calls = len(handler.calls)
        await self._order(self._peer.send, message)
        await self._until(lambda: len(handler.calls) > calls)

    async def close(self, code: int) -> None:
        await self._order(self._peer.close, code, "bye")

    async def drop(self) -> None:
        await self._order(self._peer.end)

    async def got(self, *messages: Any) -> None:
        await self._until(lambda: self._peer.received == [*messages])


class StubServer:
    """Play the server of a stub."""

    url = "ws://nowhere"

    def __init__(self) -> None:
        self.stub = WebSocketClientStub()
        self.run = self.stub.run

    async def connect(self, handler: Any) -> None:
        await self.stub.connect()

    async def receive(self, message: str, handler: Any) -> None:
        await self.stub.receive(Text(message))

    async def close(self, code: int) -> None:
        await self.stub.receive(CloseFrame(code, "bye"))

    async def drop(self) -> None:
        await self.stub.disconnect(TransportError("dropped"))

    async def got(self, *messages: Any) -> None:
        await self.stub.settle()
        assert [frame.data for frame in self.stub.sent if isinstance(frame, Text | Binary)] == [*messages]


@pytest.fixture(params=["real", "stub"])
def play(request: pytest.FixtureRequest, owned: Any) -> Callable[..., Any]:
    """Run a handler with either client; gives the owner and whoever plays the server, not connected yet."""
    names = ("peer", "order", "until")
    server: Any = (
        StubServer() if request.param == "stub" else RealServer(*(request.getfixturevalue(name) for name in names))
    )

    @asynccontextmanager
    async def play(handler: Any, state: Any = 0, **options: Any) -> AsyncIterator[Any]:
        async with owned(server.url, handler, state, run=server.run, **options) as owner:
            yield owner, server

    return play


async def test_frames_and_messages(play: Any, scripted: Any) -> None:
    handler = scripted(
        onconnect=Reply(Text("hi"), 1),
        websocket_handle=Reply(Binary(b"handled"), 2),
        websocket_info=Reply(Text("informed"), 3),
    )
    async with play(handler) as (owner, server):
        await server.connect(handler)
        await server.receive("x", handler)
        owner.client.info("i")
        owner.client.cast(Text("cast"))
        await handler.saw("websocket_info")
        await owner.client.stop()
        assert await owner.ended() == NORMAL
    shapes = [(name, *(arg for arg in args if not isinstance(arg, int))) for name, *args in handler.calls]
    assert shapes == [
        ("init",),
        ("onconnect",),
        ("websocket_handle", Text("x")),
        ("websocket_info", "i"),
        ("websocket_terminate", NORMAL, None),
    ]


async def test_what_the_server_sees(play: Any, scripted: Any) -> None:
    handler = scripted(websocket_info=Reply(Text("informed"), 3))
    async with play(handler) as (owner, server):
        owner.client.cast(Text("early"))
        await server.connect(handler)
        owner.client.cast(Text("a"))
        owner.client.cast(Binary(b"b"))
        owner.client.info("x")
        await handler.saw("websocket_info")
        await server.got("a", b"b", "informed")


@pytest.mark.parametrize("how", ["close", "drop"])
async def test_the_end_of_a_connection(play: Any, scripted: Any, how: str) -> None:
    handler = scripted(ondisconnect=[Reconnect(1), Close("enough", 2)])
    async with play(handler) as (owner, server):
        await server.connect(handler)
        await (server.close(4000) if how == "close" else server.drop())
        await handler.saw("ondisconnect")
        await server.connect(handler)
        await (server.close(4000) if how == "close" else server.drop())
        assert await owner.ended() == "enough"
    frames = ["websocket_handle"] if how == "close" else []
    assert handler.names == ["init", *["onconnect", *frames, "ondisconnect"] * 2, "websocket_terminate"]
    if how == "close":
        assert handler.of("ondisconnect") == [REMOTE] * 2
        assert handler.of("websocket_handle") == [CloseFrame(4000, "bye")] * 2
    else:
        assert {type(reason) for reason in handler.of("ondisconnect")} == {TransportError}


async def test_a_close_of_the_handler(play: Any, scripted: Any) -> None:
    handler = scripted(websocket_handle=Close("own", 5), ondisconnect=lambda reason, state: Close(reason, state))
    async with play(handler) as (owner, server):
        await server.connect(handler)
        await server.receive("x", handler)
        assert await owner.ended() == "own"
    assert handler.calls[-2:] == [("ondisconnect", "own", 5), ("websocket_terminate", "own", None, 5)]


async def test_once(play: Any, scripted: Any) -> None:
    handler = scripted(init=Once(0), ondisconnect=Reconnect(1))
    async with play(handler) as (owner, server):
        await server.connect(handler)
        await server.drop()
        with pytest.raises(TransportError):
            await owner.ended()


@pytest.mark.parametrize("callback", ["onconnect", "websocket_handle", "ondisconnect"])
async def test_a_crash(play: Any, scripted: Any, callback: str) -> None:
    error = LookupError("a bug")
    handler = scripted(**{callback: error})
    async with play(handler) as (owner, server):
        await server.connect(handler)
        if callback == "websocket_handle":
            await server.receive("x", handler)
        elif callback == "ondisconnect":
            await server.drop()
        with pytest.raises(LookupError):
            await owner.ended()
    assert handler.calls[-1] == ("websocket_terminate", error, None, 0)


async def test_the_current_client_and_stop_from_inside(play: Any, scripted: Any) -> None:
    handler = scripted()
    seen: list[Any] = []

    async def onconnect(ref: int, state: Any) -> Any:
        handler.calls.append(("onconnect", ref, state))
        seen.append(WebSocketClient.current())
        await seen[0].stop()
        return Ok

    handler.onconnect = onconnect
    async with play(handler) as (owner, server):
        await server.connect(handler)
        assert await owner.ended() == NORMAL
        assert seen == [owner.client]


async def test_a_cancellation(play: Any, scripted: Any) -> None:
    handler = scripted()
    async with play(handler) as (_, server):
        await server.connect(handler)
    assert handler.names == ["init", "onconnect"]


@pytest.mark.parametrize("make", [lambda: WebSocketClient, WebSocketClientStub])
async def test_options_are_checked(make: Any, scripted: Any) -> None:
    handler = scripted()
    with pytest.raises(ConfigurationError, match=r"^keepalive: "):
        await make().run("ws://nowhere", handler, 0, keepalive=-1)
    assert handler.calls == []


# -- for every handler ---------------------------------------------------------------------------------------------

EVENTS = st.sampled_from(["connect", "frame", "close frame", "drop", "refuse", "info", "cast close"])
SHARED = ("ok", "bare")
KINDS = {
    "init": st.sampled_from([*SHARED, "once", "reconnect"]),
    "onconnect": st.sampled_from([*SHARED, "reply", "close"]),
    "ondisconnect": st.sampled_from(["reconnect", "reconnect", "reconnect", *SHARED, "close"]),
    "websocket_handle": st.sampled_from([*SHARED, "reply", "close"]),
    "websocket_info": st.sampled_from([*SHARED, "reply", "close"]),
}


class Random(WebSocketHandler[int]):
    """Give results by chance; the state counts the calls that changed it, and must come back as it was given."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.expected = 0
        self.calls: list[tuple[Any, ...]] = []
        self.last_disconnect: str = ""
        self.once = False

    def _give(self, callback: str, *args: Any) -> Any:
        assert args[-1] == self.expected, "the state is what the last result carried"
        self.calls.append((callback, *args))
        kind = self.data.draw(KINDS[callback], callback)
        if callback == "ondisconnect":
            self.last_disconnect = kind
        if callback == "init":
            self.once = kind == "once"
        if kind == "bare":
            return Ok
        self.expected += 1
        return {
            "ok": lambda: Ok(self.expected),
            "once": lambda: Once(self.expected),
            "reconnect": lambda: Reconnect(self.expected, 3.0),
            "reply": lambda: Reply(Text("reply"), self.expected),
            "close": lambda: Close("own", self.expected),
        }[kind]()

    def init(self, *args: Any) -> Any:
        return self._give("init", *args)

    async def onconnect(self, *args: Any) -> Any:
        return self._give("onconnect", *args)

    def ondisconnect(self, *args: Any) -> Any:
        return self._give("ondisconnect", *args)

    async def websocket_handle(self, *args: Any) -> Any:
        return self._give("websocket_handle", *args)

    def websocket_info(self, *args: Any) -> Any:
        return self._give("websocket_info", *args)

    def websocket_terminate(self, *args: Any) -> Any:
        assert args[-1] == self.expected
        self.calls.append(("websocket_terminate", *args))


async def _drive(handler: Random, events: list[str]) -> object:
    stub = WebSocketClientStub()
    outcome: list[object] = []

    async def own(*, task_status: Any) -> None:
        try:
            outcome.append(await stub.run("ws://nowhere", handler, 0, task_status=task_status))
        except (TransportError, ConnectFailed) as exc:
            outcome.append(exc)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            await tasks.start(own)
            for event in events:
                if stub.ended:
                    break
                await _play(stub, event)
            await stub.stop()
    return outcome[0]


async def _play(stub: WebSocketClientStub, event: str) -> None:
    match event, stub.connected:
        case "connect", False:
            await stub.connect()
        case "frame", True:
            await stub.receive(Text("x"))
        case "close frame", True:
            await stub.receive(CloseFrame())
        case "drop", True:
            assert await stub.disconnect(TransportError("x"), delay=1.0) in (3.0, None)
        case "refuse", False:
            assert await stub.disconnect(ConnectFailed("x"), delay=1.0) in (3.0, None)
        case "info", _:
            stub.info("x")
            await stub.settle()
        case "cast close", True:
            stub.cast(CloseFrame())
        case _:
            pass


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(data=st.data(), events=st.lists(EVENTS, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_rules_that_hold_for_every_handler(backend: str, data: st.DataObject, events: list[str]) -> None:
    handler = Random(data)
    reason = anyio.run(_drive, handler, events, backend=backend)
    names = [call[0] for call in handler.calls]
    assert names[0] == "init"
    assert names[-1] == "websocket_terminate"
    assert names.count("init") == names.count("websocket_terminate") == 1
    assert handler.calls[-1][1] is reason
    connected: int | None = None
    for name, *args in handler.calls:
        if name == "onconnect":
            assert connected is None
            connected = args[0]
        elif name == "ondisconnect":
            connected = None
        elif name == "websocket_handle":
            assert args[1] == connected is not None, "a frame belongs to the connection of the moment"
        elif name == "websocket_info":
            assert args[1] == connected
    if handler.last_disconnect == "close" and names[-2] == "ondisconnect":
        assert reason == "own"
    elif handler.last_disconnect in SHARED and names[-2] == "ondisconnect":
        assert reason == NORMAL
    if handler.once:
        assert names.count("ondisconnect") <= 1
