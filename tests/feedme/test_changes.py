"""The changes of a feed as an iterator: in order, none lost without a word."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given

from rcex_ws.feedme.changes import Changes, FeedChange
from rcex_ws.feedme.errors import BadFeedAction, Destroyed, Disconnected, InvalidFeedState, Rejected, Terminated
from rcex_ws.feedme.values import FrozenDict, freeze
from tests.feedme.scripted import connected
from tests.feedme.wire import closed, notified, opened, setting, terminated


async def all_of(changes: Any) -> list[tuple[str | None, Any, Any]]:
    """Return the rest: (name, old data, new data) of each."""
    return [(change.action_name, change.old_data, change.new_data) async for change in changes]


async def test_each_action_is_a_change() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        await rig.say(notified(setting("n", 1), name="a", data={"by": "x"}), notified(setting("n", 2), name="b"))
        change = await anext(changes)
        assert (change.action_name, change.action_data, change.old_data, change.new_data) == (
            "a",
            {"by": "x"},
            {"n": 0},
            {"n": 1},
        )
        feed.desire_closed()
        assert await all_of(changes) == [("b", {"n": 1}, {"n": 2})]


async def test_the_iterator_of_a_feed_is_one_as_long_as_it_runs() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        changes = aiter(feed)
        assert aiter(feed) is changes
        assert aiter(changes) is changes
        feed.desire_closed()
        assert await all_of(changes) == []
        feed.desire_open()
        assert aiter(feed) is not changes


async def test_a_reopening_is_a_change_without_a_name() -> None:
    async with connected(connect_retry=0) as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        rig.script.lose()
        await rig.script.next()
        rig.script.say(opened({"n": 5}), notified(setting("n", 6), name="a"))
        await rig.told.wait("board action a")
        await rig.say(notified({"Operation": "Delete", "Path": ["missing"]}), closed(), opened({"n": 8}))
        feed.desire_closed()
        assert await all_of(changes) == [
            (None, {"n": 0}, {"n": 5}),
            ("a", {"n": 5}, {"n": 6}),
            (None, {"n": 6}, {"n": 8}),
        ]


async def test_it_raises_when_the_server_closes_the_feed_after_what_came_before() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        await rig.say(notified(setting("n", 1), name="a"), terminated("GONE"))
        assert (await anext(changes)).action_name == "a"
        with pytest.raises(Terminated):
            await anext(changes)
        with pytest.raises(Rejected):
            aiter(feed)


async def test_it_ends_with_the_feed_and_with_the_client() -> None:
    async with connected() as rig:
        first, second = await rig.open_feed(), await rig.open_feed(label="second", args={"a": "1"})
        ended = [aiter(first), aiter(second)]
        first.desire_closed()
        first.destroy()
        await rig.client.aclose()
        for changes in ended:
            assert await all_of(changes) == []
        with pytest.raises(Destroyed):
            aiter(first)


async def test_a_feed_that_is_desired_closed_has_no_changes_to_wait_for() -> None:
    async with connected() as rig:
        with pytest.raises(InvalidFeedState, match=r"desire_open\(\)"):
            aiter(rig.feed())


async def test_it_raises_when_nothing_will_open_the_feed_again() -> None:
    for lose in (lambda rig: rig.client.disconnect(), lambda rig: rig.script.lose()):
        async with connected(reconnect=False) as rig:
            feed = await rig.open_feed({"n": 0})
            changes = aiter(feed)
            rig.script.say(notified(setting("n", 1), name="a"))
            await rig.settle()
            lose(rig)
            assert (await anext(changes)).action_name == "a"
            with pytest.raises(Disconnected):
                await anext(changes)
            with pytest.raises(Disconnected):
                aiter(feed)
            assert feed.error is not None


async def test_it_raises_when_reopening_is_used_up() -> None:
    async with connected(reopen_max_attempts=0, reopen_trailing=0) as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        rig.script.say(notified(md5="A" * 24))
        await rig.script.next()
        await rig.say(closed())
        with pytest.raises(BadFeedAction):
            await anext(changes)


async def test_the_memory_of_queued_changes_is_bounded_not_only_their_messages() -> None:
    async with connected(max_pending_bytes=1_000_000) as rig:
        feed = await rig.open_feed({str(n): n for n in range(1000)})  # a copy of it takes some 36 kB
        changes = aiter(feed)
        for n in range(100):
            rig.script.say(notified(setting("0", n), name=str(n)))
        await rig.settle()
        feed.desire_closed()
        assert 10 < len(await all_of(changes)) < 40


async def test_it_may_begin_before_the_feed_is_open() -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        changes = aiter(feed)
        await rig.script.next()
        rig.script.say(opened({"n": 0}), notified(setting("n", 1), name="a"))
        assert (await anext(changes)).action_name == "a"


async def test_a_slow_consumer_gets_what_it_missed_as_one_change_without_a_name() -> None:
    async with connected(max_pending=3) as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        for n in range(1, 11):
            rig.script.say(notified(setting("n", n), name=str(n)))
        await rig.settle()
        feed.desire_closed()
        found = await all_of(changes)
        assert found[0][0] is None
        assert [name for name, _, _ in found[1:]] == ["8", "9", "10"]
        assert [(old["n"], new["n"]) for _, old, new in found] == [(0, 7), (7, 8), (8, 9), (9, 10)]


async def test_large_changes_are_bounded_by_their_bytes() -> None:
    async with connected(max_pending_bytes=20_000) as rig:
        feed = await rig.open_feed({"n": ""})
        changes = aiter(feed)
        for n in range(10):
            rig.script.say(notified(setting("n", str(n) * 5000), name=str(n)))
        await rig.settle()
        feed.desire_closed()
        assert [name for name, _, _ in await all_of(changes)] == [None, "7", "8", "9"]


async def test_two_tasks_cannot_iterate_over_one_feed() -> None:
    async with connected() as rig, anyio.create_task_group() as group:
        feed = await rig.open_feed()
        group.start_soon(anext, aiter(feed))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(InvalidFeedState, match="another task iterates over this Feed"):
            await anext(aiter(feed))
        group.cancel_scope.cancel()


async def test_to_cancel_a_consumer_loses_nothing() -> None:
    async with connected() as rig:
        feed = await rig.open_feed({"n": 0})
        changes = aiter(feed)
        with anyio.move_on_after(0):
            await anext(changes)
        await rig.say(notified(setting("n", 1), name="a"))
        assert (await anext(changes)).action_name == "a"


async def test_a_consumer_in_a_task_of_its_own() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        names: list[str | None] = []

        async def consume() -> None:
            names.extend([change.action_name async for change in feed])

        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await anyio.wait_all_tasks_blocked()
            await rig.say(notified(name="a"), notified(name="b"))
            feed.desire_closed()
        assert names == ["a", "b"]


@given(st.integers(1, 5), st.lists(st.one_of(st.just("take"), st.integers(0, 3)), max_size=40))
def test_changes_are_a_chain_whatever_is_dropped(most: int, steps: list[Any]) -> None:
    """What the consumer gets leads from the data it knows to the latest, without a hole."""

    async def run() -> None:
        documents = [freeze({"n": 0})]
        changes = Changes(documents[0], max_pending=most, max_pending_bytes=10**6)
        got: list[FeedChange] = []
        for step in [*steps, 1]:
            if step == "take":
                if (got and got[-1].new_data is documents[-1]) or len(documents) == 1:
                    continue  # nothing to take
                got.append(await anext(changes))
                continue
            for _ in range(step):
                documents.append(freeze({"n": len(documents)}))
                changes.put(FeedChange("a", FrozenDict(), documents[-1], documents[-2]), 1)
        changes.close()
        got += [change async for change in changes]
        assert got[0].old_data is documents[0]
        assert got[-1].new_data is documents[-1]
        assert all(before.new_data is after.old_data for before, after in pairwise(got))

    anyio.run(run)


@pytest.mark.parametrize("data", [{}, {"n": 0}])
async def test_what_happens_between_the_begin_of_the_block_and_the_iteration_is_a_change(data: dict[str, Any]) -> None:
    async with connected() as rig:
        rig.script.say(opened(data))
        async with rig.client.feed("Board") as feed:
            await rig.say(notified(setting("n", 1)))
            changes = aiter(feed)
            await rig.say(notified(setting("n", 2), name="a"))
            feed.desire_closed()
            assert await all_of(changes) == [(None, data, {"n": 1}), ("a", {"n": 1}, {"n": 2})]
