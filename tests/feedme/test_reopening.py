"""When a feed is opened again after bad notifications (section 7.5 of the reference): as by the original's counter."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given
from trio.testing import MockClock

from rcex_ws.feedme.reopening import ReopenPolicy
from tests.feedme.scripted import Rig, connected
from tests.feedme.wire import closed, notified, opened, refused

BAD = notified({"Operation": "Delete", "Path": ["missing"]})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Counter:
    """The original's: a count, and a timer for each reopening that is counted, which takes it back."""

    def __init__(self, most: int, trailing: int) -> None:
        self.most, self.trailing = most, trailing
        self.count, self.timers, self.waiting = 0, list[int](), False

    def pass_until(self, now: int) -> list[int]:
        """Let timers expire; return when the feed is reopened by one of them."""
        reopened: list[int] = []
        for at in sorted(at for at in self.timers if at <= now):
            self.timers.remove(at)
            self.count -= 1
            if self.waiting and self.count == self.most - 1:
                self.waiting = False
                reopened.append(at)
        return reopened

    def fail(self, now: int) -> bool:
        if self.most < 0:
            return True
        if self.count < self.most:
            self.count += 1
            if self.trailing:
                self.timers.append(now + self.trailing)
            return True
        self.waiting = True
        return False


@given(
    st.integers(-1, 4),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 15), st.sampled_from(["fail", "fail", "fail", "reset"])), max_size=40),
)
def test_it_reopens_when_the_counter_of_the_original_would(
    most: int, trailing: int, steps: list[tuple[int, str]]
) -> None:
    policy, counter = ReopenPolicy(most, float(trailing)), Counter(most, trailing)
    now = 0
    due = math.inf  # when the policy has promised one more
    for pause, step in steps:
        now += pause
        reopened = counter.pass_until(now)
        assert reopened == ([due] if due <= now else [])
        due = math.inf if reopened else due
        if step == "reset":
            policy.reset()
            counter, due = Counter(most, trailing), math.inf
        elif due == math.inf:  # otherwise the feed is closed, and cannot fail
            allowed = policy.allow(float(now))
            assert allowed == counter.fail(now)
            if not allowed:
                due = policy.next_at


async def fail(rig: Rig) -> None:
    """Let an open feed fail, and the server confirm that it is closed."""
    await rig.say(BAD)
    await rig.say(closed())


async def reopen(rig: Rig) -> None:
    assert await rig.script.kinds(2) == ["FeedClose", "FeedOpen"]
    await rig.say(opened())


async def test_the_third_failure_waits_until_the_first_reopening_no_longer_counts() -> None:
    async with connected(reopen_max_attempts=2, reopen_trailing=600) as rig:
        feed = await rig.open_feed()
        begun = trio.current_time()
        for _ in range(2):
            await fail(rig)
            await reopen(rig)
            await trio.sleep(100)
        await fail(rig)
        assert feed.state == "closed"
        assert not feed.synced
        await trio.sleep_until(begun + 599)
        assert "board opening" not in rig.told.lines
        await trio.sleep(1)
        await reopen(rig)
        assert feed.synced
        await fail(rig)  # the reopening by the timer was not counted, the second one still is, until 700
        await reopen(rig)


async def test_wait_open_waits_for_a_reopening_that_is_to_come() -> None:
    async with connected(reopen_max_attempts=1, reopen_trailing=60) as rig:
        feed = await rig.open_feed()
        await fail(rig)
        await reopen(rig)
        await fail(rig)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.wait_open)
            await trio.sleep(59)
            assert nursery.child_tasks
            await reopen(rig)


async def test_without_trailing_reopenings_count_for_the_whole_connection() -> None:
    async with connected(reopen_max_attempts=1, reopen_trailing=0, connect_retry=0) as rig:
        feed = await rig.open_feed()
        await fail(rig)
        await reopen(rig)
        await fail(rig)
        await trio.sleep(80_000)
        assert await rig.script.kinds(1) == ["FeedClose"]
        assert rig.script.unseen == []
        assert (feed.state, feed.desired_state) == ("closed", "open")
        rig.script.lose()
        assert await rig.script.kinds(1) == ["FeedOpen"]
        await rig.say(opened())
        await fail(rig)
        await reopen(rig)


async def test_with_none_allowed_it_stays_closed_and_with_a_negative_number_it_never_does() -> None:
    async with connected(reopen_max_attempts=0) as rig:
        await rig.open_feed()
        await fail(rig)
        await trio.sleep(80_000)
        assert await rig.script.kinds(1) == ["FeedClose"]
        assert rig.script.unseen == []
    async with connected(reopen_max_attempts=-1) as rig:
        await rig.open_feed()
        for _ in range(20):
            await fail(rig)
            await reopen(rig)


@pytest.mark.parametrize("how", ["other", "same", "disconnect", "closed"])
async def test_what_happens_meanwhile_ends_the_wait_for_a_reopening(how: str) -> None:
    async with connected(reopen_max_attempts=1, reopen_trailing=60) as rig:
        feed = await rig.open_feed()
        await fail(rig)
        await reopen(rig)
        await fail(rig)
        assert await rig.script.kinds(1) == ["FeedClose"]
        match how:
            case "other":
                rig.feed("other").desire_open()
            case "same":
                feed.desire_closed()
                feed.desire_open()
            case "disconnect":
                rig.client.disconnect()
            case _:
                feed.desire_closed()
        await trio.sleep(1000)
        opened_again = [message["MessageType"] for message in rig.script.unseen]
        assert opened_again == (["FeedOpen"] if how in ("other", "same") else [])


async def test_a_refusal_meanwhile_is_not_undone_by_the_wait_for_a_reopening() -> None:
    async with connected(reopen_max_attempts=1, reopen_trailing=60) as rig:
        await rig.open_feed()
        await fail(rig)
        await reopen(rig)
        await fail(rig)
        rig.feed("other").desire_open()
        assert await rig.script.kinds(2) == ["FeedClose", "FeedOpen"]
        await rig.say(refused())
        await trio.sleep(1000)
        assert rig.script.unseen == []


async def test_counters_are_per_feed() -> None:
    async with connected(reopen_max_attempts=1, reopen_trailing=0) as rig:
        await rig.open_feed()
        await rig.open_feed(label="other", args={"a": "1"})
        await fail(rig)
        await reopen(rig)
        await rig.say(notified({"Operation": "Delete", "Path": ["x"]}, args={"a": "1"}), closed({"a": "1"}))
        assert rig.told.lines[-1] == "other opening"
