"""To wait for a feed: `wait_open`, and the feed as a context manager."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.feedme.errors import BadFeedAction, Destroyed, Disconnected, InvalidFeedState, Rejected, Terminated
from rcex_ws.feedme.feed import Feed
from tests.feedme.scripted import connected, disconnected
from tests.feedme.wire import closed, notified, opened, refused, terminated

BAD = notified({"Operation": "Delete", "Path": ["missing"]})


async def waited(feed: Feed) -> Any:
    """Return the error that `wait_open` raises."""
    with pytest.raises(Exception) as caught:
        await feed.wait_open()
    return caught.value.__class__


async def test_wait_open_returns_the_data_or_raises_why_the_feed_stays_closed() -> None:
    async with connected(reopen_max_attempts=0) as rig:
        feed = rig.feed()
        assert await waited(feed) is InvalidFeedState
        feed.desire_open()
        rig.script.say(refused())
        assert await waited(feed) is Rejected
        feed.desire_closed()
        feed.desire_open()
        rig.script.say(opened({"a": 1}))
        assert await feed.wait_open() == {"a": 1}
        rig.script.say(terminated())
        await rig.told.wait("board close TERMINATED")
        assert await waited(feed) is Terminated
        feed.desire_closed()
        feed.desire_open()
        rig.script.say(opened(), BAD, closed())
        await rig.told.wait("bad_server_message INVALID_DELTA")
        await rig.settle()
        assert await waited(feed) is BadFeedAction
        rig.client.disconnect()
        assert await waited(feed) is Disconnected


async def test_wait_open_goes_on_through_losses_and_reopenings() -> None:
    async with connected(connect_retry=0) as rig:
        feed = await rig.open_feed()
        rig.script.say(BAD)
        await rig.told.wait("board close BAD_FEED_ACTION")
        rig.script.lose()
        await rig.told.wait("board close NOT_CONNECTED")
        async with anyio.create_task_group() as group:
            group.start_soon(feed.wait_open)
            assert await rig.script.kinds(2) == ["FeedClose", "FeedOpen"]
            rig.script.say(opened({"a": 2}))


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("desire_closed", InvalidFeedState),
        ("disconnect", Disconnected),
        ("destroy", Destroyed),
    ],
)
async def test_who_waits_is_told_when_waiting_has_become_useless(act: str, error: type[Exception]) -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        found: list[type[Exception]] = []

        async def wait() -> None:
            found.append(await waited(feed))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await rig.settle()
            if act == "desire_closed":
                feed.desire_closed()
            else:
                rig.client.disconnect()
                if act == "destroy":
                    rig.client.destroy()
        assert found == [error]


async def test_wait_open_raises_when_a_pending_retry_is_cancelled() -> None:
    async with disconnected(connect_retry=1000, connect_retry_max=1000) as rig:
        rig.script.refuse = OSError()
        feed = rig.feed()
        feed.desire_open()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                assert await waited(feed) is Disconnected

            group.start_soon(wait)
            await rig.settle()
            rig.client.cancel_retry()


# -- the context manager -----------------------------------------------------------------------------------------------


async def test_as_a_context_manager_it_is_open_within_the_block_and_destroyed_after_it() -> None:
    async with connected() as rig:
        async with anyio.create_task_group() as group:

            async def answer() -> None:
                await rig.script.next()
                rig.script.say(opened({"a": 1}))

            group.start_soon(answer)
            async with rig.feed() as feed:
                assert feed.data == {"a": 1}
        assert feed.destroyed
        assert await rig.script.kinds(1) == ["FeedClose"]


async def test_a_block_that_cannot_begin_raises_why_and_destroys_the_feed() -> None:
    async with disconnected() as rig:
        feed = rig.feed()
        with pytest.raises(Disconnected):
            async with feed:
                pytest.fail("it is not open")
        assert feed.destroyed


async def test_a_block_may_desire_it_closed_or_destroy_it_itself() -> None:
    async with connected() as rig:
        for destroys in (False, True):
            feed = rig.feed()
            async with anyio.create_task_group() as group:

                async def answer() -> None:
                    while (await rig.script.next())["MessageType"] == "FeedClose":
                        rig.script.say(closed())
                    rig.script.say(opened())

                group.start_soon(answer)
                async with feed:
                    feed.desire_closed()
                    if destroys:
                        feed.destroy()
            assert feed.destroyed


async def test_a_block_may_outlive_its_client() -> None:
    async with connected() as rig:
        feed = rig.feed()
        async with anyio.create_task_group() as group:

            async def answer() -> None:
                await rig.script.next()
                rig.script.say(opened())

            group.start_soon(answer)
            async with feed:
                await rig.client.aclose()
        assert feed.destroyed
