"""Starting and closing a server, its address and its options."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.errors import WrongEventLoop
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.server import FeedmeServer, ServerStopping
from rcex_ws.websocket.listen import bind
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import action, feed_open

pytestmark = pytest.mark.anyio


async def test_a_server_listens_on_any_port_until_it_is_closed() -> None:
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


async def test_a_server_that_was_not_started() -> None:
    server = FeedmeServer()
    feed = server.live_feed("feed")
    assert feed.reveal("a") == server.reveal("other", {}, "b") == 0
    assert server.terminate("feed", code="OVER") == 0
    assert server.clients == ()
    await server.aclose()
    await server.aclose()
    with pytest.raises(InvalidState):
        await server.start()


def test_a_server_can_be_prepared_without_an_event_loop() -> None:
    server = FeedmeServer()
    feed = server.live_feed("feed", {}, {"n": 0})
    with feed.change("prepared") as draft:
        draft["n"] = 1
    assert (feed.data, server.reveal("other", {}, "x"), feed.terminate("x")) == ({"n": 1}, 0, 0)


async def test_a_server_has_an_address_only_if_it_listens() -> None:
    server = FeedmeServer(port=0)
    with pytest.raises(InvalidState, match="no address"):
        _ = server.url
    async with server.mounted():
        with pytest.raises(InvalidState, match="is mounted and does not listen"):
            _ = server.url


async def test_a_server_starts_once() -> None:
    async with FeedmeServer() as server:
        with pytest.raises(InvalidState):
            await server.start()
        with pytest.raises(InvalidState):
            async with server.mounted():
                pass


async def test_addresses_that_cannot_be_listened_on() -> None:
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
def test_a_wrong_option_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InvalidArgument, match=f"INVALID_ARGUMENT: {name}: expected"):
        FeedmeServer(**options)


async def test_closing_the_server_disconnects_its_clients() -> None:
    heard: list[Any] = []
    async with FeedmeServer() as server:
        server.on("disconnect", lambda client, error: heard.append(type(error)))
        async with connected(server.url), connected(server.url):
            await server.aclose()
    assert heard == [ServerStopping, ServerStopping]


async def test_a_client_that_does_not_close_is_dropped(ms: float) -> None:
    from tests.websocket.serving import Raw

    heard: list[Any] = []
    async with FeedmeServer(close_timeout=50 * ms) as server:
        server.on("disconnect", lambda client, error: heard.append(type(error)))
        with Raw(int(server.url.rstrip("/").rpartition(":")[2])) as client:
            await client.open()
            await server.aclose()
            assert (await client.rest()).startswith(b"\x88\x02\x03\xe8")
    assert heard == [ServerStopping]


async def test_a_handler_may_close_the_server() -> None:
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


async def test_a_handler_of_an_event_may_close_the_server() -> None:
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


async def test_handlers_that_take_too_long_are_cancelled(ms: float) -> None:
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


async def test_closing_the_server_reports_the_feeds_that_it_closes() -> None:
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


async def test_a_server_is_closed_though_the_caller_is_cancelled() -> None:
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


async def test_another_thread_is_refused() -> None:
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
