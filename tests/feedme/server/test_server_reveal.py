"""Revelations and terminations of feeds whose data the application holds, or the server."""

from __future__ import annotations

import pytest

from rcex_ws.feedme.deltas import Delta
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.server import FeedmeServer
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import feed_open

pytestmark = pytest.mark.anyio


async def test_a_revelation_reaches_the_clients_that_have_the_feed_open() -> None:
    async with FeedmeServer() as server:
        server.feed()(lambda client, name, args: {"n": 0})
        async with connected(server.url) as one, connected(server.url) as two, connected(server.url) as three:
            await one.ask(feed_open("feed", a="1", b="2"))
            await two.ask(feed_open("feed", b="2", a="1"))
            await three.ask(feed_open("feed", a="1"))
            deltas = [Delta("Set", ("n",), 1), {"Operation": "Increment", "Path": ["n"], "Value": 1}]
            args = {"a": "1", "b": "2"}
            assert server.reveal("feed", args, "more", {"x": 1}, deltas, data={"n": 2}) == 2
            assert server.reveal("feed", args, "more", md5="x" * 24) == 2
            assert server.reveal("feed", args, "more") == 2
            assert server.reveal("feed", {}, "more") == server.reveal("none", None, "more") == 0
            message = await one.receive()
            assert message == await two.receive()
            assert (message["FeedArgs"], message["ActionData"]) == (args, {"x": 1})
            assert [delta["Operation"] for delta in message["FeedDeltas"]] == ["Set", "Increment"]
            assert message["FeedMd5"] == "+j8hJRbEXHE3gbna6HgkqQ=="
            assert (await one.receive())["FeedMd5"] == "x" * 24
            assert "FeedMd5" not in await one.receive()
            assert await three.rest() == []


async def test_wrong_arguments_of_revelations_and_terminations_are_refused() -> None:
    async with FeedmeServer() as server:
        server.live_feed("live")
        for wrong, text in (
            (lambda: server.reveal("x", {}, "y", data={}, md5="z"), "data, md5: expected one of them at most"),
            (lambda: server.reveal("x", {}, "y", md5="z"), "md5: expected 24 characters"),
            (lambda: server.reveal("x", {}, "y", data=[]), "data: expected a JSON object"),
            (lambda: server.reveal("x", {}, "y", [1]), "action_data: expected a JSON object"),
            (lambda: server.reveal("x", {}, "y", None, [{"Operation": "Sets"}]), "deltas: a delta has no Path"),
            (lambda: server.reveal("x", {}, 5), "action_name: expected a text"),  # type: ignore[arg-type]
            (lambda: server.reveal("x", {}, "y", {}, None), "deltas: expected a list"),  # type: ignore[arg-type]
            (lambda: server.terminate(client="x", code="y"), "client: expected a Conn"),  # type: ignore[arg-type]
            (lambda: server.terminate("x", "y", code="z"), "args: expected a JSON object"),  # type: ignore[arg-type]
            (lambda: server.reveal(5, {}, "y"), "name: expected a text"),  # type: ignore[arg-type]
            (lambda: server.reveal("x", {"a": 1}, "y"), "args['a']: expected a text"),  # type: ignore[dict-item]
            (lambda: server.reveal("live", {}, "y"), "name, args: the feed 'live' {} is a live one"),
            (lambda: server.live_feed("live", {}), "name, args: there is a live feed 'live' {} already"),
            (lambda: server.live_feed("x", {}, []), "data: expected a JSON object"),
            (lambda: server.live_feed("x", 5), "args: expected a JSON object"),  # type: ignore[arg-type]
            (lambda: server.terminate(code="x"), "name, client: expected one of them at least"),
            (lambda: server.terminate("x", code=5), "code: expected a text"),  # type: ignore[arg-type]
            (lambda: server.terminate("x", code="y", data=5), "data: expected a JSON object"),
        ):
            with pytest.raises(InvalidArgument) as caught:
                wrong()  # type: ignore[no-untyped-call]
            assert str(caught.value).startswith(f"INVALID_ARGUMENT: {text}")


async def test_the_three_forms_of_terminations() -> None:
    async with FeedmeServer() as server:
        server.feed()(lambda client, name, args: {})
        async with connected(server.url) as one, connected(server.url) as two:
            first = server.clients[0]
            for client in (one, two):
                for name in ("a", "b", "c"):
                    await client.ask(feed_open(name))
            assert server.terminate("a", client=first, code="1", data={"x": 1}) == 1
            assert server.terminate("a", client=first, code="1") == 0
            assert server.terminate("b", code="2") == 2
            assert server.terminate(client=first, code="3") == 1
            assert [(one["FeedName"], one["ErrorCode"], one["ErrorData"]) for one in await one.rest()] == [
                ("a", "1", {"x": 1}),
                ("b", "2", {}),
                ("c", "3", {}),
            ]
            assert [(one["FeedName"], one["ErrorCode"]) for one in await two.rest()] == [("b", "2")]


async def test_a_live_feed_outlives_its_clients_until_it_is_closed() -> None:
    async with FeedmeServer() as server:
        feed = server.live_feed("feed", {}, {"n": 1})
        async with connected(server.url) as client:
            await client.ask(feed_open())
            assert feed.terminate("OVER") == 1
            assert (await client.receive())["MessageType"] == "FeedTermination"
            assert (await client.ask(feed_open()))["FeedData"] == {"n": 1}
            feed.close()
            assert (await client.receive())["ErrorCode"] == "FEED_CLOSED"
            assert (await client.ask(feed_open()))["ErrorCode"] == "INTERNAL_ERROR"
            again = server.live_feed("feed", {}, {"n": 2})
            assert (await client.ask(feed_open()))["FeedData"] == {"n": 2}
            assert again.subscribers == 1


async def test_a_live_feed_is_refused_while_clients_have_a_plain_one_open() -> None:
    """They would keep the data that the handler has given them, and believe it to be the live feed's."""
    async with FeedmeServer() as server:
        server.feed("feed")(lambda client, args: {"n": 1})
        async with connected(server.url) as client:
            await client.ask(feed_open())
            with pytest.raises(InvalidArgument, match=r"name, args: the feed .* terminate it first"):
                server.live_feed("feed", {}, {"n": 2})
            assert server.reveal("feed", {}, "more") == 1
            assert (await client.receive())["MessageType"] == "FeedAction"
            assert server.terminate("feed", code="MOVED") == 1
            feed = server.live_feed("feed", {}, {"n": 2})
            assert feed.subscribers == 0
            assert (await client.receive())["ErrorCode"] == "MOVED"
            answer = await client.ask(feed_open())  # as its handler still returns data of its own
            assert answer["ErrorCode"] == "INTERNAL_ERROR"
