"""Handlers of actions, feeds and handshakes: which one is called, with what, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import InvalidArgument, Rejected
from rcex_ws.feedme.server import FeedmeServer, Refusal
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import HANDSHAKE, REJECTION, action, feed_close, feed_open

pytestmark = pytest.mark.anyio


async def test_sync_handlers_run_in_order_and_async_ones_concurrently() -> None:
    async with FeedmeServer() as server:
        order: list[str] = []
        go = anyio.Event()

        @server.action("wait")
        async def wait(client: Any, args: Any) -> dict[str, Any]:
            order.append(f"begin {args['n']}")
            await go.wait()
            return {}

        @server.action("plain")
        def plain(client: Any, args: Any) -> dict[str, Any]:
            order.append(f"plain {args['n']}")
            return {}

        @server.action("go")
        def release(client: Any, args: Any) -> dict[str, Any]:
            go.set()
            return {}

        async with connected(server.url) as client, connected(server.url) as other:
            await client.send(*(action("wait", {"n": n}, f"w{n}") for n in (1, 2)))
            await client.send(*(action("plain", {"n": n}, f"p{n}") for n in (1, 2)))
            assert [(await client.receive())["CallbackId"] for _ in range(2)] == ["p1", "p2"]
            assert (await other.ask(action("go")))["Success"]
            assert {(await client.receive())["CallbackId"] for _ in range(2)} == {"w1", "w2"}
        assert [one for one in order if "plain" in one] == ["plain 1", "plain 2"]
        assert {one for one in order if "begin" in one} == {"begin 1", "begin 2"}


async def test_a_handler_for_all_other_names_gets_the_name() -> None:
    async with FeedmeServer() as server:
        server.action("known")(lambda client, args: {"known": args})
        server.action()(lambda client, name, args: {"other": name})
        server.feed("known")(lambda client, args: {"known": args})
        server.feed()(lambda client, name, args: {"other": [name, args]})
        async with connected(server.url) as client:
            assert (await client.ask(action("known", {"a": 1})))["ActionData"] == {"known": {"a": 1}}
            assert (await client.ask(action("unknown")))["ActionData"] == {"other": "unknown"}
            assert (await client.ask(feed_open("known")))["FeedData"] == {"known": {}}
            assert (await client.ask(feed_open("else", a="1")))["FeedData"] == {"other": ["else", {"a": "1"}]}


@pytest.mark.parametrize("sync", [True, False])
async def test_refusals_and_failures(sync: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with FeedmeServer() as server:
        errors: list[Exception] = []
        server.on("error", errors.append)

        def fail(client: Any, args: Any) -> Any:
            if args.get("refuse"):
                raise Refusal("NO_WAY", {"why": [1]})
            if args.get("fail"):
                raise ZeroDivisionError("oops")
            return None

        async def fail_later(client: Any, args: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            return fail(client, args)

        server.action("do")(fail if sync else fail_later)
        server.feed("feed")(fail if sync else fail_later)
        async with connected(server.url) as client:
            for message in (action("do", {"refuse": "1"}), feed_open("feed", refuse="1")):
                answer = await client.ask(message)
                assert (answer["ErrorCode"], answer["ErrorData"]) == ("NO_WAY", {"why": [1]})
            for message in (
                action("do", {"fail": "1"}),
                feed_open("feed", fail="1"),
                action("do"),
                feed_open("feed"),
            ):
                answer = await client.ask(message)
                assert (answer["ErrorCode"], answer["ErrorData"]) == ("INTERNAL_ERROR", {})
        await server.aclose()
    assert [type(error) for error in errors] == [
        ZeroDivisionError,
        ZeroDivisionError,
        InvalidArgument,
        InvalidArgument,
    ]
    assert str(errors[2]).startswith("INVALID_ARGUMENT: the result of the action 'do': expected a JSON object")
    assert str(errors[3]).startswith("INVALID_ARGUMENT: the data of the feed 'feed': expected a JSON object")
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 4


async def test_a_handler_decides_who_may_open_a_live_feed() -> None:
    async with FeedmeServer() as server:
        feed = server.live_feed("feed", {}, {"n": 1})
        server.feed()(lambda *_: {"not": "asked"})

        @server.feed("feed")
        async def let_in(client: Any, args: Any) -> Any:
            if "user" not in client.state:
                raise Refusal("LOGIN_FIRST")
            return feed

        @server.action("login")
        def login(client: Any, args: Any) -> dict[str, Any]:
            client.state["user"] = args["user"]
            return {}

        server.live_feed("open", {}, {"n": 2})
        async with connected(server.url) as client:
            assert (await client.ask(feed_open()))["ErrorCode"] == "LOGIN_FIRST"
            await client.ask(action("login", {"user": "ann"}))
            assert (await client.ask(feed_open()))["FeedData"] == {"n": 1}
            assert (await client.ask(feed_open("open")))["FeedData"] == {"n": 2}
            assert server.clients[0].state == {"user": "ann"}


async def test_a_handshake_may_be_refused() -> None:
    async with FeedmeServer() as server:

        @server.handshake
        async def check(client: Any) -> None:
            if client.request.headers.get("x-key") != "good":
                raise Refusal("WRONG_KEY")

        async with connected(server.url, handshake=False) as client:
            assert await client.ask(HANDSHAKE) == REJECTION
        async with connected(server.url, headers={"X-Key": "good"}) as client:
            assert (await client.ask(action()))["ErrorCode"] == "INTERNAL_ERROR"


async def test_a_handler_is_told_of_closed_feeds(until: Callable[..., Any]) -> None:
    async with FeedmeServer() as server:
        closed: list[Any] = []

        @server.feed_closed
        async def note(client: Any, name: str, args: Any) -> None:
            closed.append((name, args))

        server.feed("feed")(lambda client, args: {})
        async with connected(server.url) as client:
            await client.ask(feed_open("feed", n="1"))
            await client.ask(feed_open("feed", n="2"))
            await client.ask(feed_close("feed", n="1"))
            assert closed == [("feed", {"n": "1"})]
            await client.close()
        await until(lambda: len(closed) == 2)
        assert closed[1] == ("feed", {"n": "2"})


def test_a_handler_that_cannot_be_called_or_is_not_the_first_is_refused() -> None:
    server = FeedmeServer()
    server.action("do")(lambda *_: {})
    server.feed()(lambda *_: {})
    for wrong in (
        lambda: server.action("do"),
        lambda: server.feed(),
        lambda: server.action(len),  # type: ignore[type-var]
        lambda: server.action("x")(5),  # type: ignore[type-var]
        lambda: server.feed_closed(5),  # type: ignore[type-var]
        lambda: server.handshake(None),  # type: ignore[type-var]
    ):
        with pytest.raises(InvalidArgument):
            wrong()


def test_a_second_handler_of_handshakes_or_closed_feeds_is_refused() -> None:
    """It would silently replace the first."""
    server = FeedmeServer()
    server.feed_closed(lambda *_: None)
    server.handshake(lambda _: None)
    with pytest.raises(InvalidArgument, match="there is a handler 'feed_closed' already"):
        server.feed_closed(lambda *_: None)
    with pytest.raises(InvalidArgument, match="there is a handler 'handshake' already"):
        server.handshake(lambda _: None)


async def test_a_refusal_with_wrong_arguments() -> None:
    with pytest.raises(InvalidArgument, match="error_code: expected a text"):
        Refusal(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="error_data"):
        Refusal("NO", {"a": {1}})


async def test_what_nobody_has_made_is_logged_once_for_each_name(caplog: pytest.LogCaptureFixture) -> None:
    async with FeedmeServer() as server, FeedmeClient(transport=server.memory_transport) as client:
        for name in ("scor", "scor", *(f"name {number}" for number in range(200))):
            with pytest.raises(Rejected, match="INTERNAL_ERROR"):
                await client.action(name, {})
        feed = client.feed("Board", {"game": "2"})
        feed.desire_open()
        with pytest.raises(Rejected, match="INTERNAL_ERROR"):
            await feed.wait_open()
    warned = [record.getMessage() for record in caplog.records if record.name == "rcex_ws.feedme.server"]
    assert warned[0] == "a client asks for the action 'scor', for which there is no handler, and no live feed"
    assert len(warned) == 100
