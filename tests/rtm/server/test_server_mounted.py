"""A server within an application of Starlette, under uvicorn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from rcex_ws.errors import UpgradeRefused, WrongEventLoop
from rcex_ws.rtm.server import RtmServer
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import open_websocket
from tests.rtm.server.raw_client import RawClient, connected
from tests.rtm.server.wire import Wire, running, user
from tests.under_uvicorn import under_uvicorn

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def application(server: RtmServer, *, mounted: bool = True) -> Iterator[str]:
    """Run an application in a thread; yields host and port."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if mounted:
            async with server.mounted():
                yield
        else:
            yield

    routes = [WebSocketRoute("/rtm", server.asgi), Mount("/mount", server.asgi)]
    with under_uvicorn(Starlette(routes=routes, lifespan=lifespan)) as address:
        yield address


def prepared(**options: Any) -> RtmServer:
    server = RtmServer(authenticate=user, **options)

    @server.register
    async def publish(client: Any, *data: Any) -> int:
        return await server.publish("ann", "e", *data)

    return server


async def authenticated(client: RawClient) -> Any:
    """Authenticate; return the argument of the first event."""
    await client.send({"id": "a", "type": "auth", "data": ["ann"]})
    start = await client.receive()
    assert (await client.receive())["data"] == "ann"
    return start["data"][0]


def call(*data: Any) -> dict[str, Any]:
    return {"id": "c", "type": "invoke", "function": "publish", "data": data}


@pytest.mark.parametrize("path", ["/rtm", "/mount/x"])
async def test_a_session_over_two_connections(path: str) -> None:
    with application(prepared()) as address:
        async with connected(f"ws://{address}{path}", resume="new") as client:
            start = await authenticated(client)
            await client.send(call(1))
            assert (await client.receive())["data"] == [1]
            assert await client.receive() == {"id": "c", "data": 1}
            await client.drop()
        header = f"{start['session']};1;"
        async with connected(f"ws://{address}{path}", resume=header) as client:
            assert (await authenticated(client))["resumed"]
            await client.send(call(2))
            assert (await client.receive())["data"] == [2]


async def test_a_client_that_has_missed_half_of_its_buffer_gets_it() -> None:
    """An ASGI server counts all that was not yet sent, also what is sent at once."""
    with application(prepared(max_buffer=20_000, max_resume_bytes=2**20)) as address:
        async with connected(f"ws://{address}/rtm", resume="new") as client:
            start = await authenticated(client)
            for _ in range(9):
                await client.send(call("x" * 1000))
                await client.receive()
                await client.receive()
            await client.drop()
        async with connected(f"ws://{address}/rtm", resume=f"{start['session']};0;") as client:
            assert (await authenticated(client))["resumed"]
            for _ in range(9):
                assert (await client.receive())["event"] == "e"


async def test_the_end_of_the_application_moves_the_clients() -> None:
    server = prepared()
    with application(server) as address:
        async with connected(f"ws://{address}/rtm", resume="new") as client:
            await authenticated(client)
            assert len(server.clients) == 1
            await client.close()
    assert server.clients == ()


async def test_a_server_that_does_not_run_refuses() -> None:
    with application(prepared(), mounted=False) as address, pytest.raises(UpgradeRefused) as caught:
        await open_websocket(Endpoint(f"ws://{address}/rtm", proxy=False)).__aenter__()
    assert caught.value.status == 503


async def test_another_request_than_for_a_websocket() -> None:
    def get(url: str) -> tuple[int, bytes]:
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(url))
        with caught.value as response:
            return response.code, response.read()

    with application(prepared()) as address:
        status, body = await anyio.to_thread.run_sync(get, f"http://{address}/mount/x")
    assert (status, body) == (426, b"This is a WebSocket of the RTM protocol.\n")


async def test_a_server_that_runs_in_another_loop_says_so() -> None:
    async with running() as node:
        wire = Wire({}, node.server._settings.peer_options)

        def serve() -> None:
            anyio.run(node.server._runtime.serve_mounted, wire)

        with pytest.raises(WrongEventLoop, match="this server belongs to another event loop"):
            await anyio.to_thread.run_sync(serve)
