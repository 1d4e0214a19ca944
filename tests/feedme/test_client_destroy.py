"""To give a client or a feed up: what must be so before, and what is so after."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import Destroyed, Disconnected, InvalidFeedState, InvalidState
from rcex_ws.feedme.feed import Feed
from tests.feedme.scripted import connected, disconnected
from tests.feedme.wire import opened

CLIENT: list[Callable[[FeedmeClient], Any]] = [
    lambda client: client.state,
    lambda client: client.pending,
    lambda client: client.connect(),
    lambda client: client.disconnect(),
    lambda client: client.cancel_retry(),
    lambda client: client.action("x", {}),
    lambda client: client.action("x", {}, lambda *_: None),
    lambda client: client.feed("x"),
    lambda client: client.destroy(),
]

FEED: list[Callable[[Feed], Any]] = [
    lambda feed: feed.state,
    lambda feed: feed.desired_state,
    lambda feed: feed.data,
    lambda feed: feed.synced,
    lambda feed: feed.unsynced_since,
    lambda feed: feed.desire_open(),
    lambda feed: feed.desire_closed(),
    lambda feed: feed.destroy(),
    lambda feed: aiter(feed),
]


async def test_afterwards_every_method_of_client_and_feeds_raises_and_destroyed_does_not() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        assert not rig.client.destroyed
        assert not feed.destroyed
        rig.client.disconnect()
        rig.client.destroy()
        assert rig.client.destroyed
        assert feed.destroyed
        for use in CLIENT:
            with pytest.raises(Destroyed):
                use(rig.client)
        for use_feed in FEED:
            with pytest.raises(Destroyed):
                use_feed(feed)
        with pytest.raises(Destroyed):
            await rig.client.wait_connected()
        with pytest.raises(Destroyed):
            await feed.wait_open()
        await rig.client.aclose()
        assert "destroyed" in repr(feed)


async def test_it_needs_the_client_disconnected() -> None:
    async with disconnected() as rig:
        rig.client.connect()
        with pytest.raises(InvalidState):
            rig.client.destroy()
        await rig.told.wait("connect")
        with pytest.raises(InvalidState):
            rig.client.destroy()
        assert not rig.client.destroyed
        assert rig.client.state == "connected"


async def test_events_queued_before_still_fire_and_no_more_are_queued() -> None:
    async with connected() as rig:
        await rig.open_feed()
        rig.client.action("x", {}, partial(rig.told.add, "action"))
        rig.client.disconnect()
        rig.client.destroy()
        assert rig.told.lines == []
        await rig.told.wait("disconnect")  # so handlers stay attached
        rig.script.say(opened())
        await rig.client.aclose()
        assert rig.told.lines == ["action NOT_CONNECTED", "board close NOT_CONNECTED", "disconnect"]


async def test_it_cancels_a_pending_retry_and_wakes_who_waits_for_it(until: Any) -> None:
    async with disconnected(connect_retry=0.01, connect_retry_backoff=0) as rig:
        rig.script.refuse = OSError()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        await until(lambda: rig.client.state == "disconnected")
        rig.client.destroy()
        attempts = len(rig.script.attempts)
        await rig.client.aclose()
        assert len(rig.script.attempts) == attempts


async def test_who_waits_for_a_connection_is_told() -> None:
    async with disconnected() as rig, anyio.create_task_group() as group:
        rig.script.hang = True
        rig.client.connect()

        async def wait() -> None:
            with pytest.raises(Destroyed):
                await rig.client.wait_connected()

        group.start_soon(wait)
        await rig.settle()
        rig.client.disconnect()
        rig.client.destroy()


async def test_a_handler_may_destroy_the_client() -> None:
    async with connected(reconnect=False) as rig:
        rig.client.on("disconnect", lambda _: rig.client.destroy())
        rig.script.lose()
        await rig.script.until(lambda: rig.client.destroyed)


async def test_actions_that_were_awaited_have_failed_before() -> None:
    async with connected() as rig:
        action = rig.client.action("x", {})
        rig.client.disconnect()
        rig.client.destroy()
        with pytest.raises(Disconnected):
            await action


async def test_a_feed_must_be_desired_closed() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        with pytest.raises(InvalidFeedState):
            feed.destroy()
        assert not feed.destroyed
        feed.desire_closed()
        feed.destroy()
        assert feed.destroyed
        for use in FEED:
            with pytest.raises(Destroyed):
                use(feed)
        with pytest.raises(Destroyed):
            await feed.wait_open()
        assert (await rig.script.next())["MessageType"] == "FeedClose"


async def test_another_object_of_a_destroyed_feed_keeps_it() -> None:
    async with connected() as rig:
        first, second = await rig.open_feed(), rig.feed("second")
        second.desire_open()
        first.desire_closed()
        first.destroy()
        await rig.settle()
        assert rig.script.unseen == []
        assert second.state == "open"


async def test_a_new_object_for_a_feed_that_is_being_closed_waits_for_the_answer() -> None:
    async with connected() as rig:
        first = await rig.open_feed()
        first.desire_closed()
        first.destroy()
        second = rig.feed("second")
        second.desire_open()
        await rig.settle()
        assert [message["MessageType"] for message in rig.script.unseen] == ["FeedClose"]
        assert second.state == "opening"
