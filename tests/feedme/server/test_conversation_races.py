"""What crosses on the wire, or changes while a handler is at work."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.feedme.messages import feed_key
from rcex_ws.feedme.server import Refusal
from rcex_ws.feedme.values import freeze
from tests.feedme.server.conversing import Conversing
from tests.feedme.wire import HANDSHAKE, action, closed, feed_close, feed_open, refused

KEY = feed_key("feed", {})
DONE = closed(feed="feed")


def conversing(**options: Any) -> Conversing:
    """Return a conversation after the handshake, with a handler for every feed."""
    talk = Conversing(**options)
    talk.core.handlers.add_feed(None)(lambda *_: None)
    talk.ask(HANDSHAKE)
    return talk


def opened(**options: Any) -> Conversing:
    talk = conversing(**options)
    talk.ask(feed_open())
    talk.calls.pop().succeed({})
    return talk


def terminate(talk: Conversing) -> int:
    return talk.terminate("feed", {})


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["MessageType"] for message in messages]


def test_a_close_that_crosses_a_termination_is_answered() -> None:
    talk = opened()
    assert terminate(talk)
    assert talk.ask(feed_close()) == [DONE]
    assert types(talk.ask(feed_close())) == ["ViolationResponse"]
    assert types(talk.ask(feed_open())) == []
    talk.calls.pop().succeed({"again": 1})
    assert talk.sent[-1]["FeedData"] == {"again": 1}


@pytest.mark.parametrize(
    ("window", "passed", "response"), [(30, 30, "FeedCloseResponse"), (30, 30.1, "ViolationResponse")]
)
def test_the_window_after_a_termination(window: float, passed: float, response: str) -> None:
    talk = opened(termination_window=window)
    terminate(talk)
    talk.now += passed
    assert types(talk.ask(feed_close())) == [response]


def test_without_a_window_a_close_is_accepted_for_the_whole_connection_but_once() -> None:
    talk = opened(termination_window=0)
    terminate(talk)
    talk.now += 1e9
    assert types(talk.ask(feed_close(), feed_close())) == ["FeedCloseResponse", "ViolationResponse"]


def test_a_reopened_feed_ends_the_window() -> None:
    talk = opened()
    terminate(talk)
    talk.ask(feed_open())
    assert types(talk.ask(feed_close())) == ["ViolationResponse"]
    talk.calls.pop().succeed({})
    assert types(talk.ask(feed_close(), feed_close())) == ["FeedCloseResponse", "ViolationResponse"]


def test_terminations_are_forgotten_after_the_window() -> None:
    """An application that terminates feed after feed must not fill the memory."""
    talk = conversing(max_open_feeds=1)
    for number in range(100):
        talk.now += 10
        talk.ask(feed_open(n=str(number)))
        talk.calls.pop().succeed({})
        talk.terminate("feed", {"n": str(number)})
    answered = [types(talk.ask(feed_close(n=str(number)))) for number in range(100)]
    assert answered == [["ViolationResponse"]] * 96 + [["FeedCloseResponse"]] * 4
    assert len(talk.conversation._state._terminated) == 0


def test_a_feed_that_is_terminated_while_it_opens_fails() -> None:
    talk = conversing()
    talk.ask(feed_open())
    assert terminate(talk)
    assert talk.sent[-1] == refused("OVER", feed="feed")
    count = len(talk.sent)
    talk.calls.pop().succeed({})
    assert len(talk.sent) == count
    assert types(talk.ask(feed_close())) == ["ViolationResponse"]


def test_a_late_handler_does_not_answer_the_next_request() -> None:
    talk = conversing()
    talk.ask(feed_open())
    terminate(talk)
    assert talk.ask(feed_open()) == []
    first, second = talk.calls
    first.succeed({"from": "first"})
    assert types(talk.sent[-1:]) == ["FeedOpenResponse"]
    assert not talk.sent[-1]["Success"]
    first.fail(Refusal("LATE"))
    second.succeed({"from": "second"})
    assert talk.sent[-1]["FeedData"] == {"from": "second"}


@pytest.mark.parametrize("gone", ["client", "feed"])
def test_the_application_is_told_of_a_feed_that_is_not_wanted_any_more_when_its_handler_returns(gone: str) -> None:
    talk = conversing()
    closed: list[Any] = []
    talk.core.handlers.feed_closed = lambda *args: closed.append(args)
    talk.ask(feed_open(room="1"))
    if gone == "client":
        talk.conversation.end()
    else:
        talk.conversation.terminate("OVER", freeze({}))
    talk.calls.pop().succeed({})
    talk.calls.pop().call()
    assert closed == [(talk.client, "feed", {"room": "1"})]
    assert talk.core.channels.get(feed_key("feed", {"room": "1"})) is None


def test_the_application_is_told_of_open_feeds_when_the_client_leaves() -> None:
    talk = opened()
    closed: list[Any] = []
    talk.core.handlers.feed_closed = lambda *args: closed.append(args)
    talk.conversation.end()
    talk.calls.pop().call()
    assert closed == [(talk.client, "feed", {})]


def test_nothing_is_sent_between_a_close_and_its_response() -> None:
    talk = opened()
    channel = talk.core.channels[KEY]
    talk.core.handlers.feed_closed = lambda *_: None
    assert talk.ask(feed_close()) == []
    assert talk.core.channels.publish(channel, b"{}") == 0
    assert not terminate(talk)
    assert types(talk.ask(feed_open(), feed_close())) == ["ViolationResponse"] * 2
    talk.calls.pop().succeed(None)
    assert talk.sent[-1] == DONE


def test_a_failing_handler_does_not_keep_a_feed_open() -> None:
    talk = opened()
    talk.core.handlers.feed_closed = lambda *_: None
    talk.ask(feed_close())
    talk.calls.pop().fail(ZeroDivisionError())
    assert talk.sent[-1] == DONE


def test_responses_may_come_in_any_order_but_once() -> None:
    talk = conversing()
    talk.core.handlers.add_action(None)(lambda *_: None)
    talk.ask(action(callback_id="a"), action(callback_id="b"))
    first, second = talk.calls
    second.succeed({"n": 2})
    first.succeed({"n": 1})
    first.succeed({"n": 3})
    second.fail(Refusal("LATE"))
    assert [(one["CallbackId"], one["ActionData"]) for one in talk.sent[1:]] == [("b", {"n": 2}), ("a", {"n": 1})]


def test_a_handshake_is_answered_once() -> None:
    talk = Conversing()
    talk.core.handlers.handshake = lambda _: None
    talk.ask(HANDSHAKE)
    (call,) = talk.calls
    call.succeed(None)
    call.fail(Refusal("LATE"))
    call.succeed(None)
    assert [one["Success"] for one in talk.sent] == [True]
    assert types(talk.ask(HANDSHAKE)) == ["ViolationResponse"]


def test_a_client_that_has_left_gets_no_response() -> None:
    talk = opened()
    talk.core.handlers.add_action(None)(lambda *_: None)
    talk.core.handlers.feed_closed = lambda *_: None
    talk.ask(feed_close(), feed_open("other"), action("do", {}, "1"), action("do", {}, "2"))
    count = len(talk.sent)
    talk.conversation.end()
    closing, opening, acting, failing = talk.calls
    closing.succeed(None)
    opening.succeed({})
    acting.succeed({})
    failing.fail(Refusal("NO"))
    assert len(talk.sent) == count
