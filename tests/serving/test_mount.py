"""A server within an application of Starlette, under uvicorn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import anyio
import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from rcex_ws.errors import UpgradeRefused
from rcex_ws.feedme.server import FeedmeServer
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import open_websocket
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import action, feed_open
from tests.under_uvicorn import under_uvicorn

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def running(server: FeedmeServer, *, mounted: bool = True) -> Iterator[str]:
    """Run the application in a thread; yields host and port."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if mounted:
            async with server.mounted():
                yield
        else:
            yield

    routes = [WebSocketRoute("/route", server.asgi), Mount("/mount", server.asgi)]
    with under_uvicorn(Starlette(routes=routes, lifespan=lifespan)) as address:
        yield address


def scoring() -> FeedmeServer:
    server = FeedmeServer()
    feed = server.live_feed("feed", {}, {"n": 0})

    @server.action("score")
    def score(client: Any, args: Any) -> dict[str, Any]:
        with feed.change("scored") as draft:
            draft["n"] += 1
        return {"path": client.request.path}

    return server


@pytest.mark.parametrize("path", ["/route", "/mount/x"])
async def test_a_conversation(path: str) -> None:
    with running(scoring()) as address:
        async with connected(f"ws://{address}{path}") as client, connected(f"ws://{address}{path}") as other:
            for one in (client, other):
                assert (await one.ask(feed_open()))["FeedData"] == {"n": 0}
            assert (await client.ask(action("score")))["ActionName"] == "scored"
            assert (await client.receive())["ActionData"] == {"path": path}
            assert (await other.receive())["ActionName"] == "scored"
            assert (await other.ask("x"))["Diagnostics"]["Message"] == "x"


async def test_the_end_of_the_application_closes_the_server() -> None:
    server = scoring()
    with running(server) as address:
        async with connected(f"ws://{address}/route") as client:
            assert len(server.clients) == 1
            await client.close()
    assert server.clients == ()


async def test_a_server_that_does_not_run_refuses() -> None:
    with running(scoring(), mounted=False) as address, pytest.raises(UpgradeRefused) as caught:
        await open_websocket(Endpoint(f"ws://{address}/route", proxy=False)).__aenter__()
    assert caught.value.status == 503


async def test_another_request_than_for_a_websocket() -> None:
    def get(url: str) -> tuple[int, bytes]:
        with pytest.raises(HTTPError) as caught:
            urlopen(url)
        with caught.value as response:
            return response.code, response.read()

    with running(scoring()) as address:
        status, body = await anyio.to_thread.run_sync(get, f"http://{address}/mount/x")
    assert (status, body) == (426, b"This is a WebSocket of the Feedme protocol.\n")


async def test_a_mounted_server_has_no_lifespan_of_its_own() -> None:
    with pytest.raises(NotImplementedError, match="lifespan"):
        await FeedmeServer().asgi({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
