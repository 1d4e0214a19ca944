"""Push subscriptions: one request for each, told again in each session, and withdrawn from a server of ours."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.errors import ConfigurationError, NotConnected, RequestTimeout
from rcex_ws.rtm import RemoteError
from tests.rtm.scripted import PATIENCE, Frame, Rig, Scripted, rig, session


def ours(server: Scripted) -> None:
    """Be a server of ours that forgets its sessions."""
    server.greets = lambda number: [session(f"s{number}")]


def ours_resuming(server: Scripted) -> None:
    """Be a server of ours that resumes them."""
    server.greets = lambda number: [session(resumed=number > 1)]


def subscribed(it: Rig, since: int = 0) -> list[Any]:
    """Return the event and tags of each request for a push subscription; those withdrawn after a minus."""
    found: list[Any] = []
    for frame in it.server.received[since:]:
        if frame["type"] == "subscribe":
            found.append((frame["event"], frame["tags"]))
        elif frame.get("function") == "rtm:unsubscribe":
            found.append(("-", *frame["data"]))
    return found


def note(it: Rig, name: str = "pushed") -> Any:
    return lambda data: it.told.add(name, data)


async def test_it_has_the_frame_of_the_original_client_and_returns_at_the_reply() -> None:
    async with rig(lambda server: setattr(server, "replies", False)) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:
            offs: list[Any] = []

            async def subscribe() -> None:
                offs.append(await it.client.subscribe_push("news", ("a", "b"), note(it)))

            group.start_soon(subscribe)
            frame = await it.server.next()
            assert frame == {"id": "1", "type": "subscribe", "event": "news", "tags": ["a", "b"]}
            it.server.event("news", 1)
            assert await it.told.wait("pushed") == [1], "the callback is registered at once"
            assert offs == []
            it.server.say({"id": "1", "data": True})
        offs[0]()
        offs[0]()
        it.server.replies = True
        it.server.event("news", 2)
        await it.settle()
        assert it.told.of("pushed") == [[1]]
        assert subscribed(it) == [("news", ["a", "b"])], "the original server has no word to withdraw it"


async def test_it_waits_for_a_connection() -> None:
    async with rig() as it:
        await it.client.start(wait=False)
        await it.client.subscribe_push("news", [], note(it), spread=False)
        assert subscribed(it) == [("news", [])]


async def test_its_arguments_may_be_spread() -> None:
    async with rig() as it:
        await it.client.start()
        await it.client.subscribe_push(
            "news", ["a"], lambda first, second: it.told.add("x", (first, second)), spread=True
        )
        it.server.event("news", 1, 2)
        assert await it.told.wait("x") == (1, 2)


async def test_it_is_told_again_to_a_server_that_has_forgotten_it_and_before_all_calls() -> None:
    async with rig(ours) as it:
        await it.client.start()
        await it.client.subscribe_push("news", ["a"], note(it))
        await it.client.subscribe_push("more", ["b"], note(it))
        since = len(it.server.received)
        it.server.peer.abort()
        await it.told.wait("close")
        it.client.call("f")
        await it.told.wait("open", 2)
        await it.settle()
        kinds = [frame["type"] for frame in it.server.received[since:]]
        assert kinds == ["subscribe", "subscribe", "invoke", "invoke"]
        assert subscribed(it, since) == [("news", ["a"]), ("more", ["b"])]


async def test_it_is_not_told_again_in_a_resumed_session() -> None:
    async with rig(ours_resuming) as it:
        await it.client.start()
        await it.client.subscribe_push("news", ["a"], note(it))
        await it.lose()
        await it.settle()
        assert subscribed(it) == [("news", ["a"])]
        it.server.event("news", 1)
        assert await it.told.wait("pushed") == [1]


@pytest.mark.parametrize("prepare", [ours, ours_resuming])
async def test_one_without_a_reply_is_told_again_in_any_case(prepare: Any) -> None:
    async with rig(prepare) as it:
        it.server.replies = False
        await it.client.start()
        async with anyio.create_task_group() as group:
            group.start_soon(it.client.subscribe_push, "news", ["a"], note(it))
            await it.server.next()
            it.server.replies = True
            await it.lose()
        assert subscribed(it) == [("news", ["a"])] * 2


async def test_equal_ones_share_one_on_the_wire() -> None:
    async with rig(ours) as it:
        await it.client.start()
        first = await it.client.subscribe_push("news", ["a", "b"], note(it, "first"))
        second = await it.client.subscribe_push("news", ["b", "a", "a"], note(it, "second"))
        await it.client.subscribe_push("news", ["b"], note(it, "third"))
        it.server.event("news", 1)
        await it.settle()
        assert it.told.names == ["open", "first", "second", "third"]
        first()
        await it.settle()
        assert subscribed(it) == [("news", ["a", "b"]), ("news", ["b"])]
        second()
        second()
        await it.settle()
        assert subscribed(it) == [("news", ["a", "b"]), ("news", ["b"]), ("-", "news", ["a", "b"])]
        await it.client.subscribe_push("news", ["a", "b"], note(it))
        assert subscribed(it)[3:] == [("news", ["a", "b"])]


async def test_several_wait_for_one_reply() -> None:
    async with rig(lambda server: setattr(server, "replies", False)) as it:
        await it.client.start()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(it.client.subscribe_push, "news", ["a"], note(it))
            frame = await it.server.next()
            await anyio.wait_all_tasks_blocked()
            it.server.say({"id": frame["id"]})
        assert it.server.unseen == []


async def test_one_that_is_given_up_during_a_loss_is_withdrawn_in_the_resumed_session() -> None:
    async with rig(ours_resuming) as it:
        await it.client.start()
        off = await it.client.subscribe_push("news", ["a"], note(it))
        again = await it.client.subscribe_push("more", ["b"], note(it))
        it.server.peer.abort()
        await it.told.wait("close")
        off()
        again()
        async with anyio.create_task_group() as group:
            group.start_soon(it.client.subscribe_push, "more", ["b"], note(it))
            await it.told.wait("open", 2)
        await it.settle()
        assert subscribed(it)[2:] == [("-", "news", ["a"]), ("more", ["b"])]


async def test_one_whose_withdrawal_may_be_lost_is_withdrawn_again_in_the_resumed_session() -> None:
    async with rig(ours_resuming) as it:
        await it.client.start()
        off = await it.client.subscribe_push("news", ["a"], note(it))
        it.server.replies = False
        off()
        await it.server.until(lambda: len(subscribed(it)) == 2)
        it.server.replies = True
        await it.lose()
        await it.settle()
        await it.lose()
        await it.settle()
        assert subscribed(it) == [("news", ["a"]), ("-", "news", ["a"]), ("-", "news", ["a"])]


async def test_a_new_session_does_not_know_what_was_given_up() -> None:
    async with rig(ours) as it:
        await it.client.start()
        off = await it.client.subscribe_push("news", ["a"], note(it))
        it.server.peer.abort()
        await it.told.wait("close")
        off()
        await it.told.wait("open", 2)
        await it.settle()
        assert subscribed(it) == [("news", ["a"])]


async def refuse(it: Rig) -> Frame:
    frame = await it.server.next()
    it.server.say({"id": frame["id"], "data": {"error": "no such event"}})
    return frame


async def test_a_refusal_is_raised_and_leaves_nothing_behind() -> None:
    async with rig(ours) as it:
        it.server.replies = False
        await it.client.start()
        async with anyio.create_task_group() as group:
            group.start_soon(refuse, it)
            with pytest.raises(RemoteError, match="no such event"):
                await it.client.subscribe_push("news", ["a"], note(it))
        it.server.replies = True
        it.server.event("news", 1)
        await it.settle()
        await it.lose()
        await it.settle()
        assert subscribed(it) == [("news", ["a"])]
        assert it.told.of("pushed") == []
        assert it.told.of("error") == []


async def test_a_refusal_that_nobody_waits_for_is_reported_and_asked_again_in_the_next_session() -> None:
    async with rig(ours) as it:
        await it.client.start()
        await it.client.subscribe_push("news", ["a"], note(it))
        await it.server.next()
        it.server.replies = False
        await it.lose()
        await refuse(it)
        error = await it.told.wait("error")
        assert (error.error, error.__notes__) == ("no such event", ["in the push subscription to 'news'"])
        it.server.replies = True
        await it.client.subscribe_push("news", ["a"], note(it))
        await it.lose()
        await it.settle()
        assert subscribed(it) == [("news", ["a"])] * 4


async def test_without_a_reply_it_times_out_and_is_withdrawn(ms: float) -> None:
    async with rig(ours, call_timeout=50 * ms) as it:
        it.server.replies = False
        await it.client.start()
        with pytest.raises(RequestTimeout):
            await it.client.subscribe_push("news", ["a"], note(it))
        assert (await it.server.next())["type"] == "subscribe"
        assert (await it.server.next())["function"] == "rtm:unsubscribe"


async def test_without_a_connection_it_times_out(ms: float) -> None:
    async with rig(lambda server: setattr(server, "refusal", 503), call_timeout=50 * ms) as it:
        await it.client.start(wait=False)
        with pytest.raises(RequestTimeout):
            await it.client.subscribe_push("news", ["a"], note(it))
        it.server.refusal = None
        await it.client.wait_ready()
        await it.settle()
        assert subscribed(it) == []


async def test_a_cancelled_one_leaves_nothing_behind() -> None:
    async with rig(ours) as it:
        it.server.replies = False
        await it.client.start()
        with anyio.move_on_after(0):
            await it.client.subscribe_push("news", ["a"], note(it))
        it.server.replies = True
        it.server.event("news", 1)
        await it.settle()
        assert it.told.names == ["open"]
        assert subscribed(it) == [("news", ["a"]), ("-", "news", ["a"])]


async def test_closing_fails_those_that_wait_and_the_others_are_told_again_after_the_next_start() -> None:
    async with rig(ours) as it:
        await it.client.start()
        off = await it.client.subscribe_push("news", ["a"], note(it))
        it.server.replies = False
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:

                async def subscribe() -> None:
                    with pytest.raises(NotConnected):
                        await it.client.subscribe_push("more", ["b"], note(it))

                group.start_soon(subscribe)
                await it.server.until(lambda: len(it.server.received) == 2)
                await it.client.aclose()
        it.server.replies = True
        await it.client.start()
        await it.settle()
        assert subscribed(it) == [("news", ["a"]), ("more", ["b"]), ("news", ["a"])]
        await it.client.aclose()
        off()
        await it.client.start()
        await it.settle()
        assert len(subscribed(it)) == 3


@pytest.mark.parametrize(
    ("event", "tags", "callback", "message"),
    [
        ("rtm:x", ["a"], print, "event: "),
        ("x", "a", print, "tags: expected a list, each a text"),
        ("x", [1], print, "tags: expected a list, each a text"),
        ("x", ["a"], 5, "callback: "),
        ("x", ["a"], lambda: 1, "callback: "),
    ],
    ids=["reserved", "text", "numbers", "no function", "no argument"],
)
async def test_wrong_arguments_are_refused_by_name(event: Any, tags: Any, callback: Any, message: str) -> None:
    async with rig() as it:
        await it.client.start()
        with pytest.raises(ConfigurationError, match=message):
            await it.client.subscribe_push(event, tags, callback)
        with pytest.raises(ConfigurationError, match="event, tags: JSON cannot express it"):
            await it.client.subscribe_push("x", ["\ud800"], print)
        await it.settle()
        assert len(it.server.received) == 1
