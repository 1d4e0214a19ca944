"""Notifications that do not fit the feed data (section 7.5 of the reference)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.feedme.scripted import connected
from tests.feedme.wire import Message, closed, notified, opened, setting, terminated

BAD_DELTA = notified({"Operation": "Delete", "Path": ["missing"]})
BAD_HASH = notified(setting("a", 1), md5="A" * 24)


@pytest.mark.parametrize(("bad", "code"), [(BAD_DELTA, "INVALID_DELTA"), (BAD_HASH, "INVALID_HASH")])
async def test_a_bad_notification_closes_the_feed_and_opens_it_again(bad: Message, code: str) -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"b": 1})
        assert await rig.say(bad) == ["board close BAD_FEED_ACTION", f"bad_server_message {code}"]
        error = rig.told.items[1][1][0]
        assert error.server_message == bad
        if code == "INVALID_DELTA":
            assert error.delta_violation
        assert (feed.state, feed.desired_state) == ("closed", "open")
        assert await rig.script.kinds(1) == ["FeedClose"]
        assert await rig.say(notified(), closed()) == ["board opening"]
        assert await rig.script.kinds(1) == ["FeedOpen"]
        assert await rig.say(opened({"b": 2})) == ["board open"]
        assert feed.data == {"b": 2}


async def test_one_bad_delta_among_good_ones_changes_nothing() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 1})
        before = feed.data
        await rig.say(notified(setting("n", 2), {"Operation": "Increment", "Path": ["x"], "Value": 1}))
        assert before == {"n": 1}
        assert rig.told.of("board action move") == []


async def test_a_termination_after_a_bad_notification_is_not_told_and_it_is_opened_again() -> None:
    async with connected() as rig:
        await rig.open_feed()
        await rig.say(BAD_DELTA)
        assert await rig.say(terminated()) == []
        assert await rig.say(closed()) == ["board opening"]


async def test_desired_closed_after_a_bad_notification_it_stays_closed() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        await rig.say(BAD_DELTA)
        feed.desire_closed()
        await rig.settle()
        assert rig.told.lines[-1] == "board close"
        assert await rig.say(closed()) == []
        assert await rig.script.kinds(1) == ["FeedClose"]
        assert rig.script.unseen == []


async def test_desired_open_again_after_a_bad_notification_it_is_opened_whatever_the_policy_says() -> None:
    async with connected(reopen_max_attempts=0) as rig:
        feed = await rig.open_feed()
        await rig.say(BAD_DELTA)
        feed.desire_closed()
        feed.desire_open()
        await rig.settle()
        assert rig.told.lines[-2:] == ["board close", "board opening"]
        await rig.say(closed())
        assert await rig.script.kinds(2) == ["FeedClose", "FeedOpen"]


async def test_feed_data_too_deep_for_deltas_is_a_message_that_cannot_be_read_not_a_crash() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": {}})
        deep: Any = 0
        for _ in range(150):
            deep = {"a": deep}
        for _ in range(3):
            await rig.say(notified({"Operation": "Set", "Path": ["a"], "Value": deep}))
            await rig.say(notified({"Operation": "Set", "Path": ["a"] * 149, "Value": deep}))
        assert rig.client.state == "connected"
        assert feed.desired_state == "open"
