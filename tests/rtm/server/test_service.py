"""One connection: its authentication, its limits, and whatever else a client may send."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.server import ClientGone, RemoteClient
from rcex_ws.rtm.server.rate import TokenBucket
from rcex_ws.websocket.peer import PeerOptions
from tests.rtm.server.wire import Frame, running, settle

pytestmark = pytest.mark.anyio


def auth(*data: Any, id_: Any = "a") -> Frame:
    return {"id": id_, "type": "auth", "data": data}


def invoke(function: str, id_: Any = "c") -> Frame:
    return {"id": id_, "type": "invoke", "function": function, "data": []}


# -- authentication ----------------------------------------------------------------------------------------------------


async def test_the_handler_gets_what_was_sent_and_its_result_is_sent_back() -> None:
    seen: list[Any] = []

    def check(client: RemoteClient, *data: Any) -> Any:
        seen.append((client.authentication, client.user_id, client.request.headers["cookie"], *data))
        client.state["seen"] = True
        return {"id": "ann", "email": "ann@example.com"}

    async with running(authenticate=check) as node:
        wire = await node.connect({"token": [1]}, cookie="k=v")
        assert seen == [(None, None, "k=v", {"token": [1]})]
        assert wire.received[1] == {"id": "a", "data": {"id": "ann", "email": "ann@example.com"}}
        (client,) = node.server.clients
        assert (client.user_id, client.authentication["email"]) == ("ann", "ann@example.com")
        assert client.state == {"seen": True}
        assert repr(client) == f"<RemoteClient {client.id} of 'ann'>"


@pytest.mark.parametrize("result", [None, False, 0, "", [], {}])
async def test_a_false_result_refuses(result: Any) -> None:
    async def check(client: RemoteClient, *data: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return result

    async with running(authenticate=check) as node:
        wire = await node.connect("x")
        assert wire.received == [{"id": "a", "data": None}]
        assert (wire.code, wire.reason) == (4401, "refused")
        assert await node.leftovers() == []
        assert (node.events, node.server.clients) == ([], ())


@pytest.mark.parametrize(
    ("resume", "reply"),
    [("new", {"error": {"code": 7}}), (None, None)],  # the original client fails badly at an error
)
async def test_a_handler_that_refuses_may_say_why(resume: str | None, reply: Any) -> None:
    def check(client: RemoteClient, *data: Any) -> Any:
        raise RemoteError({"code": 7})

    async with running(authenticate=check) as node:
        wire = await node.connect("x", resume=resume)
        assert wire.received == [{"id": "a", "data": reply}]
        assert wire.code == 4401
        await settle()
        assert node.errors == []


@pytest.mark.parametrize("result", [ZeroDivisionError("secret"), object()])
async def test_a_handler_that_fails_refuses_nobody_for_good(result: Any) -> None:
    """Its database may be away: with a refusal all clients would end."""

    def check(client: RemoteClient, *data: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    async with running(authenticate=check) as node:
        wire = await node.connect("x")
        assert (wire.received, wire.code) == ([], 1011)
        await settle()
        assert len(node.errors) == 1
        assert await node.leftovers() == []


async def test_wrong_arguments_of_the_handler_are_the_fault_of_the_client() -> None:
    async with running(authenticate=lambda client, user, password: user) as node:
        wire = await node.connect("x")
        assert wire.received == [{"id": "a", "data": {"error": "wrong number of arguments"}}]
        other = node.wire()
        await settle()
        other.say(auth("ann", "secret"))
        await other.until(lambda: other.received)
        assert other.received == [{"id": "a", "data": "ann"}]
        await settle()
        assert node.errors == []


async def test_a_client_can_do_nothing_before_it_is_authenticated() -> None:
    called: list[Any] = []
    async with running() as node:
        node.server.register(called.append, name="call")
        wire = await node.connect()
        wire.say(invoke("call"), {"id": "s", "type": "subscribe", "event": "e"}, {"id": "x", "type": "?"})
        assert [frame["data"] for frame in wire.received] == [{"error": "unauthenticated"}] * 3
        assert node.server.emit("e", None) == node.server.push("e") == 0
        assert (called, node.server.clients) == ([], ())
        wire.say(auth("ann"))
        await wire.until(lambda: len(wire.received) == 5)
        assert wire.received[3]["event"] == "rtm:session"


async def test_calls_wait_while_the_authentication_is_checked() -> None:
    go, called = anyio.Event(), list[Any]()

    async def check(client: RemoteClient, name: Any) -> Any:
        await go.wait()
        return name

    async with running(authenticate=check, max_calls=2) as node:
        node.server.register(lambda client, n: called.append((client.user_id, n)), name="call")
        wire = node.wire()
        await settle()
        wire.say(auth("ann"), *({**invoke("call", n), "data": [n]} for n in range(3)), auth("bob", id_="b"))
        await settle()
        assert [(frame["id"], frame["data"]["error"]) for frame in wire.received] == [
            (2, "too many calls"),
            ("b", "authenticated already"),
        ]
        assert called == []
        go.set()
        await wire.until(lambda: len(wire.received) == 5)
        assert (wire.received[2], called) == ({"id": "a", "data": "ann"}, [("ann", 0), ("ann", 1)])
        assert await wire.ask(auth("bob")) == {"id": "a", "data": {"error": "authenticated already"}}
        assert node.server.clients[0].user_id == "ann"


async def test_what_waits_for_the_authentication_is_bounded_by_its_size() -> None:
    async with running(authenticate=lambda *_: anyio.sleep_forever(), max_size=1000, close_timeout=0.1) as node:
        wire = await node.connect()
        wire.say(auth("ann"), *({**invoke("call", n), "data": ["x" * 300]} for n in range(4)))
        assert [frame["id"] for frame in wire.received] == [2, 3]


async def test_calls_of_a_client_that_is_refused_are_dropped() -> None:
    called: list[Any] = []
    async with running(authenticate=lambda *_: None) as node:
        node.server.register(called.append, name="call")
        wire = node.wire()
        await settle()
        wire.say(auth("ann"), invoke("call"))
        await settle()
        assert (wire.code, called) == (4401, [])


async def test_a_client_is_sent_nothing_of_the_application_before_it_is_let_in() -> None:
    """Its first event is the beginning of its session, from which both sides count."""

    def check(client: RemoteClient, name: Any) -> Any:
        assert not client.emit("early", 1)
        return name

    async with running(authenticate=check) as node:
        wire = await node.connect("ann")
        assert wire.events == []
        node.server.emit("e", None, 1)
        wire.drop()
        back = await node.connect("ann", resume=wire.header())
        assert back.events == []


async def test_a_handler_may_disconnect_its_client() -> None:
    def check(client: RemoteClient, name: Any) -> Any:
        client.disconnect("not you")
        return name

    async with running(authenticate=check) as node:
        wire = await node.connect("ann")
        assert (wire.code, wire.reason, wire.received) == (1000, "not you", [])
        assert await node.leftovers() == []
        assert node.events == []


async def test_a_server_without_a_handler_accepts_every_authentication() -> None:
    async with running(authenticate=None) as node:
        wire = await node.connect(resume=None)
        for data in (["x"], [], None):
            assert await wire.ask({"id": 1, "type": "auth", "data": data}) == {"id": 1, "data": True}
        assert node.server.clients[0].authentication is None
        assert repr(node.server.clients[0]) == f"<RemoteClient {node.server.clients[0].id}>"


# -- what a client must not send ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id": true}',
        b'{"id": {}, "type": "invoke"}',
        b'{"type": 1}',
        b'{"type": "invoke", "data": {}}',
        b'{"type": "subscribe", "tags": [1]}',
        b'{"type": "invoke", "data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"id": 1e999}',
        b'{"data": [1' + b"0" * 5000 + b"]}",
    ],
)
@pytest.mark.parametrize("known", [False, True])
async def test_a_frame_that_cannot_be_read_gets_an_error(data: bytes, known: bool) -> None:
    async with running() as node:
        wire = await node.connect("ann" if known else None)
        count = len(wire.received)
        wire.say(data)
        (reply,) = wire.received[count:]
        assert reply["id"] is None
        assert reply["data"]["error"].startswith("no frame: ")
        assert wire.is_open
        await settle()
        assert node.errors == []


async def test_a_binary_message_ends_the_connection() -> None:
    async with running() as node:
        wire = await node.connect("ann")
        wire.say(bytearray(b"{}"), {"id": 1, "type": "?"})
        assert (wire.code, wire.reason) == (1003, "text only")
        assert len(wire.received) == 2


async def test_too_many_messages_end_the_connection() -> None:
    async with running(max_rate=5) as node:
        wire = await node.connect("ann")
        wire.say(*([b"?"] * 9))
        assert wire.is_open
        wire.say(b"?", b"?")
        assert (wire.code, wire.reason) == (4429, "too many messages")
        await settle()
        reason = node.events[-1][2]
        assert (reason.code, reason.by_server) == (4429, True)


def test_a_rate_holds_in_the_long_run() -> None:
    bucket = TokenBucket(10, 100.0)
    assert sum(bucket.take(100.0) for _ in range(50)) == 20
    assert sum(bucket.take(100.0 + tenth / 10) for tenth in range(1, 101) for _ in range(5)) == 100
    assert sum(bucket.take(1000.0) for _ in range(50)) == 20


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "code", "text", "by_server"),
    [
        (lambda wire: wire.drop(), None, "the connection was lost", False),
        (lambda wire: wire.leave(1001, "bye"), 1001, "bye", False),
        (lambda wire: wire.leave(), 1000, "closed by the client", False),
        (lambda wire: wire.leave(1012), 1012, "the server is being stopped", True),  # as uvicorn does
        (lambda wire: wire.break_rules(1009), 1009, "the client sent what cannot be read", True),
        (lambda wire: wire.say(bytearray(b"x")), 1003, "text only", True),
    ],
)
async def test_the_application_is_told_why_a_client_is_gone(end: Any, code: int, text: str, by_server: bool) -> None:
    async with running() as node:
        wire = await node.connect("ann")
        end(wire)
        await settle()
        (_, client, reason) = node.events[-1]
        assert isinstance(reason, ClientGone)
        assert (client.user_id, reason.code, reason.text, reason.by_server) == ("ann", code, text, by_server)
        assert str(reason) == (text if code is None else f"{code}: {text}")


@pytest.mark.parametrize("answered", [True, False])
async def test_the_application_disconnects_a_client_for_good(answered: bool) -> None:
    async with running() as node:
        wire = await node.connect("ann")
        wire.deaf = not answered
        (client,) = node.server.clients
        client.disconnect()
        assert (client.connected, node.server.clients) == (False, ())
        assert await node.server.publish("ann", "e") == 0
        client.disconnect("once more")
        assert not client.emit("e")
        wire.drop()
        await settle()
        assert str(node.events[-1][2]) == "1000: disconnected by the application"
        assert node.names == ["connect", "disconnect"]
        assert await node.leftovers() == []
        back = await node.connect("ann", resume=wire.header())
        assert "resumed" not in back.session


async def test_a_client_that_is_away_is_given_up_when_it_is_disconnected() -> None:
    async with running() as node:
        wire = await node.connect("ann")
        (client,) = node.server.clients
        wire.drop()
        client.disconnect()
        assert await node.leftovers() == []
        assert "resumed" not in (await node.connect("ann", resume=wire.header())).session


async def test_a_client_that_does_not_read_is_disconnected_and_holds_up_nobody() -> None:
    async with running(max_buffer=5000) as node:
        slow, other = await node.connect("ann"), await node.connect("ann")
        slow.stalled = True
        counts = [await node.server.publish("ann", "e", number, "x" * 900) for number in range(10)]
        assert counts == [2] * 5 + [1] * 5
        assert (slow.code, other.data) == (1013, list(range(10)))
        await settle()
        assert str(node.events[-1][2]) == "1013: the client does not read what is sent to it"
        back = await node.connect("ann", resume=slow.header())
        assert back.data == list(range(10))


async def test_a_client_that_does_not_read_its_welcome_is_no_client() -> None:
    async with running(max_buffer=10) as node:
        wire = await node.connect()
        wire.stalled = True
        wire.say(auth("ann"))
        await settle()
        assert wire.code == 1013
        assert await node.leftovers() == []
        assert node.events == []


async def test_what_comes_after_the_end_is_ignored() -> None:
    async with running() as node:
        node.server.register(lambda client: 1, name="one")
        wire = await node.connect("ann")
        on_message = wire._on_message
        wire.leave()
        on_message(b"?", False)
        await settle()
        assert len(wire.received) == 2


async def test_a_client_that_does_not_read_what_it_has_missed_makes_no_calls() -> None:
    called: list[Any] = []
    go = anyio.Event()

    async def check(client: RemoteClient, name: Any) -> Any:
        if "second" in client.request.headers:
            await go.wait()
        return name

    async with running(authenticate=check, max_buffer=1000) as node:
        node.server.register(called.append, name="call")
        first = await node.connect("ann")
        for _ in range(4):
            node.server.emit("e", None, "x" * 100)
        second = node.wire(first.header(received=0), second="1")
        await settle()
        second._options = PeerOptions(max_buffer=300)
        second.stalled = True
        second.say(auth("ann"), invoke("call"))
        await settle()
        go.set()
        await settle()
        assert (second.code, called) == (1013, [])
        await settle()
        assert node.names == ["connect", "resume", "disconnect"]


async def test_a_client_that_is_too_slow_for_what_it_has_missed() -> None:
    async with running(max_buffer=400) as node:
        wire = await node.connect("ann")
        wire.drop()
        node.server.emit("e", None, "x" * 100)
        back = node.wire(wire.header())
        await settle()
        back.stalled = True
        back.say(auth("ann"))
        await settle()
        assert back.is_open
        node.server.emit("e", None, "x" * 200)
        assert back.code == 1013
        await settle()
        assert node.names == ["connect", "disconnect", "resume", "disconnect"]


async def test_a_bug_of_the_server_ends_the_connection_alone() -> None:
    async with running(authenticate=None) as node:
        wire, other = await node.connect(), await node.connect()

        async def fail(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError

        wire_of_bug = node.wire()
        wire_of_bug.read = fail  # type: ignore[assignment]
        await wire_of_bug.until(lambda: wire_of_bug.code)
        assert wire_of_bug.code == 1011
        await settle()
        assert [type(error) for error in node.errors] == [ZeroDivisionError]
        assert node.server.emit("e", None) == 2
        assert wire.is_open
        assert other.is_open


async def test_a_connection_that_fails_when_it_is_accepted() -> None:
    async with running() as node:
        wire = node.wire()

        async def fail(*_: Any) -> None:
            raise OSError("gone")

        wire.accept = fail  # type: ignore[method-assign]
        assert await node.leftovers() == []


async def test_a_connection_that_is_closed_before_it_is_read() -> None:
    async with running(authenticate=None) as node:
        node.server.on("connect", lambda client: client.disconnect())
        wire = node.wire()
        await wire.until(lambda: wire.code)
        assert await node.leftovers() == []
