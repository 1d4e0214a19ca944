"""The gateway over in-memory streams: long intervals pass instantly under trio's MockClock."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect

from rcex_ws.connection import Endpoint
from rcex_ws.testing import MemoryGateway
from rcex_ws.websocket.socket import Receivers
from tests.reading import read

FILTER = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can advance."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
async def memory() -> AsyncIterator[MemoryGateway]:
    async with MemoryGateway() as memory:
        answer = await memory.http.post(
            "/restapi/oauth/token",
            auth=(memory.client_id, memory.client_secret),
            data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": memory.jwt},
        )
        memory.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield memory


async def address(memory: MemoryGateway) -> str:
    wstoken = (await memory.http.post("/restapi/oauth/wstoken")).json()
    assert wstoken["uri"] == memory.ws_uri
    return f"{wstoken['uri']}?access_token={wstoken['ws_access_token']}"


async def dial(memory: MemoryGateway, wsc: str | None = None) -> connect:
    """Return a context manager that opens a WebSocket to the gateway, with the client's own timers off."""
    uri = await address(memory) + (f"&wsc={wsc}" if wsc else "")
    return connect(uri, stream=memory.open_stream(), ping_interval=None, open_timeout=None)


async def receive(ws: ClientConnection) -> tuple[dict[str, Any], Any]:
    meta, *body = json.loads(await ws.recv())
    return meta, body[0] if body else None


async def subscribe(ws: ClientConnection) -> str:
    meta = {"type": "ClientRequest", "messageId": "1", "method": "POST", "path": "/restapi/v1.0/subscription"}
    await ws.send(json.dumps([meta, {"eventFilters": [FILTER], "deliveryMode": {"transportType": "WebSocket"}}]))
    _, body = await receive(ws)
    return str(body["id"])


async def send_pager(memory: MemoryGateway) -> None:
    me = {"extensionNumber": "101"}
    answer = await memory.http.post(
        "/restapi/v1.0/account/~/extension/~/company-pager", json={"from": me, "to": [me], "text": "hello"}
    )
    assert answer.status_code == 200


async def test_idle_timeout_of_half_an_hour_passes_at_once(memory: MemoryGateway) -> None:
    started, started_real = trio.current_time(), time.monotonic()
    async with await dial(memory) as ws:
        meta, details = await receive(ws)
        assert (meta["type"], details["idleTimeout"]) == ("ConnectionDetails", 1800)
        meta, body = await receive(ws)
        assert (meta["type"], body["errorCode"]) == ("Error", "WSG-902")
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    assert trio.current_time() - started == pytest.approx(1800, abs=1)
    assert time.monotonic() - started_real < 10


async def test_a_heartbeat_postpones_the_idle_timeout(memory: MemoryGateway) -> None:
    started = trio.current_time()
    async with await dial(memory) as ws:
        await receive(ws)
        await trio.sleep(1000)
        await ws.send('[{"type":"Heartbeat","messageId":"h"}]')
        assert await receive(ws) == ({"type": "Heartbeat", "messageId": "h"}, None)
        _, body = await receive(ws)
    assert body["errorCode"] == "WSG-902"
    assert trio.current_time() - started == pytest.approx(2800, abs=1)


@pytest.mark.parametrize(("seconds", "state"), [(170, "Successful"), (190, "Failed")])
async def test_a_cut_session_is_recovered_within_its_window_only(
    memory: MemoryGateway, seconds: float, state: str
) -> None:
    async with await dial(memory) as ws:
        wsc = (await receive(ws))[0]["wsc"]["token"]
        subscription = await subscribe(ws)
        assert memory.gateway.cut() == 1
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    await send_pager(memory)
    await trio.sleep(seconds)
    async with await dial(memory, wsc) as ws:
        _, details = await receive(ws)
        assert details["recoveryState"] == state
        if state == "Successful":
            meta, body = await receive(ws)
            assert (meta["type"], body["subscriptionId"]) == ("ServerNotification", subscription)


async def test_two_streams_are_two_connections(memory: MemoryGateway) -> None:
    async with await dial(memory) as first, await dial(memory) as second:
        for ws in (first, second):
            assert (await receive(ws))[0]["type"] == "ConnectionDetails"
        await second.send('[{"type":"Heartbeat","messageId":"h"}]')
        assert (await receive(second))[0]["messageId"] == "h"
        assert memory.gateway.cut() == 2


async def test_our_own_client_connects_through_it(memory: MemoryGateway) -> None:
    received: list[bytes] = []
    async with memory.open_websocket(Endpoint(await address(memory))) as socket:
        closed = await read(socket, Receivers(lambda data, binary: received.append(data), lambda data: None))
    assert [json.loads(message)[0]["type"] for message in received] == ["ConnectionDetails", "Error"]
    assert (closed.code, closed.by_peer) == (1000, True)
