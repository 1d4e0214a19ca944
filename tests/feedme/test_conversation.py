"""One connection, over a real WebSocket: framing, and how connections end (section 1 of the reference)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import TransportFailure
from rcex_ws.feedme.events import Events
from rcex_ws.websocket.frames import Binary
from tests.feedme.scripted import Told, connected
from tests.feedme.served import Served, served
from tests.feedme.wire import answered, notified, opened, setting

LOST = "disconnect TRANSPORT_FAILURE"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as server:
        yield server


def told_by(client: FeedmeClient) -> Told:
    told = Told()
    for event in Events:
        client.on(event, partial(told.add, str(event)))
    return told


async def test_actions_and_feeds_work_over_a_websocket(server: Served, until: Any) -> None:
    async with FeedmeClient(server.url) as client:
        feed = client.feed("Board")
        feed.desire_open()
        await until(lambda: server.received)
        server.say(opened({"caf\u00e9": "\u2603"}))
        assert await feed.wait_open() == {"caf\u00e9": "\u2603"}
        changes = aiter(feed)
        server.say(notified(setting("big", "x" * 70_000)))
        assert len((await anext(changes)).new_data["big"]) == 70_000
        action = client.action("x", {})
        server.say(answered("1", {"a": 1}))
        assert await action == {"a": 1}


async def test_what_was_sent_before_the_end_arrives_and_the_end_is_an_orderly_close(server: Served, until: Any) -> None:
    async with FeedmeClient(server.url) as client:
        feed = client.feed("Board")
        feed.desire_open()
        peer = server.peers[-1]
    assert not peer.is_open
    await until(lambda: server.received)
    assert server.received[0]["MessageType"] == "FeedOpen"


async def test_a_binary_message_ends_the_connection(server: Served) -> None:
    client = FeedmeClient(server.url, reconnect=False)
    told = told_by(client)
    async with client:
        server.say(Binary(b"\x00"))
        (error,) = await told.wait(LOST)
        assert "binary" in str(error)
    assert told.lines == ["connecting", "connect", LOST]


async def test_a_message_that_is_not_utf_8_is_reported_and_survived(server: Served) -> None:
    client = FeedmeClient(server.url)
    told = told_by(client)
    async with client:
        server.say(b"\xff\xfe")
        (error,) = await told.wait("bad_server_message INVALID_MESSAGE")
        assert "UTF-8" in error.parse_error
        assert client.state == "connected"


async def test_a_message_beyond_max_size_ends_the_connection(server: Served) -> None:
    client = FeedmeClient(server.url, reconnect=False, max_size=1000)
    told = told_by(client)
    async with client:
        server.say(opened({"a": "x" * 1000}))
        await told.wait(LOST)


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_connection_that_the_server_ends_is_opened_again(server: Served, orderly: bool, ms: float) -> None:
    client = FeedmeClient(server.url, connect_retry=ms, connect_retry_backoff=0)
    told = told_by(client)
    async with client:
        if orderly:
            server.peers[-1].close(1000, "bye")
        else:
            server.peers[-1].abort()
        await told.wait("connect", 2)
        assert told.lines == ["connecting", "connect", LOST, "connecting", "connect"]


async def test_messages_of_a_connection_that_the_application_has_given_up_are_ignored(server: Served) -> None:
    client = FeedmeClient(server.url)
    told = told_by(client)
    async with client:
        feed = client.feed("Board")
        feed.desire_open()
        client.disconnect()
        server.say(opened())
        client.connect()
        await told.wait("connect", 2)
        assert feed.state == "opening"
        assert told.lines == ["connecting", "connect", "disconnect", "connecting", "connect"]


async def test_a_bug_of_ours_ends_the_connection_is_told_once_and_is_the_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_: bytes) -> None:
        raise ZeroDivisionError

    async with connected() as rig:
        monkeypatch.setattr("rcex_ws.feedme.conversation.decode_server_message", explode)
        rig.script.say(opened())
        await rig.told.wait(LOST)
        with pytest.raises(TransportFailure) as caught:
            await rig.client.wait_connected()
        assert isinstance(caught.value.transport_error, ZeroDivisionError)
        await rig.settle()
        assert rig.told.lines == ["connecting", "connect", LOST]
        rig.client.connect()
    assert "ZeroDivisionError" in caplog.text
