"""The published Feedme programs of JavaScript with each other: they are what our own tests take them for."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from tests.peers.driven import Rejected
from tests.peers.feedme import Dialect, Feedme, FeedmeClient, FeedmeFeed, FeedmeServer

ARGS = {"room": "1"}
DATA = {"users": {"ann": "in"}, "count": 1, "open": True, "items": ["a"], "title": "b"}
# The dialects that the published client speaks, as it is pinned in feedme_a and feedme_b.
SPOKEN: tuple[Any, ...] = ("a", "b")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=SPOKEN)
def dialect(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def server(feedme: Feedme, dialect: Dialect) -> FeedmeServer:
    server = await feedme.server(dialect)
    await server.hold("Room", ARGS, DATA)
    return server


@pytest.fixture
async def client(feedme: Feedme, dialect: Any, server: FeedmeServer) -> FeedmeClient:
    client = await feedme.client(server.url, dialect, connectRetryMs=50, connectRetryBackoffMs=0)
    await client.connect()
    return client


@pytest.fixture
async def feed(client: FeedmeClient) -> FeedmeFeed:
    """A feed that is open."""
    feed = await client.feed("Room", ARGS)
    await feed.desire_open()
    await feed.event("open")
    return feed


async def test_handshake(server: FeedmeServer, client: FeedmeClient, dialect: Dialect) -> None:
    assert client.names() == ["connecting", "connect"]
    (client_id,) = await server.event("connect")
    ((request,)) = await server.event("handshake")
    assert request["clientId"] == client_id
    assert await client.state() == "connected"
    if dialect == "a":
        assert await client.call("id") == client_id


async def test_actions(server: FeedmeServer, client: FeedmeClient) -> None:
    assert await client.action("Say", {"text": "hi"}) == {"text": "hi"}
    await server.policy("action", {"failure": {"code": "NO", "data": {"why": 1}}}, name="Fail")
    with pytest.raises(Rejected, match="REJECTED") as rejected:
        await client.action("Fail")
    assert (rejected.value.error["serverErrorCode"], rejected.value.error["serverErrorData"]) == ("NO", {"why": 1})
    assert [step["args"][0]["actionName"] for step in server.all("action")] == ["Say", "Fail"]


async def test_a_request_that_is_held(server: FeedmeServer, client: FeedmeClient) -> None:
    await server.policy("action", "hold")
    await client.do("action", "first", actionName="Say", actionArgs={})
    await client.do("action", "second", actionName="Say", actionArgs={})
    (first,), (second,) = await server.event("action"), await server.event("action", 2)
    await server.answer(second["number"], {"success": {"n": 2}})
    assert (await client.outcome("second"))["value"] == {"n": 2}
    await server.answer(first["number"], {"success": {"n": 1}})
    assert (await client.outcome("first"))["value"] == {"n": 1}


async def test_revelations_with_their_hash(server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed) -> None:
    assert await feed.data() == DATA
    deltas = [
        {"Operation": "Set", "Path": ["users", "bob"], "Value": "in"},
        {"Operation": "Increment", "Path": ["count"], "Value": 1.5},
        {"Operation": "InsertLast", "Path": ["items"], "Value": {"caf\u00e9": "\U0001f600"}},
    ]
    await server.reveal("Room", ARGS, deltas, actionName="Enter", actionData={"who": "bob"})
    new = {**DATA, "users": {"ann": "in", "bob": "in"}, "count": 2.5, "items": ["a", {"caf\u00e9": "\U0001f600"}]}
    assert await feed.event("action") == ["Enter", {"who": "bob"}, new, DATA]
    assert await server.held("Room", ARGS) == new
    assert client.all("badServerMessage") == []


async def test_a_wrong_hash_and_a_wrong_delta_reopen_the_feed(
    server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed
) -> None:
    await server.reveal("Room", ARGS, [], feedMd5="A" * 24)
    assert (await client.event("badServerMessage"))[0]["message"].startswith("INVALID_HASH")
    await feed.event("open", 2)
    # One that the server does not apply, since it is given something to make the hash of.
    await server.reveal("Room", ARGS, [{"Operation": "Delete", "Path": ["nobody"]}], feedData=DATA)
    assert (await client.event("badServerMessage", 2))[0]["message"].startswith("INVALID_DELTA")
    await feed.event("open", 3)
    assert feed.names() == ["opening", "open", *["close", "opening", "open"] * 2]
    assert (await feed.event("close"))[0]["message"].startswith("BAD_ACTION_REVELATION")


async def test_termination_and_a_feed_that_is_refused(
    server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed
) -> None:
    await server.terminate("OVER", {"why": 1}, feedName="Room", feedArgs=ARGS)
    (error,) = await feed.event("close")
    assert error["message"].startswith("TERMINATED")
    assert (error["serverErrorCode"], error["serverErrorData"]) == ("OVER", {"why": 1})
    other = await client.feed("Elsewhere")
    await other.desire_open()
    (error,) = await other.event("close")
    assert (error["message"].partition(":")[0], error["serverErrorCode"]) == ("REJECTED", "NO_SUCH_FEED")
    assert await other.state() == {"desired": "open", "actual": "closed"}


async def test_close_and_disconnect(server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed) -> None:
    await feed.desire_closed()
    ((request,)) = await server.event("feedClose")
    assert (request["feedName"], request["feedArgs"]) == ("Room", ARGS)
    await client.disconnect()
    await client.event("disconnect")
    _, error = await server.event("disconnect")
    assert error["wsCode"] == 1000


async def test_a_lost_connection_comes_back(server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed) -> None:
    (first,) = await server.event("connect")
    await server.drop(first)
    (error,) = await client.event("disconnect")
    assert (error["message"].partition(":")[0], error["wsCode"]) == ("FAILURE", 1006)
    await feed.event("open", 2)
    (second,) = await server.event("connect", 2)
    assert first != second
    await server.disconnect(second)
    (error,) = await client.event("disconnect", 2)
    assert error["wsCode"] == 1000


async def test_a_server_that_stops_and_starts(server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed) -> None:
    url = server.url
    await server.stop()
    await client.event("disconnect", 2)  # the loss, and the first attempt after it
    await server.start()
    await feed.event("open", 2)
    assert server.url == url


async def test_what_no_server_sends(server: FeedmeServer, client: FeedmeClient) -> None:
    (client_id,) = await server.event("connect")
    await server.raw(client_id, '{"MessageType":"Nonsense"}')
    (error,) = await client.event("badServerMessage")
    assert (error["message"].partition(":")[0], error["serverMessage"]) == (
        "INVALID_MESSAGE",
        '{"MessageType":"Nonsense"}',
    )


async def test_options_of_the_transport(feedme: Feedme) -> None:
    server = await feedme.server(transport={"path": "/feedme", "perMessageDeflate": True})
    client = await feedme.client(f"{server.url}/feedme", transport={"perMessageDeflate": True})
    await client.connect()
    elsewhere = await feedme.client(server.url)
    await elsewhere.connect(wait=False)
    (error,) = await elsewhere.event("disconnect")
    assert error["message"] == "FAILURE: The WebSocket could not be opened."


@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), ("b", "a"), ("a", "c")])
async def test_another_dialect_is_not_understood(feedme: Feedme, ours: Any, theirs: Dialect) -> None:
    server = await feedme.server(theirs)
    client = await feedme.client(server.url, ours, connectTimeoutMs=1000, connectRetryMs=-1)
    await client.connect(wait=False)
    (error,) = await client.event("badServerMessage")
    assert error["message"].startswith("INVALID_MESSAGE")
    (error,) = await client.event("disconnect")
    assert error["message"].startswith("TIMEOUT")
    assert client.names() == ["connecting", "badServerMessage", "disconnect"]


async def test_c_differs_from_b_in_revelations_alone(feedme: Feedme) -> None:
    server = await feedme.server("c")
    await server.hold("Room", ARGS, DATA)
    client = await feedme.client(server.url, "b")
    await client.connect()
    feed = await client.feed("Room", ARGS)
    await feed.desire_open()
    await feed.event("open")
    await server.reveal("Room", ARGS, [])
    (error,) = await client.event("badServerMessage")
    assert error["message"].startswith("INVALID_MESSAGE")
    assert json.loads(error["serverMessage"])["MessageType"] == "FeedAction"


async def test_the_utilities(feedme: Feedme) -> None:
    util = await feedme.util()
    texts = ['{"MessageType":"Handshake","Versions":["0.1"]}', '{"MessageType":"Handshake"}', "{"]
    valid, missing, broken = await util.violations("client", texts)
    assert (valid, missing) == ("", "(Handshake Message) Missing or extraneous property.")
    assert broken.startswith("SyntaxError")
    fine, failed, none = await util.apply(
        [
            ('{"n":1e400,"a":[1]}', '[{"Operation":"InsertLast","Path":["a"],"Value":-0}]'),
            ("{}", '[{"Operation":"Set","Path":["a"],"Value":1},{"Operation":"Delete","Path":["b"]}]'),
            ("{}", '[{"Operation":"Delete"}]'),
        ]
    )
    assert fine == (await util.digest(['{"a":[1,0],"n":null}']))[0]
    assert failed == {"index": 1, "reason": "Path references a non-existent object property."}
    assert list(none) == ["violation"]
    assert await util.digest(["{}"]) == [{"canonical": "{}", "md5": "mZFLkyvTelC5g8XnyQrpOw=="}]
    assert await util.serial([("Room", {"b": "2", "a": "1"})]) == ['["Room","a","1","b","2"]']


async def test_many_at_once(server: FeedmeServer, client: FeedmeClient, feed: FeedmeFeed) -> None:
    increment = {"feedName": "Room", "feedArgs": ARGS, "actionName": "Count", "actionData": {}}
    deltas = [{"Operation": "Increment", "Path": ["count"], "Value": 1}]
    async with anyio.create_task_group() as group:
        group.start_soon(feed.event, "action", 300)
        for number in range(300):
            await server.do("reveal", f"reveal {number}", feedDeltas=deltas, **increment)
    assert (await feed.data())["count"] == 301
    assert client.all("badServerMessage") == []
