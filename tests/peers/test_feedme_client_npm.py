"""`FeedmeClient` against the published server, in all three dialects."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.feedme.client import FeedmeClient

from .feedme import Feedme

pytestmark = pytest.mark.anyio

BOARD = ("Board", {"game": "1"})
DATA = {"scores": {"ann": 1}, "log": [], "open": True, "title": "x"}


@pytest.mark.parametrize("dialect", ["a", "b", "c"])
async def test_action_feed_and_notification(feedme: Feedme, dialect: str) -> None:
    server = await feedme.server(dialect)
    await server.hold(*BOARD, DATA)
    async with FeedmeClient(server.url) as client:
        assert await client.action("greet", {"name": "ann"}) == {"name": "ann"}
        async with client.feed(*BOARD) as feed:
            assert feed.data == DATA
            changes = aiter(feed)
            await server.reveal(*BOARD, [{"Operation": "Increment", "Path": ["scores", "ann"], "Value": 2}])
            change = await anext(changes)
            assert change.new_data == {**DATA, "scores": {"ann": 3}}
            assert change.old_data == DATA
            assert feed.synced
