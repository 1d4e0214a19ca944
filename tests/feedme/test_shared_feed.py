"""One feed of the server: what is sent when, and what the answers mean (sections 3.3 and 7.5 of the reference)."""

from __future__ import annotations

import pytest

from tests.feedme.scripted import connected
from tests.feedme.wire import Message, answered, closed, notified, opened, refused, setting, terminated

UNEXPECTED = "bad_server_message UNEXPECTED_MESSAGE"
BAD_DELTA = notified({"Operation": "Delete", "Path": ["missing"]})
BAD_HASH = notified(setting("a", 1), md5="A" * 24)


# -- sharing -----------------------------------------------------------------------------------------------------------


async def test_several_objects_share_one_feed_of_the_server() -> None:
    async with connected() as rig:
        first, second, idle = rig.feed("first"), rig.feed("second"), rig.feed("idle")
        first.desire_open()
        second.desire_open()
        rig.script.say(opened({"a": 1}), notified(setting("a", 2)))
        await rig.told.wait("second action move")
        assert await rig.script.kinds(1) == ["FeedOpen"]
        assert rig.told.lines[2:] == [
            "first opening",
            "second opening",
            "first open",
            "second open",
            "first action move",
            "second action move",
        ]
        assert first.data is second.data
        assert idle.state == "closed"
        first.desire_closed()
        await rig.settle()
        assert rig.script.unseen == []
        assert (first.state, second.state) == ("closed", "open")
        second.desire_closed()
        assert await rig.script.kinds(1) == ["FeedClose"]


async def test_an_object_that_joins_an_open_feed_gets_opening_and_open_at_once() -> None:
    async with connected() as rig:
        await rig.open_feed({"a": 1})
        await rig.say(notified(setting("a", 2)))
        second = rig.feed("second")
        second.desire_open()
        assert second.data == {"a": 2}
        await rig.settle()
        assert rig.told.lines[-2:] == ["second opening", "second open"]
        assert rig.script.unseen == []


async def test_names_and_arguments_in_any_order_identify_a_feed_and_nothing_else_does() -> None:
    async with connected() as rig:
        await rig.open_feed(label="first", args={"a": "1", "b": "2"})
        rig.feed("same", {"b": "2", "a": "1"}).desire_open()
        rig.feed("other", {"a": "2", "b": "1"}).desire_open()
        rig.feed("none").desire_open()
        assert [(await rig.script.next())["FeedArgs"] for _ in range(2)] == [{"a": "2", "b": "1"}, {}]
        await rig.say(notified(name="x", args={"b": "2", "a": "1"}))
        assert rig.told.lines == ["first action x", "same action x"]


async def test_a_feed_whose_name_looks_like_the_arguments_of_another_is_another() -> None:
    async with connected() as rig:
        for name, args in [("a", {"b": "c"}), ("a", {"b": "c", "": ""}), ("abc", {}), ('["a","b","c"]', {})]:
            rig.client.feed(name, args).desire_open()
        assert await rig.script.kinds(4) == ["FeedOpen"] * 4


# -- one request at a time ---------------------------------------------------------------------------------------------


async def test_quick_changes_of_mind_wait_for_each_answer() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        feed.desire_open()
        assert feed.state == "opening"
        feed.desire_closed()
        feed.desire_open()
        assert await rig.script.kinds(1) == ["FeedClose"]
        assert await rig.say(closed()) == []
        assert await rig.script.kinds(1) == ["FeedOpen"]
        assert await rig.say(opened()) == ["board open"]


async def test_desired_closed_while_opening_it_is_closed_after_the_answer() -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        feed.desire_closed()
        await rig.settle()
        assert await rig.script.kinds(1) == ["FeedOpen"]
        assert rig.script.unseen == []
        assert await rig.say(opened()) == []
        assert await rig.script.kinds(1) == ["FeedClose"]
        await rig.say(closed())
        feed.desire_open()
        assert await rig.script.kinds(1) == ["FeedOpen"]


async def test_a_refusal_that_nobody_waits_for_any_more_is_not_told() -> None:
    async with connected() as rig:
        feed = rig.feed()
        feed.desire_open()
        feed.desire_closed()
        await rig.settle()
        assert await rig.say(refused()) == []
        assert feed.state == "closed"


# -- refusals and terminations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("termination", [False, True])
async def test_a_refused_or_terminated_feed_is_opened_again_when_somebody_desires_it(termination: bool) -> None:
    async with connected() as rig:
        first = rig.feed("first")
        first.desire_open()
        await rig.script.next()
        rig.script.say(*([opened(), terminated()] if termination else [refused()]))
        await rig.settle()
        assert rig.script.unseen == []
        assert first.state == "closed"
        assert first.desired_state == "open"
        second = rig.feed("second")
        second.desire_open()
        assert await rig.script.kinds(1) == ["FeedOpen"]
        await rig.settle()
        assert rig.told.lines[-2:] == ["first opening", "second opening"]


@pytest.mark.parametrize("termination", [False, True])
async def test_that_another_object_is_desired_closed_does_not_open_it_again(termination: bool) -> None:
    async with connected() as rig:
        first, second = rig.feed("first"), rig.feed("second")
        first.desire_open()
        second.desire_open()
        await rig.script.next()
        rig.script.say(*([opened(), terminated()] if termination else [refused()]))
        await rig.settle()
        first.desire_closed()
        await rig.settle()
        assert rig.script.unseen == []
        assert second.state == "closed"


@pytest.mark.parametrize("termination", [False, True])
async def test_it_is_opened_again_over_the_next_connection(termination: bool) -> None:
    async with connected(connect_retry=0) as rig:
        rig.feed().desire_open()
        await rig.script.next()
        rig.script.say(*([opened(), terminated()] if termination else [refused()]))
        await rig.settle()
        rig.script.lose()
        await rig.told.wait("board close NOT_CONNECTED")
        assert await rig.script.kinds(1) == ["FeedOpen"]


async def test_a_termination_that_crosses_our_close_still_waits_for_the_answer() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        feed.desire_open()
        assert await rig.script.kinds(1) == ["FeedClose"]
        await rig.settle()
        assert await rig.say(terminated()) == []
        assert rig.script.unseen == []
        assert await rig.say(terminated(), notified(), opened()) == [UNEXPECTED] * 3
        assert await rig.say(closed()) == []
        assert await rig.script.kinds(1) == ["FeedOpen"]
        assert await rig.say(closed()) == [UNEXPECTED]
        assert await rig.say(opened()) == ["board open"]


async def test_an_action_that_crosses_our_close_is_discarded_even_a_bad_one() -> None:
    async with connected() as rig:
        feed = await rig.open_feed()
        feed.desire_closed()
        await rig.settle()
        assert await rig.say(notified(), BAD_DELTA, BAD_HASH) == []
        assert await rig.script.kinds(1) == ["FeedClose"]
        await rig.say(closed())
        assert rig.script.unseen == []


# -- what the server must not send -------------------------------------------------------------------------------------

ALL = (opened(), refused(), closed(), notified(), terminated())
FORBIDDEN: dict[str, tuple[Message, ...]] = {
    "never opened": ALL,
    "closed": ALL,
    "opening": (closed(), notified(), terminated()),
    "open": (opened(), refused(), closed()),
    "closing": (opened(), refused()),
    "terminated": (opened(), refused(), notified(), terminated()),
}
LEADS_TO: dict[str, tuple[Message, ...]] = {
    "never opened": (),
    "closed": (opened(), closed()),
    "opening": (),
    "open": (opened(),),
    "closing": (opened(),),
    "terminated": (opened(), terminated()),
}


@pytest.mark.parametrize("state", FORBIDDEN)
async def test_a_message_that_the_state_forbids_is_reported_and_changes_nothing(state: str) -> None:
    async with connected() as rig:
        feed = rig.feed()
        if state != "never opened":
            feed.desire_open()
        for message in LEADS_TO[state]:
            if message["MessageType"] in ("FeedCloseResponse", "FeedTermination"):
                feed.desire_closed()
            await rig.say(message)
        if state == "closing":
            feed.desire_closed()
        await rig.settle()
        sent, shown = len(rig.script.unseen), feed.state
        for message in FORBIDDEN[state]:
            assert await rig.say(message) == [UNEXPECTED]
            assert rig.told.items[0][1][0].server_message == message
        assert len(rig.script.unseen) == sent
        assert feed.state == shown


async def test_so_is_one_about_a_feed_that_nobody_knows() -> None:
    async with connected() as rig:
        assert await rig.say(*ALL) == [UNEXPECTED] * len(ALL)
        feed = await rig.open_feed()
        feed.desire_closed()
        feed.destroy()
        await rig.settle()
        assert await rig.say(notified(), closed(), closed()) == [UNEXPECTED]


async def test_nothing_about_feeds_or_actions_is_expected_before_the_handshake() -> None:
    async with connected() as rig:
        rig.feed().desire_open()
        rig.script.handshake = None
        rig.client.disconnect()
        rig.client.connect()
        await rig.script.until(lambda: len(rig.script.transports) == 2)
        await rig.script.until_sent(1)
        answer = answered("1")
        rig.script.say(*ALL, answer)
        await rig.told.wait(UNEXPECTED, len(ALL) + 1)
        assert rig.client.state == "connecting"
