"""`RtmServer` against a client with all habits of the original, in Node."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.rtm import RemoteError
from rcex_ws.rtm.server import RemoteClient, RtmServer
from tests.peers.rtm_peers import FOLDER, Need, NodeClient, check_installed, open_client

JSON: list[Any] = [1, -2.5, "é\u2028😀", True, None, [], {}, {"a": [{"b": None}]}, "", 0]


def authenticate(client: RemoteClient, token: Any) -> Any:
    return {"id": token["user"], "email": f"{token['user']}@example.com"} if token["secret"] == "s" else None


def add_functions(server: RtmServer) -> None:
    @server.register
    def echo(client: RemoteClient, *data: Any) -> list[Any]:
        return [*data]

    @server.register
    async def nothing(client: RemoteClient) -> None:
        await anyio.lowlevel.checkpoint()

    @server.register
    def refuse(client: RemoteClient, why: Any) -> None:
        raise RemoteError(why)

    @server.register
    def who(client: RemoteClient) -> Any:
        return client.authentication


@asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[RtmServer]:
    async with RtmServer(authenticate=authenticate, **options) as server:
        add_functions(server)
        yield server


@pytest.fixture
async def server() -> AsyncIterator[RtmServer]:
    async with serving() as server:
        yield server


@pytest.fixture
async def node(need: Need) -> AsyncIterator[NodeClient]:
    async with open_client(need) as node:
        yield node


def token(user: str, secret: str = "s") -> dict[str, str]:
    return {"user": user, "secret": secret}


async def test_it_is_authenticated_and_calls_functions(server: RtmServer, node: NodeClient) -> None:
    await node.open(server.url, authenticationData=token("ann"))
    await node.event("onOpen")
    assert await node.call("callWait", function="echo", data=JSON) == JSON
    assert await node.call("callWait", function="nothing") is None
    assert await node.call("callWait", function="who") == {"id": "ann", "email": "ann@example.com"}
    assert [client.authentication["id"] for client in server.clients] == ["ann"]
    assert node.names(("onMessage",)) == ["ready", "onAuthenticating", "onOpen"]


@pytest.mark.parametrize("why", ["no", {"code": 1}, [0], 7, True])
async def test_it_is_told_why_a_call_was_refused(server: RtmServer, node: NodeClient, why: Any) -> None:
    await node.open(server.url, authenticationData=token("ann"))
    await node.do("callWait", "refused", function="refuse", data=[why])
    outcome = await node.outcome("refused")
    assert (outcome["step"], outcome["error"]["value"]) == ("rejected", why)
    await node.do("callWait", "unknown", function="nobody")
    assert "unknown function" in (await node.outcome("unknown"))["error"]["message"]


async def test_what_it_calls_before_the_answer_to_its_authentication_is_held(need: Need, node: NodeClient) -> None:
    """The original sends as soon as the socket is open."""
    go = anyio.Event()

    async def slow(client: RemoteClient, data: Any) -> Any:
        await go.wait()
        return authenticate(client, data)

    async with RtmServer(authenticate=slow) as server:
        add_functions(server)
        await node.open(server.url, authenticationData=token("ann"))
        await node.event("onAuthenticating")
        for number in range(5):
            await node.do("callWait", f"early {number}", function="echo", data=[number])
        await node.call("state")
        assert not node.all("onOpen")
        go.set()
        for number in range(5):
            assert (await node.outcome(f"early {number}"))["value"] == [number]


async def test_a_wrong_token_is_an_answer_of_null(server: RtmServer, node: NodeClient) -> None:
    await node.open(server.url, authenticationData=token("ann", "wrong"), reconnectDelayMs=10)
    (error,) = await node.event("onError")
    assert error == {"code": "rtm/auth-error", "data": "Server returned an invalid response."}
    assert not server.clients


async def test_it_gets_what_is_emitted_published_and_pushed(server: RtmServer, node: NodeClient) -> None:
    await node.open(server.url, authenticationData=token("ann"))
    heard = await node.subscribe("news")
    await node.event("onOpen")
    await node.do("subscribePush", "pushes", event="alert", tags=["a", "b"])
    await node.outcome("pushes")
    assert server.emit("news", lambda client: client.authentication["email"] == "ann@example.com", "hi", JSON) == 1
    assert server.emit("news", lambda client: client.authentication["email"] == "bob@example.com", "no") == 0
    assert await server.publish("ann", "news", *JSON) == 1
    assert await server.publish("bob", "news", "no") == 0
    assert server.push("alert", ["b"], 1) == 1
    assert server.push("alert", ["c"], "no") == 0
    assert server.push("alert", (), 2) == 1
    assert server.emit("news", None) == 1
    assert await node.until_heard(heard, 3) == [["hi", JSON], JSON, []]
    assert node.heard("pushes") == [[1], [2]]


async def test_it_comes_back_by_itself(server: RtmServer, node: NodeClient) -> None:
    """It asks for no session, and loses what it misses; nothing is left of its old connection."""
    await node.open(server.url, authenticationData=token("ann"), reconnectDelayMs=10)
    heard = await node.subscribe("news")
    await node.event("onOpen")
    for number in range(3):
        await node.call("drop")
        await node.event("onReconnecting", number + 1)
        await node.event("onOpen", number + 2)
        assert await server.publish("ann", "news", number) == 1
    assert await node.until_heard(heard, 3) == [[0], [1], [2]]
    assert await server.presence("ann") == {server.id: 1}


async def test_it_is_told_to_move_and_does(need: Need, node: NodeClient) -> None:
    async with serving() as first:
        await node.open(first.url, authenticationData=token("ann"), reconnectDelayMs=10)
        await node.event("onOpen")
        port = int(first.url.rsplit(":", 1)[1].strip("/"))
        await first.drain(0)
    async with serving(port=port) as second:
        await node.event("onOpen", 2)
        assert await node.call("callWait", function="who") == {"id": "ann", "email": "ann@example.com"}
        assert len(second.clients) == 1


async def test_without_an_authentication_handler_everyone_is_served(node: NodeClient) -> None:
    async with RtmServer() as server:
        add_functions(server)
        await node.open(server.url)
        await node.event("onOpen")
        assert await node.call("callWait", function="echo", data=[1]) == [1]


async def test_one_that_never_authenticates_is_disconnected(node: NodeClient, ms: float) -> None:
    late: list[RemoteClient] = []
    async with RtmServer(authenticate=authenticate, auth_timeout=50 * ms, on_auth_timeout=late.append) as server:
        await node.open(server.url)
        await node.event("onClose")
        assert len(late) == 1


async def test_it_cannot_publish_unless_it_may(need: Need, node: NodeClient) -> None:
    async with serving(may_publish=lambda client, user, event: user == "bob") as server:
        await node.open(server.url, authenticationData=token("ann"))
        assert await node.call("callWait", function="rtm:publish", data=["bob", "news", 1]) == 0
        await node.do("callWait", "forbidden", function="rtm:publish", data=["cid", "news", 1])
        assert (await node.outcome("forbidden"))["error"]["value"] == "forbidden"


async def test_the_peers_understand_each_other(need: Need) -> None:
    """Otherwise the other tests with them would say nothing."""
    command = [check_installed(need), str(FOLDER / "self_test.mjs")]
    ended = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
    assert ended.returncode == 0, ended.stdout.decode()
