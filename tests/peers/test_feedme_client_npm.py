"""`FeedmeClient` against the published server, in all three dialects."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.feedme import FeedmeClient, FeedState, Rejected, Terminated, freeze
from tests.peers.feedme import Dialect, Feedme, FeedmeServer
from tests.peers.feedme_changes import DATA, changes, wire

ARGS = {"room": "1"}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["a", "b", "c"])
def dialect(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def server(feedme: Feedme, dialect: Dialect) -> FeedmeServer:
    server = await feedme.server(dialect)
    await server.hold("Room", ARGS, DATA)
    return server


def client_of(server: FeedmeServer) -> FeedmeClient:
    return FeedmeClient(server.url, connect_retry=0.05, connect_retry_backoff=0)


async def test_actions(server: FeedmeServer) -> None:
    await server.policy("action", {"failure": {"code": "NO", "data": {"why": 1}}}, name="Fail")
    async with client_of(server) as client:
        assert await client.action("Say", {"text": "hi"}) == {"text": "hi"}
        with pytest.raises(Rejected) as rejected:
            await client.action("Fail", {})
        assert (rejected.value.server_error_code, rejected.value.server_error_data) == ("NO", {"why": 1})


async def test_a_thousand_revelations_with_every_operation_and_their_hashes(server: FeedmeServer) -> None:
    last: Any = DATA
    async with client_of(server) as client, client.feed("Room", ARGS) as feed:
        stream = aiter(feed)
        expected = [*changes(7, 1000)]
        for number, (delta, _) in enumerate(expected):
            await server.do("reveal", f"reveal {number}", **revelation(delta))
        for delta, data in expected:
            with anyio.fail_after(30):
                change = await anext(stream)
            assert change.old_data == last, delta
            assert change.new_data == data, delta
            last = change.new_data
        assert feed.synced
        assert freeze(await server.held("Room", ARGS)) == feed.data


def revelation(delta: Any) -> dict[str, Any]:
    return {
        "feedName": "Room",
        "feedArgs": ARGS,
        "feedDeltas": [wire(delta)],
        "actionName": "change",
        "actionData": {},
    }


async def test_a_bad_hash_and_a_bad_delta_reopen_the_feed(server: FeedmeServer) -> None:
    bad: list[str] = []
    async with client_of(server) as client:
        client.on("bad_server_message", lambda error: bad.append(error.code))
        async with client.feed("Room", ARGS) as feed:
            stream = aiter(feed)
            await server.reveal("Room", ARGS, [], feedMd5="A" * 24)
            assert (await anext(stream)).action_name is None  # it was opened again
            deltas = [{"Operation": "Delete", "Path": ["nobody"]}]
            await server.reveal("Room", ARGS, deltas, feedData=DATA)
            assert (await anext(stream)).action_name is None
            assert feed.data == DATA
            assert feed.synced
    assert bad == ["INVALID_HASH", "INVALID_DELTA"]


async def test_termination_and_a_feed_that_is_refused(server: FeedmeServer) -> None:
    async with client_of(server) as client:
        feed = client.feed("Room", ARGS)
        feed.desire_open()
        await feed.wait_open()
        stream = aiter(feed)
        await server.terminate("OVER", {"why": 1}, feedName="Room", feedArgs=ARGS)
        with pytest.raises(Terminated) as terminated:
            await anext(stream)
        assert (terminated.value.server_error_code, terminated.value.server_error_data) == ("OVER", {"why": 1})
        assert feed.state is FeedState.CLOSED
        other = client.feed("Elsewhere")
        other.desire_open()
        with pytest.raises(Rejected, match="NO_SUCH_FEED"):
            await other.wait_open()


async def test_closing_crosses_a_termination(server: FeedmeServer) -> None:
    async with client_of(server) as client:
        feed = client.feed("Room", ARGS)
        feed.desire_open()
        await feed.wait_open()
        await server.do("terminate", "over", feedName="Room", feedArgs=ARGS, errorCode="OVER", errorData={})
        feed.desire_closed()
        feed.desire_open()  # only after the answer to the FeedClose
        await server.outcome("over")
        with anyio.fail_after(5):
            assert await feed.wait_open() == DATA
    assert server.all("badClientMessage") == []


async def test_quick_desires_come_out_in_the_order_of_the_protocol(server: FeedmeServer) -> None:
    async with client_of(server) as client:
        feed = client.feed("Room", ARGS)
        for _ in range(5):
            feed.desire_open()
            feed.desire_closed()
        feed.desire_open()
        assert await feed.wait_open() == DATA
        feed.desire_closed()
    await server.event("disconnect")
    assert server.all("badClientMessage") == []


async def test_it_comes_back_with_the_feed_after_its_connection_was_dropped(server: FeedmeServer) -> None:
    events: list[str] = []
    client = client_of(server)
    for name in ("connecting", "connect", "disconnect"):
        client.on(name, lambda *_, name=name: events.append(name))
    async with client, client.feed("Room", ARGS) as feed:
        stream = aiter(feed)
        (client_id,) = await server.event("connect")
        await server.do("drop", clientId=client_id)
        await server.reveal("Room", ARGS, [{"Operation": "Set", "Path": ["text"], "Value": "meanwhile"}])
        change = await anext(stream)
        assert change.action_name is None
        assert change.old_data == DATA
        assert change.new_data["text"] == "meanwhile"
    assert events == ["connecting", "connect", "disconnect", "connecting", "connect", "disconnect"]


async def test_what_the_server_should_not_send_is_reported_and_survived(server: FeedmeServer) -> None:
    bad: list[str] = []
    async with client_of(server) as client:
        client.on("bad_server_message", lambda error: bad.append(error.code))
        (client_id,) = await server.event("connect")
        for text in (
            "no JSON",
            '{"MessageType": "hasOwnProperty"}',
            '{"MessageType": "ActionResponse", "Success": true, "CallbackId": "__proto__", "ActionData": {}}',
            '{"MessageType": "FeedCloseResponse", "FeedName": "toString", "FeedArgs": {}}',
            '{"MessageType": "HandshakeResponse", "Success": true, "Version": "0.1"}',
        ):
            await server.raw(client_id, text)
        assert await client.action("Say", {"still": "here"}) == {"still": "here"}
    assert bad == ["INVALID_MESSAGE"] * 2 + ["UNEXPECTED_MESSAGE"] * 3
