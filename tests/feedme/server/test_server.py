"""The server over real sockets: its life, its handlers, revelations and terminations of the application."""

from __future__ import annotations

import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from rcex_ws.errors import WrongEventLoop
from rcex_ws.feedme.deltas import Delta
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.server import FeedmeServer, Refusal, ServerStopping
from rcex_ws.websocket.listen import bind
from tests.feedme.server.raw_client import HANDSHAKE, action, connected, feed_close, feed_open

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
        assert await client.receive() == {
            "MessageType": "ActionResponse",
            "Success": True,
            "CallbackId": "1",
            "ActionData": {"new": 1},
        }
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
async def test_the_dialects(dialect: str, notification: str, client_id: bool) -> None:
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


class TestHandlers:
    async def test_sync_ones_run_in_order_and_async_ones_together(self) -> None:
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

    async def test_one_for_all_other_names_gets_the_name(self) -> None:
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
    async def test_refusals_and_failures(self, sync: bool, caplog: pytest.LogCaptureFixture) -> None:
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

    async def test_a_handler_decides_who_may_open_a_live_feed(self) -> None:
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

    async def test_a_handshake_may_be_refused(self) -> None:
        async with FeedmeServer() as server:

            @server.handshake
            async def check(client: Any) -> None:
                if client.request.headers.get("x-key") != "good":
                    raise Refusal("WRONG_KEY")

            async with connected(server.url, handshake=False) as client:
                assert await client.ask(HANDSHAKE) == {"MessageType": "HandshakeResponse", "Success": False}
            async with connected(server.url, headers={"X-Key": "good"}) as client:
                assert (await client.ask(action()))["ErrorCode"] == "INTERNAL_ERROR"

    async def test_they_are_told_of_closed_feeds(self, until: Callable[..., Any]) -> None:
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

    def test_what_cannot_be_one_is_refused(self) -> None:
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

    def test_a_second_handler_of_the_same_is_refused(self) -> None:
        """It would silently replace the first."""
        server = FeedmeServer()
        server.feed_closed(lambda *_: None)
        server.handshake(lambda _: None)
        with pytest.raises(InvalidArgument, match="there is a handler 'feed_closed' already"):
            server.feed_closed(lambda *_: None)
        with pytest.raises(InvalidArgument, match="there is a handler 'handshake' already"):
            server.handshake(lambda _: None)

    async def test_what_is_no_refusal(self) -> None:
        with pytest.raises(InvalidArgument, match="error_code: expected a text"):
            Refusal(5)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="error_data"):
            Refusal("NO", {"a": {1}})


class TestLife:
    async def test_it_listens_on_any_port_until_it_is_closed(self) -> None:
        server = FeedmeServer()
        async with server, connected(server.url) as client:
            assert (await client.ask(action()))["ErrorCode"] == "INTERNAL_ERROR"
            await server.aclose()
            assert await client.receive() is None
            assert client.ending is not None
            assert client.ending.code == 1000
        assert server.clients == ()
        with pytest.raises(InvalidState, match="a server runs once"):
            await server.start()
        with bind("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2])):
            pass

    async def test_a_server_that_was_not_started(self) -> None:
        server = FeedmeServer()
        feed = server.live_feed("feed")
        assert feed.reveal("a") == server.reveal("other", {}, "b") == 0
        assert server.terminate("feed", code="OVER") == 0
        assert server.clients == ()
        await server.aclose()
        await server.aclose()
        with pytest.raises(InvalidState):
            await server.start()

    def test_without_an_event_loop_it_can_be_prepared(self) -> None:
        server = FeedmeServer()
        feed = server.live_feed("feed", {}, {"n": 0})
        with feed.change("prepared") as draft:
            draft["n"] = 1
        assert (feed.data, server.reveal("other", {}, "x"), feed.terminate("x")) == ({"n": 1}, 0, 0)

    async def test_a_server_has_an_address_only_if_it_listens(self) -> None:
        server = FeedmeServer(port=0)
        with pytest.raises(InvalidState, match="no address"):
            _ = server.url
        async with server.mounted():
            with pytest.raises(InvalidState, match="is mounted and does not listen"):
                _ = server.url

    async def test_it_starts_once(self) -> None:
        async with FeedmeServer() as server:
            with pytest.raises(InvalidState):
                await server.start()
            with pytest.raises(InvalidState):
                async with server.mounted():
                    pass

    async def test_the_address(self) -> None:
        with bind() as taken:
            port = taken.getsockname()[1]
            with pytest.raises(InvalidArgument, match=f"port: {port} is in use"):
                await FeedmeServer(port=port).start()
        with pytest.raises(InvalidArgument, match=r"host: cannot listen on '192\.0\.2\.1'"):
            await FeedmeServer(host="192.0.2.1").start()
        for host in ("\ud800", "127.0.0.1\0x"):
            with pytest.raises(InvalidArgument, match=r"host: cannot listen on .*: it is no name of a host"):
                await FeedmeServer(host=host).start()
        async with FeedmeServer(host="0.0.0.0") as server:
            assert server.url.startswith("ws://127.0.0.1:")
            async with connected(server.url):
                pass

    @pytest.mark.parametrize(
        "options",
        [
            {"port": -1},
            {"host": ""},
            {"dialect": "C"},
            {"handshake_timeout": -1},
            {"heartbeat_interval": 0},
            {"max_size": "1"},
            {"max_actions": 0},
            {"disconnect_on_violation": 1},
            {"ssl_context": True},
        ],
    )
    def test_a_wrong_option_is_refused(self, options: dict[str, Any]) -> None:
        (name,) = options
        with pytest.raises(InvalidArgument, match=f"INVALID_ARGUMENT: {name}: expected"):
            FeedmeServer(**options)

    async def test_clients_are_told_of_the_end(self) -> None:
        heard: list[Any] = []
        async with FeedmeServer() as server:
            server.on("disconnect", lambda client, error: heard.append(type(error)))
            async with connected(server.url), connected(server.url):
                await server.aclose()
        assert heard == [ServerStopping, ServerStopping]

    async def test_a_client_that_does_not_close_is_dropped(self, ms: float) -> None:
        from tests.websocket.serving import Raw

        async with FeedmeServer(close_timeout=50 * ms) as server:
            with Raw(int(server.url.rstrip("/").rpartition(":")[2])) as client:
                await client.open()
                await server.aclose()
                assert (await client.rest()).startswith(b"\x88\x02\x03\xe8")

    async def test_it_may_be_closed_by_a_handler(self) -> None:
        async with FeedmeServer() as server:
            done: list[str] = []

            @server.action("stop")
            async def stop(client: Any, args: Any) -> dict[str, Any]:
                await server.aclose()
                done.append("closed")
                return {}

            async with connected(server.url) as client:
                await client.send(action("stop"))
                assert await client.receive() is None
            await server.aclose()
        assert done == ["closed"]

    async def test_it_may_be_closed_by_a_handler_of_an_event(self) -> None:
        async with FeedmeServer() as server:
            closed = anyio.Event()

            @server.on("disconnect")
            async def stop(client: Any, error: Any) -> None:
                await server.aclose()
                closed.set()

            async with connected(server.url) as client:
                await client.close()
            with anyio.fail_after(10):
                await closed.wait()

    async def test_handlers_that_take_too_long_are_cancelled(self, ms: float) -> None:
        ended: list[str] = []
        async with FeedmeServer(close_timeout=100 * ms) as server:

            @server.action("wait")
            async def wait(client: Any, args: Any) -> None:
                try:
                    await anyio.sleep_forever()
                finally:
                    ended.append("cancelled")

            @server.action("quick")
            async def quick(client: Any, args: Any) -> dict[str, Any]:
                while server.clients:
                    await anyio.lowlevel.checkpoint()
                ended.append("finished")
                return {}

            server.action("last")(lambda *_: {})
            async with connected(server.url) as client:
                await client.send(action("wait"), action("quick", callback_id="2"), action("last", callback_id="3"))
                assert (await client.receive())["CallbackId"] == "3"
                await server.aclose()
        assert ended == ["finished", "cancelled"]

    async def test_the_application_is_told_of_feeds_that_the_end_closes(self) -> None:
        closed: list[str] = []
        async with FeedmeServer() as server:
            server.live_feed("feed")

            @server.feed_closed
            async def note(client: Any, name: str, args: Any) -> None:
                await anyio.lowlevel.checkpoint()
                closed.append(name)

            async with connected(server.url) as client:
                await client.ask(feed_open())
                await server.aclose()
        assert closed == ["feed"]

    async def test_it_is_closed_though_the_caller_is_cancelled(self) -> None:
        server = FeedmeServer()
        with anyio.move_on_after(0):
            async with server:
                await anyio.sleep_forever()
        assert server.clients == ()
        async with FeedmeServer() as other, connected(other.url) as client:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await other.aclose()
            assert await client.receive() is None

    async def test_another_thread_is_refused(self) -> None:
        async with FeedmeServer() as server:
            feed = server.live_feed("feed")
            async with connected(server.url) as one:
                (client,) = server.clients
                for call in (
                    lambda: server.reveal("x", {}, "y"),
                    lambda: server.terminate("x", code="y"),
                    lambda: feed.reveal("x"),
                    lambda: feed.change("x").__enter__(),
                    lambda: feed.terminate("x"),
                    client.disconnect,
                    lambda: client.feeds,
                ):
                    with pytest.raises(WrongEventLoop, match="this server belongs to an event loop"):
                        await anyio.to_thread.run_sync(call)
                assert await one.rest() == []


class TestSubprotocol:
    @pytest.mark.parametrize("offered", ["feedme", "FeedMe", None])
    async def test_what_is_accepted(self, offered: str | None) -> None:
        async with FeedmeServer() as server, connected(server.url, subprotocol=offered):
            assert server.clients[0].request.subprotocols == (() if offered is None else (offered,))

    async def test_a_client_of_another_protocol_is_refused(self) -> None:
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


class TestReveal:
    async def test_it_reaches_who_has_the_feed_open(self) -> None:
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

    async def test_wrong_arguments_are_refused(self) -> None:
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


class TestTerminate:
    async def test_the_three_forms(self) -> None:
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

    async def test_a_live_feed_outlives_its_clients_until_it_is_closed(self) -> None:
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

    async def test_a_live_feed_is_refused_while_clients_have_a_plain_one_open(self) -> None:
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


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_program_ends_quietly_without_aclose(loop: str) -> None:
    program = f"""
    import {loop}
    from rcex_ws.feedme import FeedmeClient, FeedmeServer

    async def main():
        server = FeedmeServer()
        await server.start()
        async with FeedmeClient(server.url):
            print("done")

    {loop}.run({"main()" if loop == "asyncio" else "main"})
    """
    result = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")
