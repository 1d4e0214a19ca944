"""Starting, draining and closing a server; its broker; over real sockets where that matters."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from rcex_ws.broker import BrokerUnavailable, MemoryBroker
from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.rtm.server import RtmServer
from rcex_ws.rtm.server import runtime as runtime_module
from rcex_ws.websocket.listen import bind
from tests.rtm.server.raw_client import connected
from tests.rtm.server.wire import Wire, running, service, settle, user

pytestmark = pytest.mark.anyio


async def test_a_server_listens_until_it_is_closed() -> None:
    server = RtmServer(authenticate=user)
    server.register(lambda client, n: n + 1, name="add")
    await server.start()
    async with connected(server.url) as client:
        assert (await client.ask({"id": "1", "type": "auth", "data": ["ann"]}))["data"] == "ann"
        assert (await client.ask({"id": "2", "type": "invoke", "function": "add", "data": [1]}))["data"] == 2
        await server.aclose()
        assert await client.receive() is None
        assert client.ending is not None
        assert (client.ending.code, client.ending.reason) == (1012, "service restart")
    assert server.clients == ()
    with pytest.raises(ConfigurationError, match="a server runs once"):
        await server.start()
    with bind("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2])):
        pass
    with pytest.raises(BrokerUnavailable):
        await server.publish("ann", "e")


async def test_a_server_is_closed_before_it_was_started() -> None:
    server = RtmServer()
    await server.aclose()
    await server.aclose()
    with pytest.raises(ConfigurationError, match="a server runs once"):
        await server.start()


async def test_a_port_that_is_in_use() -> None:
    with bind() as taken:
        port = taken.getsockname()[1]
        server = RtmServer(port=port)
        with pytest.raises(ConfigurationError, match=f"port: {port} is in use"):
            await server.start()
    async with server:
        assert f":{port}/" in server.url


async def test_a_server_over_tls(authority: trustme.CA) -> None:
    context, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trust)
    async with RtmServer(ssl_context=context) as server:
        assert server.url.startswith("wss://")
        async with connected(server.url, ssl_context=trust, resume="new") as client:
            assert (await client.receive())["event"] == "rtm:session"
            assert server.emit("e", None, 1) == 1
            assert (await client.receive())["data"] == [1]


# -- draining and closing ----------------------------------------------------------------------------------------------


async def test_draining_moves_clients_evenly(ms: float) -> None:
    async with running() as node:
        wires = [await node.connect(name) for name in ("ann", "bob", "cid", "dan")]
        left: list[float] = []
        async with anyio.create_task_group() as group:
            group.start_soon(node.server.drain, 60 * ms)
            for wire in wires:
                await wire.until(lambda wire=wire: wire.code)
                left.append(anyio.current_time())
            await settle()
        assert [wire.code for wire in wires] == [1012] * 4
        assert left[-1] - left[0] >= 40 * ms
        refused = node.wire()
        await refused.until(lambda: refused.status)
        assert refused.status == 503
        assert node.server.clients == ()
        reasons = {str(event[2]) for event in node.events if event[0] == "disconnect"}
        assert reasons == {"1012: service restart"}
        await node.server.drain()


async def test_who_leaves_while_the_server_drains() -> None:
    async with running() as node:
        one, two = await node.connect("ann"), await node.connect("bob")
        async with anyio.create_task_group() as group:
            group.start_soon(node.server.drain, 0.0)
            two.drop()
        assert (one.code, two.code) == (1012, None)


async def test_moved_clients_go_on_at_another_server() -> None:
    async with service() as servers:
        old, new = await servers.node(), await servers.node()
        wire = await old.connect("ann")
        await new.server.publish("ann", "e", 1)
        await old.server.drain(0)
        await new.server.publish("ann", "e", 2)
        back = await new.connect("ann", resume=wire.header())
        assert (wire.data, back.data, back.gaps) == ([1], [2], [])


@pytest.mark.parametrize("way", ["function", "authenticate", "event", "filter"])
async def test_a_handler_may_close_the_server(way: str) -> None:
    done = anyio.Event()

    async def close(*_: Any) -> str:
        await node.server.aclose()
        done.set()
        return "closed"

    async with running(authenticate=close if way == "authenticate" else user) as node:
        node.server.register(close, name="close")
        if way == "event":
            node.server.on("connect", close)
        wire = await node.connect("ann")
        if way == "function":
            wire.say({"id": "c", "type": "invoke", "function": "close", "data": []})
        elif way == "filter":
            async with anyio.create_task_group() as group:
                node.server.emit("e", lambda client: group.start_soon(close))
        with anyio.fail_after(10):
            await done.wait()
        assert not wire.is_open
        await node.server.aclose()


async def test_a_server_that_is_closed_while_clients_are_let_in_leaves_nothing() -> None:
    async with service() as servers:
        node = await servers.node(close_timeout=0.2)
        first = await node.connect("ann")
        servers.hub.cut(node.server.id)
        wires = [node.wire(first.header() if number % 2 else "new") for number in range(4)]
        await settle()
        for number, wire in enumerate(wires):
            wire.say({"id": "a", "type": "auth", "data": [("bob", "ann")[number % 2]]})
        await settle()
        await node.server.aclose()
        assert {wire.is_open for wire in wires} == {False}
        assert node.server.clients == ()
        assert node.errors == []


async def test_a_client_that_does_not_answer_does_not_hold_up_the_end(ms: float) -> None:
    async with running(close_timeout=40 * ms) as node:
        wire = await node.connect("ann")
        wire.deaf = True
        with anyio.fail_after(10):
            await node.server.aclose()
        wire.drop()


async def test_starting_that_is_cancelled_leaves_nothing() -> None:
    class Slow(MemoryBroker):
        ended = False

        async def run(self, on_signal: Any, on_change: Any) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.ended = True

    server = RtmServer(authenticate=user, broker=(broker := Slow()))
    with anyio.move_on_after(0.02):
        await server.start()
    assert broker.ended
    with pytest.raises(ConfigurationError, match="a server runs once"):
        await server.start()


# -- the broker --------------------------------------------------------------------------------------------------------


class Failing(MemoryBroker):
    """A broker that says or raises an error, and then nothing more."""

    def __init__(self, error: Exception, *, raises: bool) -> None:
        super().__init__()
        self._error = error
        self._raises = raises

    async def run(self, on_signal: Callable[[bytes], None], on_change: Callable[[bool, Any], None]) -> None:
        await anyio.lowlevel.checkpoint()
        if self._raises:
            raise self._error
        on_change(False, self._error)  # type: ignore[arg-type]
        await anyio.sleep_forever()


@pytest.mark.parametrize("raises", [False, True])
async def test_a_broker_that_refuses_the_server_ends_the_start(raises: bool) -> None:
    server = RtmServer(authenticate=user, broker=Failing(RcexError("wrong password"), raises=raises))
    with pytest.raises(RcexError, match="wrong password"):
        await server.start()
    with bind("127.0.0.1", server._runtime.life._port):
        pass


async def test_a_broker_that_is_away_is_waited_for_in_the_background() -> None:
    lost: list[Any] = []
    server = RtmServer(authenticate=user, broker=Failing(BrokerUnavailable("down"), raises=False))
    server.on("broker_lost", lost.append)
    async with server:
        assert server.clients == ()
    assert [str(error) for error in lost] == ["down"]


async def test_a_bug_of_the_broker_does_not_hang_the_start() -> None:
    errors: list[Exception] = []
    server = RtmServer(authenticate=user, broker=Failing(ZeroDivisionError(), raises=True))
    server.on("error", errors.append)
    with anyio.fail_after(10):
        async with server:
            pass
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_the_application_is_told_of_the_broker() -> None:
    async with service() as servers:
        node = await servers.node()
        seen: list[Any] = []
        await settle()
        node.server.on("broker_lost", lambda error: seen.append(str(error)))
        node.server.on("broker_ready", lambda: seen.append("ready"))
        servers.hub.cut(node.server.id)
        servers.hub.restore(node.server.id)
        node.server._runtime._on_broker(False, None)
        await settle()
        assert seen == ["the node was cut off", "ready", "the connection was lost"]


# -- who may connect ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "origin", "status"),
    [
        (None, "https://evil.example", None),
        (["https://good.example"], "https://good.example", None),
        (["https://good.example"], None, None),  # no browser
        (["https://good.example"], "https://evil.example", 403),
        (["https://good.example"], "null", 403),
        ([], "https://good.example", 403),
    ],
)
async def test_pages_of_other_origins_are_refused(allowed: Any, origin: str | None, status: int | None) -> None:
    async with running(allowed_origins=allowed) as node:
        wire = await node.connect(**({} if origin is None else {"origin": origin}))
        assert wire.status == status


async def test_new_clients_are_refused_while_too_much_is_left_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "_MOST_CALLS", 0)
    go = anyio.Event()
    async with running(authenticate=None, max_calls=2) as node:
        node.server.register(lambda client: go.wait(), name="wait")

        async def ask_and_leave() -> Wire:
            wire = await node.connect()
            wire.say(*({"id": n, "type": "invoke", "function": "wait", "data": []} for n in range(2)))
            await settle()
            wire.drop()
            await settle()
            return wire

        assert [(await ask_and_leave()).status for _ in range(4)] == [None, None, 503, 503]
        go.set()
        await settle()
        assert (await ask_and_leave()).status is None


async def test_new_clients_are_refused_while_handlers_of_events_are_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "_MOST_EVENTS", 4)
    go = anyio.Event()
    async with running(authenticate=None) as node:

        async def slow(*_: Any) -> None:
            await go.wait()

        node.server.on("connect", slow)
        statuses: list[int | None] = []
        for _ in range(5):
            wire = await node.connect(resume=None)
            statuses.append(wire.status)
            wire.drop()
            await settle()
        assert statuses == [None, None, None, 503, 503]
        go.set()
        await settle()
        assert (await node.connect()).status is None


async def test_a_server_that_does_not_run_refuses() -> None:
    server = RtmServer()
    wire = Wire({}, server._settings.peer_options)
    await server._runtime.serve_mounted(wire)
    assert wire.status == 503
