"""What a session asks of the network: the upgrade, heartbeats, and what follows a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import TransportFailure
from tests.feedme.scripted import Told
from tests.feedme.served import Served, served
from tests.websocket_peer import Peer

LOST = "disconnect TRANSPORT_FAILURE"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as server:
        yield server


async def test_the_client_offers_the_subprotocol_and_sends_its_headers(server: Served) -> None:
    async with FeedmeClient(server.url, headers={"Authorization": "Bearer x"}):
        (upgrade,) = server.upgrades
    assert upgrade.subprotocols == ("feedme",)
    assert upgrade.headers["authorization"] == "Bearer x"


async def test_a_server_that_does_not_select_the_subprotocol_is_a_failure(server: Served) -> None:
    server.selects = False
    with pytest.raises(TransportFailure, match="feedme"):
        async with FeedmeClient(server.url, connect_retry=-1):
            pytest.fail("it is not connected")


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_a_refused_upgrade_is_a_failure_that_is_retried(server: Served, status: int, ms: float) -> None:
    server.refusal = status
    told = Told()
    client = FeedmeClient(server.url, connect_retry=ms, connect_retry_backoff=0)
    client.on("disconnect", lambda error: told.add("disconnect", error))

    def accept(_: Exception) -> None:
        if len(server.upgrades) == 2:
            server.refusal = None

    client.on("disconnect", accept)
    async with client:
        assert len(server.upgrades) == 3
    (error,) = told.of(LOST)[0]
    assert error.transport_error.status == status


async def test_no_server_at_all_is_a_failure(free_url: str) -> None:
    with pytest.raises(TransportFailure) as caught:
        async with FeedmeClient(free_url, connect_retry=-1):
            pytest.fail("it is not connected")
    assert caught.value.code == "TRANSPORT_FAILURE"


@pytest.fixture
async def free_url() -> str:
    async with served() as server:
        return server.url


async def test_a_server_that_answers_no_heartbeat_is_lost(server: Served, ms: float) -> None:
    server.deaf = True
    told = Told()
    client = FeedmeClient(server.url, heartbeat_interval=20 * ms, heartbeat_timeout=20 * ms, reconnect=False)
    client.on("disconnect", lambda error: told.add("disconnect", error))
    async with client:
        (error,) = await told.wait(LOST)
        assert "heartbeat" in str(error)


async def test_one_that_answers_them_is_not(server: Served, ms: float) -> None:
    async with FeedmeClient(server.url, heartbeat_interval=5 * ms, heartbeat_timeout=500 * ms) as client:
        await anyio.sleep(50 * ms)
        assert client.state == "connected"
        assert len(server.upgrades) == 1


async def test_the_secret_in_an_address_is_in_no_error(peer: Peer) -> None:
    peer.refusals.append((500, {}))
    with pytest.raises(TransportFailure) as caught:
        async with FeedmeClient(peer.url, connect_retry=-1):
            pytest.fail("it is not connected")
    assert "SECRET" not in f"{caught.value} {caught.value.transport_error!r}"


async def test_steps_are_traced(server: Served) -> None:
    events: list[Any] = []
    async with FeedmeClient(server.url, trace=events.append):
        pass
    assert {"attempt", "handshake", "close"} <= {str(event.step) for event in events}
