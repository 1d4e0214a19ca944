"""The protocol that docs/architecture.md shows: all that one gets from `connection` and `websocket` in 100 lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws.connection import LossKind, Reason, State
from rcex_ws.errors import ConnectFailed, NotConnected, RequestLost, RequestTimeout
from tests.connection import echo
from tests.connection.echo import EchoClient, EchoServer

QUICK: dict[str, Any] = {"reconnect_delays": lambda _: 0.01, "timeout": 5.0}


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    async with EchoServer() as server:
        yield server


def test_it_is_short() -> None:
    assert len(Path(echo.__file__).read_text().splitlines()) < 100


async def test_texts_come_back_also_over_the_next_connection(server: EchoServer, until: Any) -> None:
    async with EchoClient(server.url, **QUICK) as client:
        assert await client.echo("a text with spaces ") == "a text with spaces "
        first = client.supervisor.link
        (peer,) = server.peers
        peer.abort()
        await until(lambda: client.supervisor.is_ready and client.supervisor.link is not first)
        assert first is not None
        assert first.loss is not None
        assert first.loss.kind is LossKind.DROPPED
        assert await client.echo("again") == "again"
    assert client.supervisor.status.reason.code is Reason.CLOSED
    with pytest.raises(NotConnected):
        await client.echo("too late")


async def test_a_heartbeat_without_an_answer_leads_to_a_new_connection(server: EchoServer, until: Any) -> None:
    async with EchoClient(server.url, heartbeat_interval=0.1, heartbeat_timeout=0.2, **QUICK) as client:
        first = client.supervisor.link
        await anyio.sleep(0.5)
        assert client.supervisor.link is first, "the answers keep it up"
        assert first is not None
        assert first.round_trip is not None
        (peer,) = server.peers
        peer.ignore_pings()
        await until(lambda: client.supervisor.is_ready and client.supervisor.link is not first)
        assert first is not None
        assert first.loss is not None
        assert first.loss.kind is LossKind.SILENT
        assert await client.echo("again") == "again"


async def test_a_loss_fails_what_was_sent(server: EchoServer) -> None:
    async with EchoClient(server.url, **QUICK) as client:
        (peer,) = server.peers
        peer.freeze()

        async def drop() -> None:
            await anyio.sleep(0.1)
            peer.abort()

        async with anyio.create_task_group() as group:
            group.start_soon(drop)
            with pytest.raises(RequestLost) as lost:
                await client.echo("never")
        assert lost.value.sent
        assert await client.echo("again") == "again"


async def test_what_is_asked_without_a_connection_goes_over_the_next(server: EchoServer, until: Any) -> None:
    async with EchoClient(server.url, **{**QUICK, "reconnect_delays": lambda _: 0.3}) as client:
        (peer,) = server.peers
        peer.abort()
        await until(lambda: client.supervisor.status.state is State.WAITING)
        assert await client.echo("later") == "later"


async def test_an_answer_that_does_not_come_in_time(server: EchoServer) -> None:
    async with EchoClient(server.url, **{**QUICK, "timeout": 0.2}) as client:
        (peer,) = server.peers
        peer.freeze()
        with pytest.raises(RequestTimeout):
            await client.echo("never")
        peer.thaw()
        assert await client.echo("again") == "again"


async def test_closing_fails_what_waits_and_is_bounded(server: EchoServer) -> None:
    outcomes: list[RequestLost] = []

    async def ask(client: EchoClient) -> None:
        with pytest.raises(RequestLost) as lost:
            await client.echo("never")
        outcomes.append(lost.value)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group, EchoClient(server.url, close_timeout=0.4, **QUICK) as client:
            (peer,) = server.peers
            peer.freeze()
            group.start_soon(ask, client)
            await anyio.sleep(0.1)
    assert [lost.sent for lost in outcomes] == [True]


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ConnectFailed, match="no connection within"):
        async with EchoClient("ws://127.0.0.1:1/", **{**QUICK, "timeout": 0.2}):
            pass
