"""How long a feed object waits for the server: on the only loop whose clock a test can turn."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.feedme.scripted import connected
from tests.feedme.wire import Message, closed, opened, refused


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_an_open_without_an_answer_times_out_and_a_late_success_opens_the_feed() -> None:
    async with connected(feed_timeout=8) as rig:
        feed = rig.feed()
        begun = trio.current_time()
        feed.desire_open()
        await rig.told.wait("board close TIMEOUT")
        assert trio.current_time() == begun + 8
        assert (feed.state, feed.desired_state) == ("closed", "open")
        assert await rig.say(opened()) == ["board opening", "board open"]
        assert await rig.script.kinds(1) == ["FeedOpen"]


async def test_a_late_failure_closes_it_for_another_reason() -> None:
    async with connected(feed_timeout=8) as rig:
        rig.feed().desire_open()
        await rig.told.wait("board close TIMEOUT")
        assert await rig.say(refused()) == ["board close REJECTED"]


async def test_a_late_success_that_nobody_wants_any_more_is_followed_by_a_close() -> None:
    async with connected(feed_timeout=8) as rig:
        feed = rig.feed()
        feed.desire_open()
        await rig.told.wait("board close TIMEOUT")
        feed.desire_closed()
        await rig.settle()
        assert await rig.say(opened()) == []
        assert await rig.script.kinds(2) == ["FeedOpen", "FeedClose"]


async def test_desired_again_while_the_old_request_waits_it_has_a_time_out_of_its_own() -> None:
    async with connected(feed_timeout=8) as rig:
        feed = rig.feed()
        feed.desire_open()
        await rig.told.wait("board close TIMEOUT")
        feed.desire_closed()
        feed.desire_open()
        assert feed.state == "opening"
        begun = trio.current_time()
        await rig.told.wait("board close TIMEOUT", 2)
        assert trio.current_time() == begun + 8
        assert await rig.script.kinds(1) == ["FeedOpen"]


async def test_to_wait_for_a_close_counts_too() -> None:
    async with connected(feed_timeout=8) as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        feed.desire_open()
        await rig.told.wait("board close TIMEOUT")
        assert await rig.say(closed()) == ["board opening"]
        await rig.told.wait("board close TIMEOUT")
        assert await rig.say(opened()) == ["board opening", "board open"]


async def test_nobody_waits_for_the_answer_to_a_close() -> None:
    async with connected(feed_timeout=8) as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        await trio.sleep(1000)
        assert rig.told.lines == ["board close"]
        assert await rig.say(closed()) == []


async def test_with_a_feed_timeout_of_zero_it_waits_for_ever() -> None:
    async with connected(feed_timeout=0) as rig:
        feed = rig.feed()
        feed.desire_open()
        await trio.sleep(80_000)
        assert feed.state == "opening"


@pytest.mark.parametrize("end", [opened(), refused(), None])
async def test_an_answer_or_a_loss_stops_the_time_out(end: Message | None) -> None:
    async with connected(feed_timeout=8, reconnect=False) as rig:
        rig.feed().desire_open()
        await trio.sleep(7)
        if end is None:
            rig.script.lose()
        else:
            rig.script.say(end)
        await trio.sleep(100)
        assert "board close TIMEOUT" not in rig.told.lines


async def test_each_object_waits_for_its_own_time() -> None:
    async with connected(feed_timeout=8) as rig:
        begun = trio.current_time()
        rig.feed("first").desire_open()
        await trio.sleep(6)
        rig.feed("second").desire_open()
        await rig.told.wait("first close TIMEOUT")
        assert trio.current_time() == begun + 8
        await rig.told.wait("second close TIMEOUT")
        assert trio.current_time() == begun + 14
