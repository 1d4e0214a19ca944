"""`FeedmeServer` with the published client: 0.0.35, in both dialects that it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rcex_ws.feedme import ConnectedClient, FeedmeServer, LiveFeed, Refusal, freeze
from tests.peers.driven import Rejected
from tests.peers.feedme import Feedme, FeedmeClient, FeedmeFeed
from tests.peers.feedme_changes import DATA, changes

ARGS = {"room": "1"}
DIALECTS = {"a": "client_id", "b": "revelation"}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["a", "b"])
def dialect(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def server(dialect: str) -> AsyncIterator[FeedmeServer]:
    async with FeedmeServer(dialect=DIALECTS[dialect]) as server:

        @server.action("Say")
        def say(client: ConnectedClient, args: Any) -> Any:
            return args

        @server.action("Fail")
        async def fail(client: ConnectedClient, args: Any) -> Any:
            raise Refusal("NO", {"why": 1})

        yield server


@pytest.fixture
async def room(server: FeedmeServer) -> LiveFeed:
    return server.live_feed("Room", ARGS, DATA)


@pytest.fixture
async def client(feedme: Feedme, dialect: Any, server: FeedmeServer) -> FeedmeClient:
    client = await feedme.client(server.url, dialect, connectRetryMs=50, connectRetryBackoffMs=0)
    await client.connect()
    return client


@pytest.fixture
async def feed(client: FeedmeClient, room: LiveFeed) -> FeedmeFeed:
    """A feed that is open."""
    feed = await client.feed("Room", ARGS)
    await feed.desire_open()
    await feed.event("open")
    return feed


async def test_the_handshake(server: FeedmeServer, client: FeedmeClient, dialect: str) -> None:
    assert client.names() == ["connecting", "connect"]
    if dialect == "a":
        assert await client.call("id") == server.clients[0].id


async def test_actions(client: FeedmeClient) -> None:
    assert await client.action("Say", {"text": "hi"}) == {"text": "hi"}
    with pytest.raises(Rejected, match="REJECTED") as rejected:
        await client.action("Fail")
    assert (rejected.value.error["serverErrorCode"], rejected.value.error["serverErrorData"]) == ("NO", {"why": 1})
    with pytest.raises(Rejected, match="REJECTED") as rejected:
        await client.action("Unknown")
    assert rejected.value.error["serverErrorCode"] == "INTERNAL_ERROR"


async def test_a_thousand_revelations_with_every_operation_and_their_hashes(
    client: FeedmeClient, feed: FeedmeFeed, room: LiveFeed
) -> None:
    for delta, data in changes(11, 1000):
        assert room.reveal("change", {}, [delta]) == 1
        assert room.data == data
    await feed.event("action", 1000)
    assert client.all("badServerMessage") == []
    assert freeze(await feed.data()) == room.data
    assert feed.names() == ["opening", "open", *["action"] * 1000]


async def test_termination_and_a_feed_that_is_refused(client: FeedmeClient, feed: FeedmeFeed, room: LiveFeed) -> None:
    room.terminate("OVER", {"why": 1})
    (error,) = await feed.event("close")
    assert error["message"].startswith("TERMINATED")
    assert (error["serverErrorCode"], error["serverErrorData"]) == ("OVER", {"why": 1})
    other = await client.feed("Elsewhere")
    await other.desire_open()
    (error,) = await other.event("close")
    assert error["message"].startswith("REJECTED")


async def test_closing_crosses_a_termination(client: FeedmeClient, feed: FeedmeFeed, room: LiveFeed) -> None:
    room.terminate("OVER", {})
    await feed.desire_closed()
    await feed.desire_open()
    await feed.event("open", 2)
    assert client.all("badClientMessage") == []


async def test_it_reconnects_and_has_the_data_of_that_moment(
    server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed, room: LiveFeed
) -> None:
    server.clients[0].disconnect()
    with room.change("meanwhile", {}) as draft:
        draft["text"] = "meanwhile"
    await client.event("connect", 2)
    await feed.event("open", 2)
    assert await feed.data() == room.data == {**DATA, "text": "meanwhile"}
