"""Messages that break the rules, and messages that only look as if they did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.messages import feed_key
from rcex_ws.feedme.server.errors import InvalidClientMessage, Refusal, UnexpectedClientMessage
from tests.feedme.server.conversing import Conversing
from tests.feedme.wire import HANDSHAKE, REJECTION, WELCOME, action, answered, closed, feed_close, feed_open, violation

INVALID = "Invalid JSON."
SCHEMA = "Schema violation."


def complaint(problem: str, message: Any) -> list[dict[str, Any]]:
    text = message if isinstance(message, str) else json.dumps(message)
    return [violation(problem, text)]


def conversing(**options: Any) -> Conversing:
    """Return a conversation after the handshake, with a handler for everything."""
    talk = Conversing(**options)
    talk.core.handlers.add_feed(None)(lambda *_: None)
    talk.core.handlers.add_action(None)(lambda *_: None)
    talk.ask(HANDSHAKE)
    return talk


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", INVALID),
        ("x", INVALID),
        ('{"MessageType":"Handshake","Versions":["0.1"]}x', INVALID),
        ('\ufeff{"MessageType":"Handshake","Versions":["0.1"]}', INVALID),
        ('{"MessageType":"Action","ActionName":"x","ActionArgs":{"n":NaN},"CallbackId":"1"}', INVALID),
        ("[" * 10_000, INVALID),
        ("[" * 10_000 + "]" * 10_000, INVALID),
        ("null", SCHEMA),
        ("1", SCHEMA),
        ('"Handshake"', SCHEMA),
        ("[]", SCHEMA),
        ("{}", SCHEMA),
        ('{"MessageType":null}', SCHEMA),
        ('{"MessageType":["Handshake"]}', SCHEMA),
        ('{"MessageType":"hasOwnProperty"}', SCHEMA),
        ('{"MessageType":"__proto__"}', SCHEMA),
        ('{"MessageType":"constructor"}', SCHEMA),
        ('{"MessageType":"handshake","Versions":["0.1"]}', SCHEMA),
        ('{"MessageType":"ActionResponse","Success":false,"CallbackId":"1"}', SCHEMA),
        ('{"MessageType":"Handshake"}', SCHEMA),
        ('{"MessageType":"Handshake","Versions":[]}', SCHEMA),
        ('{"MessageType":"Handshake","Versions":["0.1",1]}', SCHEMA),
        ('{"MessageType":"Handshake","Versions":"0.1"}', SCHEMA),
        ('{"MessageType":"Action","ActionName":"x","ActionArgs":{}}', SCHEMA),
        ('{"MessageType":"Action","ActionName":"x","ActionArgs":[],"CallbackId":"1"}', SCHEMA),
        ('{"MessageType":"Action","ActionName":"x","ActionArgs":{},"CallbackId":1}', SCHEMA),
        ('{"MessageType":"FeedOpen","FeedName":null,"FeedArgs":{}}', SCHEMA),
        ('{"MessageType":"FeedOpen","FeedName":"x","FeedArgs":{"n":1}}', SCHEMA),
        ('{"MessageType":"FeedClose","FeedName":"x","FeedArgs":{},"toString":1}', SCHEMA),
    ],
)
def test_a_message_that_is_none(text: str, problem: str) -> None:
    talk = conversing()
    error = talk.conversation.receive(text.encode())
    assert talk.sent[1:] == complaint(problem, text)
    assert type(error) is InvalidClientMessage
    assert (error.code, error.problem, error.client_message) == ("INVALID_MESSAGE", problem, text)
    assert str(error) == f"INVALID_MESSAGE: {problem}"
    assert error.detail
    assert talk.calls == []


def test_a_text_that_is_not_utf_8() -> None:
    """No WebSocket delivers one; a transport of the application may."""
    talk = conversing()
    assert type(talk.conversation.receive(b"\xff")) is InvalidClientMessage
    assert talk.sent[1:] == complaint(INVALID, "\ufffd")


@pytest.mark.parametrize("message", [action(), feed_open(), feed_close()])
def test_anything_before_the_handshake(message: Any) -> None:
    talk = Conversing()
    error = talk.conversation.receive(json.dumps(message).encode())
    assert talk.sent == complaint("Handshake required.", message)
    assert type(error) is UnexpectedClientMessage
    assert error.code == "UNEXPECTED_MESSAGE"
    assert talk.ask(HANDSHAKE)[0]["Success"]


def test_a_second_handshake() -> None:
    talk = Conversing()
    talk.core.handlers.handshake = lambda _: None
    assert talk.ask(HANDSHAKE) == []
    unexpected = complaint("Unexpected Handshake message.", HANDSHAKE)
    assert talk.ask(HANDSHAKE, action()) == unexpected + complaint("Handshake required.", action())
    talk.calls.pop().succeed(None)
    assert talk.sent[-1] == WELCOME
    assert talk.ask(HANDSHAKE) == unexpected


@pytest.mark.parametrize("handler", [True, False])
def test_a_handshake_that_is_refused_may_be_repeated(handler: bool) -> None:
    talk = Conversing()
    refused = [REJECTION]
    if handler:
        talk.core.handlers.handshake = lambda _: None
        talk.ask(HANDSHAKE)
        talk.calls.pop().fail(Refusal("NO"))
        assert talk.sent == refused
        talk.core.handlers.handshake = None
    else:
        assert talk.ask({"MessageType": "Handshake", "Versions": ["1.0"]}) == refused
    assert talk.ask(action()) == complaint("Handshake required.", action())
    assert talk.ask(HANDSHAKE)[0]["Success"]


def test_a_callback_id_in_use() -> None:
    talk = conversing()
    talk.ask(action(callback_id="1"))
    again = action("other", callback_id="1")
    assert talk.ask(again) == complaint("Action message reused an outstanding CallbackId.", again)
    talk.calls.pop().succeed({})
    assert talk.ask(again) == []
    assert len(talk.calls) == 1


def test_a_feed_that_is_opened_or_closed_at_the_wrong_time() -> None:
    talk = conversing()
    talk.core.handlers.feed_closed = lambda *_: None
    open_, close = (
        complaint("Unexpected FeedOpen message.", feed_open()),
        complaint("Unexpected FeedClose message.", feed_close()),
    )
    assert talk.ask(feed_close()) == close
    assert talk.ask(feed_open()) == []
    assert talk.ask(feed_open(), feed_close()) == open_ + close
    talk.calls.pop().succeed({})
    assert talk.ask(feed_open()) == open_
    assert talk.ask(feed_close()) == []
    assert talk.ask(feed_open(), feed_close()) == open_ + close


def test_more_than_a_client_may_have_is_a_failure_and_no_violation() -> None:
    talk = conversing(max_actions=2, max_open_feeds=2)
    failed = {"Success": False, "ErrorData": {}}
    assert talk.ask(action(callback_id="1"), action(callback_id="2")) == []
    over = {"MessageType": "ActionResponse", "CallbackId": "3", "ErrorCode": "TOO_MANY_ACTIONS"}
    assert talk.ask(action(callback_id="3")) == [over | failed]
    talk.calls.pop().succeed({})
    assert talk.ask(action(callback_id="3")) == []

    assert talk.ask(feed_open(n="1"), feed_open(n="2")) == []
    over = {"MessageType": "FeedOpenResponse", "FeedName": "feed", "ErrorCode": "TOO_MANY_FEEDS"}
    assert talk.ask(feed_open(n="3")) == [over | failed | {"FeedArgs": {"n": "3"}}]
    talk.calls.pop().succeed({})
    talk.ask(feed_close(n="2"))
    assert talk.ask(feed_open(n="3")) == []


@pytest.mark.parametrize("name", ["toString", "__proto__", "constructor", "hasOwnProperty", "", "\ud800", "\U0001f600"])
def test_any_name_is_an_ordinary_name(name: str) -> None:
    talk = conversing()
    args = {name: name}
    assert talk.ask(action(name, args, callback_id=name)) == []
    assert talk.calls.pop().succeed({name: name}) is None
    assert talk.sent[-1] == answered(name, args)
    assert talk.ask(feed_open(name, **args)) == []
    talk.calls.pop().succeed({name: [name]})
    assert talk.sent[-1]["FeedData"] == {name: [name]}
    assert talk.conversation.open_feeds == [feed_key(name, args)]
    assert talk.ask(feed_close(name, **args)) == [closed(args, feed=name)]


@pytest.mark.parametrize("name", ["toString", "none"])
def test_without_a_handler_a_request_fails(name: str) -> None:
    talk = Conversing()
    talk.ask(HANDSHAKE)
    for message in (action(name), feed_open(name)):
        (response,) = talk.ask(message)
        assert (response["Success"], response["ErrorCode"], response["ErrorData"]) == (False, "INTERNAL_ERROR", {})


def test_huge_numbers_and_lone_surrogates_arrive() -> None:
    talk = conversing()
    received: list[Any] = []
    talk.core.handlers.add_action("keep")(lambda _, args: received.append(args))
    args = '{"n":[1e400,-1e400,9007199254740993,1' + "0" * 5000 + '],"s":"\\ud800","\\udc00":1}'
    assert talk.ask(f'{{"MessageType":"Action","ActionName":"keep","ActionArgs":{args},"CallbackId":"1"}}') == []
    talk.calls.pop().call()
    infinity = float("inf")
    assert received == [{"n": [infinity, -infinity, 2**53, infinity], "s": "\ud800", "\udc00": 1}]
    with pytest.raises(TypeError, match="read-only"):
        received[0]["x"] = 1


@pytest.mark.parametrize("result", [None, [], "x", {"a": {1}}, {"n": float("nan")}, {1: 2}])
def test_a_handler_that_returns_no_json_object(result: Any) -> None:
    talk = conversing()
    talk.ask(action("do"), feed_open("feed"))
    with pytest.raises(InvalidArgument, match="the result of the action 'do'"):
        talk.calls[0].succeed(result)
    with pytest.raises(InvalidArgument, match="the data of the feed 'feed'"):
        talk.calls[1].succeed(result)
    assert len(talk.sent) == 1


def test_a_handler_that_returns_another_feed() -> None:
    talk = conversing()
    live = talk.live_feed("live", {}, {})
    talk.core.handlers.add_feed("live")(lambda *_: None)
    talk.ask(feed_open("feed"), feed_open("live"))
    with pytest.raises(InvalidArgument, match=r"cannot be opened as <LiveFeed 'live' \{\}: 0 subscribers>"):
        talk.calls[0].succeed(live)
    with pytest.raises(InvalidArgument, match="is a live one"):
        talk.calls[1].succeed({})
    talk.calls[1].succeed(live)
    assert talk.sent[-1]["FeedData"] == {}
