"""The server over real sockets: conversations, dialects, subprotocols, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from rcex_ws.feedme.deltas import Delta
from rcex_ws.feedme.server import FeedmeServer
from rcex_ws.feedme.values import MAX_NESTING, freeze
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import HANDSHAKE, action, answered, feed_close, feed_open

pytestmark = pytest.mark.anyio


async def test_a_conversation() -> None:
    server = FeedmeServer()
    scores = server.live_feed("scores", {"game": "1"}, {"ann": 0})

    @server.action("score")
    def score(client: Any, args: Any) -> dict[str, Any]:
        with scores.change("scored", args) as draft:
            draft[args["player"]] += 1
        return {"new": scores.data["ann"]}

    async with server, connected(server.url) as client:
        opened = await client.ask(feed_open("scores", game="1"))
        assert (opened["Success"], opened["FeedData"]) == (True, {"ann": 0})
        revealed = await client.ask(action("score", {"player": "ann"}))
        assert (revealed["MessageType"], revealed["ActionData"]) == ("FeedAction", {"player": "ann"})
        assert await client.receive() == answered("1", {"new": 1})
        assert (await client.ask(feed_close("scores", game="1")))["MessageType"] == "FeedCloseResponse"
        assert (await client.ask(action("score", {"player": "ann"})))["ActionData"] == {"new": 2}
        assert await client.rest() == []


@pytest.mark.parametrize(
    ("dialect", "notification", "client_id"),
    [
        ("specification", "FeedAction", False),
        ("revelation", "ActionRevelation", False),
        ("client_id", "ActionRevelation", True),
    ],
)
async def test_the_names_on_the_wire_in_each_dialect(dialect: str, notification: str, client_id: bool) -> None:
    async with FeedmeServer(dialect=dialect) as server:
        feed = server.live_feed("feed")
        server.feed("other")(lambda client, args: {})
        async with connected(server.url, handshake=False) as client:
            shaken = await client.ask(HANDSHAKE)
            assert ("ClientId" in shaken) == client_id
            assert shaken.get("ClientId") in (None, server.clients[0].id)
            await client.ask(feed_open("feed"))
            await client.ask(feed_open("other"))
            assert feed.reveal("a") == server.reveal("other", {}, "b") == 1
            assert [(await client.receive())["MessageType"] for _ in range(2)] == [notification] * 2


@pytest.mark.parametrize("offered", ["feedme", "FeedMe", None])
async def test_a_client_may_offer_the_subprotocol_in_any_spelling_or_none(offered: str | None) -> None:
    async with FeedmeServer() as server, connected(server.url, subprotocol=offered):
        assert server.clients[0].request.subprotocols == (() if offered is None else (offered,))


async def test_a_client_of_another_protocol_is_refused() -> None:
    from tests.websocket.serving import UPGRADE, Raw

    async with FeedmeServer() as server:
        with Raw(int(server.url.rstrip("/").rpartition(":")[2])) as client:
            await client.send(UPGRADE[:-2] + b"Sec-WebSocket-Protocol: chat, soap\r\n\r\n")
            response = await client.rest()
    assert response.startswith(b"HTTP/1.1 400 ")
    assert response.endswith(b"This server speaks the subprotocol feedme only.\n")


async def test_tls(authority: trustme.CA) -> None:
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    async with FeedmeServer(ssl_context=ours) as server:
        assert server.url.startswith("wss://127.0.0.1:")
        async with connected(server.url, ssl_context=theirs) as client:
            assert (await client.ask(action()))["ErrorCode"] == "INTERNAL_ERROR"


async def test_clients_that_come_and_go_leave_nothing_behind(until: Callable[..., Any]) -> None:
    """They close, drop the connection or break the rules, while feeds open and close and actions are under way."""
    async with FeedmeServer() as server:
        feed = server.live_feed("feed", {}, {"n": 0})
        left: list[str] = []
        server.on("disconnect", lambda client, error: left.append(client.id))

        @server.feed("slow")
        async def open_slowly(client: Any, args: Any) -> dict[str, Any]:
            await anyio.lowlevel.checkpoint()
            return {}

        @server.action("more")
        async def more(client: Any, args: Any) -> dict[str, Any]:
            await anyio.lowlevel.checkpoint()
            feed.reveal("more", {}, [Delta("Increment", ("n",), 1)])
            return {}

        async def come_and_go(number: int) -> None:
            async with connected(server.url) as client:
                await client.send(feed_open(), feed_open("slow"), action("more"), feed_close())
                if number % 2:
                    await client.ask(feed_open())
                if number % 3 == 0:
                    await client.drop()
                elif number % 3 == 1:
                    await client.send(b"binary")

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(come_and_go, number)
        await until(lambda: len(left) == 40)
        assert feed.subscribers == 0
        assert server.clients == ()
        assert [*server._core.channels._channels] == ["feed"]
    assert feed.data["n"] <= 40


async def test_what_one_client_sends_cannot_make_a_feed_unreadable_for_the_others() -> None:
    """What is nested as deep as may be is too deep within something else."""
    async with FeedmeServer() as server:
        feed = server.live_feed("feed", {}, {"said": []})

        @server.action("say")
        def say(client: Any, args: Any) -> dict[str, Any]:
            with feed.change("said") as draft:
                draft["said"].append(args)
            return {}

        deep: dict[str, Any] = {}
        for _ in range(MAX_NESTING - 1):
            deep = {"a": deep}
        async with connected(server.url) as client:
            assert (await client.ask(action("say", deep)))["ErrorCode"] == "INTERNAL_ERROR"
            assert (await client.ask(feed_open("feed")))["FeedData"] == {"said": []}
        feed.reveal("more", {}, [Delta("InsertLast", ("said",), deep["a"]["a"])])
        async with connected(server.url) as client:
            assert freeze((await client.ask(feed_open("feed")))["FeedData"]) == feed.data
