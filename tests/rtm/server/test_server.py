"""What the application calls: checks of arguments and options, and what `emit` and `push` do."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import anyio.to_thread
import pytest

from rcex_ws.broker import MemoryBroker
from rcex_ws.errors import ConfigurationError, WrongEventLoop
from rcex_ws.rtm.errors import NoUsers, RtmError
from rcex_ws.rtm.server import RemoteClient, RtmServer
from tests.rtm.server.wire import running, settle, user

pytestmark = pytest.mark.anyio


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"port": -1},
        {"host": ""},
        {"ssl_context": True},
        {"authenticate": "x"},
        {"may_subscribe": 1},
        {"allowed_origins": "https://example.com"},
        {"allowed_origins": 5},
        {"auth_timeout": 0},
        {"resume_window": -1},
        {"publish_timeout": float("nan")},
        {"count_timeout": "2"},
        {"heartbeat_interval": 0},
        {"close_timeout": None},
        {"max_size": 0},
        {"max_buffer": 1.5},
        {"max_resume_events": -1},
        {"max_calls": 0},
        {"max_rate": True},
        {"max_connections": 0},
    ],
)
def test_a_wrong_option_is_refused_by_name(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"^{name}: expected"):
        RtmServer(**options)


@pytest.mark.parametrize("url", ["http://localhost", "", "redis://localhost:99999", 5])
def test_a_wrong_url_of_redis_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^redis: expected"):
        RtmServer(redis=url, authenticate=user)


@pytest.mark.parametrize("name", ["redis", "broker", "user_id", "on_auth_timeout", "may_publish"])
def test_users_need_an_authentication(name: str) -> None:
    values = {"redis": "redis://localhost", "broker": MemoryBroker()}
    with pytest.raises(NoUsers, match=f"^{name}: without `authenticate`") as caught:
        RtmServer(**{name: values.get(name, lambda *_: None)})
    assert isinstance(caught.value, ConfigurationError)
    assert isinstance(caught.value, RtmError)


def test_there_is_one_broker() -> None:
    with pytest.raises(ConfigurationError, match=r"redis, broker: expected one of them"):
        RtmServer(redis="redis://localhost", broker=MemoryBroker(), authenticate=user)


def test_a_server_with_redis_is_made_without_connecting() -> None:
    server = RtmServer(redis="redis://localhost:1", authenticate=user)
    assert server.id


# -- before it is started ----------------------------------------------------------------------------------------------


async def test_a_server_that_was_not_started_says_so() -> None:
    server = RtmServer(authenticate=user)
    assert (server.emit("e", None), server.push("e"), server.clients) == (0, 0, ())
    for call in (server.drain, server.count, lambda: server.presence("ann"), lambda: server.publish("ann", "e")):
        with pytest.raises(ConfigurationError, match="the server was not started"):
            await call()
    with pytest.raises(ConfigurationError, match="url: the server was not started"):
        _ = server.url
    with pytest.raises(NoUsers, match="publish: without the option"):
        await RtmServer().publish("ann", "e")


async def test_another_thread_is_refused() -> None:
    async with running() as node:
        await node.connect("ann")
        (client,) = node.server.clients
        for call in (
            lambda: node.server.emit("e", None),
            lambda: node.server.push("e"),
            lambda: client.emit("e"),
            client.disconnect,
        ):
            with pytest.raises(WrongEventLoop, match="this server belongs to an event loop"):
                await anyio.to_thread.run_sync(call)


# -- arguments ---------------------------------------------------------------------------------------------------------


async def test_wrong_arguments_are_refused_by_name() -> None:
    async with running() as node:
        await node.connect("ann")
        server, (client,) = node.server, node.server.clients

        async def later(client: RemoteClient) -> bool:
            return True

        for call, name in (
            (lambda: server.emit("", None), "event"),
            (lambda: server.emit(5, None), "event"),
            (lambda: server.emit("rtm:session", None), "event"),
            (lambda: server.emit("e", "data"), "filter"),
            (lambda: server.emit("e", later), "filter"),
            (lambda: server.emit("e", None, object()), "data"),
            (lambda: server.emit("e", None, "\ud800"), "data"),
            (lambda: server.push("e", "tag"), "tags"),
            (lambda: server.push("e", None), "tags"),
            (lambda: server.push("e", [1]), "tags"),
            (lambda: server.push("rtm:gap"), "event"),
            (lambda: server.push("e", [], {1, "a"}.__iter__()), "data"),
            (lambda: client.emit("rtm:x"), "event"),
            (lambda: client.emit("e", object()), "data"),
            (lambda: client.disconnect("x" * 121), "reason"),
            (lambda: client.disconnect("é" * 61), "reason"),
            (lambda: client.disconnect("\ud800"), "reason"),
            (lambda: client.disconnect(5), "reason"),
        ):
            with pytest.raises(ConfigurationError, match=f"^{name}: "):
                call()
        for publish, name in (
            (lambda: server.publish("", "e"), "user_id"),
            (lambda: server.publish(7, "e"), "user_id"),
            (lambda: server.publish("\ud800", "e"), "user_id"),
            (lambda: server.publish("ann", ""), "event"),
            (lambda: server.publish("ann", "rtm:x", wait=False), "event"),
            (lambda: server.publish("ann", "e", object(), wait=False), "data"),
            (lambda: server.presence(""), "user_id"),
            (lambda: server.drain(-1), "within"),
            (lambda: server.drain("x"), "within"),
        ):
            with pytest.raises(ConfigurationError, match=f"^{name}: "):
                await publish()
        assert client.connected
        assert await server.publish("ann", "e") == 1


# -- emitting ----------------------------------------------------------------------------------------------------------


async def test_emit_reaches_those_that_the_filter_wants() -> None:
    async with running() as node:
        wires = {name: await node.connect({"id": name, "email": f"{name}@x"}) for name in ("ann", "bob")}
        assert node.server.emit("e", lambda client: client.authentication["email"] == "ann@x", 1, [2]) == 1
        assert node.server.emit("e", lambda client: True) == 2
        assert node.server.emit("e", lambda client: []) == 0
        assert [event["data"] for event in wires["ann"].events] == [[1, [2]], []]
        assert [event["data"] for event in wires["bob"].events] == [[]]
        assert "id" not in wires["ann"].events[0]


async def test_a_filter_that_raises_counts_as_false_and_is_reported_once() -> None:
    async with running() as node:
        for name in ("ann", "bob", "cid"):
            await node.connect(name)

        def only_bob(client: RemoteClient) -> bool:
            if client.user_id != "bob":
                raise KeyError(client.user_id)
            return True

        assert node.server.emit("e", only_bob) == 1
        await settle()
        assert [repr(error) for error in node.errors] == ["KeyError('ann')"]


async def test_a_filter_that_is_async_after_all_wants_nobody() -> None:
    async with running() as node:
        await node.connect("ann")

        class Later:
            def __await__(self) -> Any:
                yield

        assert node.server.emit("e", lambda client: Later()) == 0
        await settle()
        assert [type(error) for error in node.errors] == [TypeError]


async def test_a_filter_may_disconnect_clients() -> None:
    async with running() as node:
        wires = [await node.connect(name) for name in ("ann", "bob", "cid")]

        def only_last(client: RemoteClient) -> bool:
            for other in node.server.clients:
                if other.user_id != "cid":
                    other.disconnect()
            return True

        assert node.server.emit("e", only_last, 1) == 1
        assert [wire.data for wire in wires] == [[], [], [1]]


async def test_emitting_to_one_client() -> None:
    async with running() as node:
        wires = [await node.connect("ann"), await node.connect("ann")]
        first, second = node.server.clients
        assert first.id != second.id
        assert first.emit("e", 1, None)
        assert [wire.data for wire in wires] == [[1], []]


async def test_handlers_of_events_may_be_async() -> None:
    async with running() as node:
        seen: list[Any] = []

        @node.server.on("connect")
        async def welcome(client: RemoteClient) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(client.emit("welcome", client.user_id))

        wire = await node.connect("ann")
        await wire.until(lambda: wire.events)
        assert (seen, wire.data) == ([True], ["ann"])
        assert await node.server.count() == 1
