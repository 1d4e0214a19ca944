"""`Feed`: what the application desires, is told, and can ask for."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from rcex_ws.feedme.digest import FeedDigest
from rcex_ws.feedme.errors import (
    BadFeedAction,
    InvalidFeedState,
    Rejected,
    Terminated,
)
from rcex_ws.feedme.values import freeze
from tests.feedme.scripted import connected, disconnected
from tests.feedme.wire import feed_open, notified, opened, refused, setting, terminated

BAD = notified({"Operation": "Delete", "Path": ["missing"]})


def md5_of(data: Any) -> str:
    return FeedDigest().md5(freeze(data))


# -- desires and states ------------------------------------------------------------------------------------------------


async def test_a_feed_starts_desired_closed_and_needs_no_connection() -> None:
    async with disconnected() as rig:
        feed = rig.feed()
        assert (feed.desired_state, feed.state, feed.synced) == ("closed", "closed", False)
        assert not feed.destroyed
        assert (feed.name, feed.args) == ("Board", {})
        await rig.settle()
        assert rig.told.lines == []
        assert repr(feed) == "<Feed 'Board' {} closed>"


async def test_opening_precedes_open_and_the_state_changes_with_them() -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        assert (feed.desired_state, feed.state) == ("open", "opening")
        assert await rig.script.next() == feed_open("Board")
        rig.script.say(opened({"a": 1}))
        assert await rig.told.wait("board open") == ({"a": 1},)
        assert feed.state == "open"
        assert feed.data == {"a": 1}
        assert rig.told.lines[-2:] == ["board opening", "board open"]


async def test_to_desire_twice_what_is_desired_already_raises() -> None:
    async with connected() as rig:
        feed = rig.feed()
        with pytest.raises(InvalidFeedState):
            feed.desire_closed()
        feed.desire_open()
        with pytest.raises(InvalidFeedState):
            feed.desire_open()
        feed.desire_closed()
        with pytest.raises(InvalidFeedState):
            feed.desire_closed()


async def test_desired_open_without_a_connection_it_closes_with_not_connected_each_time() -> None:
    async with disconnected() as rig:
        feed = rig.feed()
        for _ in range(2):
            feed.desire_open()
            assert feed.state == "closed"
            feed.desire_closed()
        await rig.settle()
        assert rig.told.lines == ["board close NOT_CONNECTED", "board close"] * 2


async def test_desired_closed_it_closes_at_once_without_an_error() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        assert feed.state == "closed"
        assert await rig.told.wait("board close") == (None,)
        assert await rig.script.kinds(1) == ["FeedClose"]


async def test_data_is_only_there_while_the_feed_is_open() -> None:
    async with connected() as rig:
        feed = rig.feed()
        for prepare in (lambda: None, feed.desire_open, feed.desire_closed):
            prepare()
            with pytest.raises(InvalidFeedState):
                _ = feed.data


@pytest.mark.parametrize(("message", "line"), [(refused("NO", {"why": [1]}), "REJECTED"), (BAD, "BAD_FEED_ACTION")])
async def test_why_a_feed_closes_is_in_the_event(message: Any, line: str) -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        await rig.script.next()
        if message is BAD:
            rig.script.say(opened())
        await rig.say(message)
        (error,) = await rig.told.wait(f"board close {line}")
        assert feed.state == "closed"
        with pytest.raises(InvalidFeedState):
            _ = feed.data
        if isinstance(error, Rejected):
            assert (error.server_error_code, error.server_error_data) == ("NO", {"why": [1]})
        else:
            assert isinstance(error, BadFeedAction)


async def test_a_termination_closes_the_feed_with_the_servers_error() -> None:
    async with connected() as rig:
        await rig.open_feed()
        await rig.say(terminated("GONE", {"a": None}))
        (error,) = rig.told.of("board close TERMINATED")[0]
        assert isinstance(error, Terminated)
        assert (error.server_error_code, error.server_error_data) == ("GONE", {"a": None})


# -- data --------------------------------------------------------------------------------------------------------------


async def test_an_action_gives_its_name_its_data_the_new_feed_data_and_the_old() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": {"b": [1]}})
        before = feed.data
        delta = {"Operation": "InsertLast", "Path": ["a", "b"], "Value": 2}
        await rig.say(notified(delta, name="add", data={"by": "ann"}))
        assert rig.told.of("board action add") == [("add", {"by": "ann"}, {"a": {"b": [1, 2]}}, {"a": {"b": [1]}})]
        assert feed.data == {"a": {"b": [1, 2]}}
        assert before == {"a": {"b": [1]}}


async def test_feed_data_and_action_data_are_read_only_at_every_level_and_copies_are_not() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": {"b": [1]}})
        await rig.say(notified(setting("c", {"d": []}), name="x", data={"e": [{}]}))
        _, action_data, new, old = rig.told.of("board action x")[0]
        for value in (feed.data, action_data, new, old):
            with pytest.raises(TypeError, match="read-only"):
                value["more"] = 1
        for member in (feed.data["a"]["b"], feed.data["c"]["d"], action_data["e"], old["a"]["b"]):
            with pytest.raises(TypeError, match="read-only"):
                member.append(1)
        own = copy.deepcopy(feed.data)
        own["a"]["b"].append(2)
        assert feed.data["a"]["b"] == [1]


async def test_error_data_is_read_only() -> None:
    async with connected() as rig:
        await rig.open_feed()
        await rig.say(terminated("GONE", {"a": []}))
        (error,) = rig.told.of("board close TERMINATED")[0]
        with pytest.raises(TypeError, match="read-only"):
            error.server_error_data["a"].append(1)


async def test_a_notification_without_deltas_is_an_action_all_the_same() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": 1})
        assert await rig.say(notified(name="wave")) == ["board action wave"]
        assert feed.data == {"a": 1}


# -- synced ------------------------------------------------------------------------------------------------------------


async def test_a_feed_is_synced_while_it_is_open_and_its_hash_is_verified() -> None:
    async with connected() as rig:
        feed = rig.feed()
        begun = feed.unsynced_since
        assert begun is not None
        assert begun <= datetime.now(UTC)
        feed.desire_open()
        assert not feed.synced
        assert feed.unsynced_since == begun
        await rig.script.next()
        rig.script.say(opened({"a": 1}))
        await rig.told.wait("board open")
        assert feed.synced
        assert feed.unsynced_since is None
        await rig.say(notified(setting("a", 2), md5=md5_of({"a": 2})))
        assert feed.synced
        await rig.say(notified(setting("a", 3)))
        assert not feed.synced
        since = feed.unsynced_since
        assert since is not None
        await rig.say(notified(setting("a", 4)))
        assert feed.unsynced_since == since
        await rig.say(notified(setting("a", 5), md5=md5_of({"a": 5})))
        assert feed.synced
        await rig.say(BAD)
        assert not feed.synced
        assert feed.unsynced_since is not None


async def test_a_message_that_cannot_be_read_puts_every_feed_in_doubt_until_the_next_hash() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": 1})
        await rig.say(b"garbage")
        assert (feed.state, feed.synced) == ("open", False)
        joining = rig.feed("joining")
        joining.desire_open()
        assert (joining.state, joining.synced) == ("open", False)
        await rig.say(notified(setting("a", 2), md5=md5_of({"a": 2})))
        assert feed.synced
        assert joining.synced


async def test_a_message_that_is_merely_unexpected_does_not() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"a": 1})
        await rig.say(opened())
        assert feed.synced


async def test_a_feed_is_not_synced_after_a_loss_until_it_is_open_again() -> None:
    async with connected(connect_retry=0) as rig:
        feed = await rig.open_feed()
        rig.script.lose()
        await rig.told.wait("board close NOT_CONNECTED")
        assert not feed.synced
        await rig.script.next()
        assert not feed.synced
        rig.script.say(opened())
        await feed.wait_open()
        assert feed.synced
