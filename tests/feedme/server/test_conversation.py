"""Whatever a client sends, and whatever the application does: one response to each message, nothing out of turn.

The model is written from the protocol (feedme-spec), apart from the code: what the client may send, what the server may
send, state by state. It judges every message that goes out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.deltas import Delta, apply_deltas
from rcex_ws.feedme.digest import feed_md5
from rcex_ws.feedme.messages import feed_key
from rcex_ws.feedme.server import Refusal
from rcex_ws.feedme.values import freeze
from tests.feedme.server.conversing import Conversing
from tests.feedme.wire import action, feed_close, feed_open, violation

WINDOW = 30.0
MAX_FEEDS, MAX_ACTIONS = 2, 2
IDS = st.sampled_from(["1", "2", "3", "toString"])
PLAIN = [("plain", {"a": "1", "b": "2"}), ("plain", {"b": "2", "a": "1"})]
OTHERS = [("live", {}), ("guarded", {"a": "1"}), ("constructor", {})]
FOCUS = st.sampled_from([*PLAIN, *OTHERS])
FEEDS = st.none() | st.none() | FOCUS  # None stands for the one feed on which an example focuses
GARBAGE = st.sampled_from(
    [
        "",
        "null",
        "[]",
        "{}",
        '{"MessageType":"hasOwnProperty"}',
        '{"MessageType":"Handshake","Versions":[]}',
        '{"MessageType":"Action","ActionName":"x","ActionArgs":{},"CallbackId":1}',
        '{"MessageType":"FeedOpen","FeedName":"plain","FeedArgs":{"a":1}}',
        '{"MessageType":"FeedClose","FeedName":"plain","FeedArgs":{},"More":1}',
        '{"MessageType":"FeedAction"}',
        '{"MessageType":"Handshake","Versions":["0.1"]',
        "[" * 10_000,
    ]
)


class AnyConversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.talk = talk = Conversing(
            termination_window=WINDOW, max_open_feeds=MAX_FEEDS, max_actions=MAX_ACTIONS, dialect="client_id"
        )
        self.core, self.conversation, self.calls = talk.core, talk.conversation, talk.calls
        handlers = self.core.handlers
        handlers.feed_closed = handlers.handshake = lambda *_: None
        for name in ("plain", "guarded"):
            handlers.add_feed(name)(lambda *_: None)
        handlers.add_action(None)(lambda *_: None)
        self.live = talk.live_feed("live", {}, {"n": 0})
        self.guarded = talk.live_feed("guarded", {"a": "1"}, {"n": 0})
        # The model.
        self.handshake = "not initiated"
        self.actions: set[str] = set()
        self.feeds: dict[Any, str] = {}
        self.until: dict[Any, float] = {}  # end of the window after a termination
        self.data: dict[Any, Any] = {}  # the client's copies
        self.seen = 0

    @initialize(focus=FOCUS, done=st.integers(0, 3))
    def begin(self, focus: tuple[str, dict[str, str]], done: int) -> None:
        """Mostly with the handshake behind us: otherwise little else is allowed."""
        self.focus = focus
        if done:
            self.handshakes(["0.1"])
            self.calls.pop().succeed(None)

    # -- what the client does

    def send(self, message: Any, problem: str | None) -> None:
        """Send a message, and check that the server objects to it if and only if the model does."""
        text = message if isinstance(message, str) else json.dumps(message)
        error = self.conversation.receive(text.encode())
        assert (error and error.problem) == problem
        if problem is not None:
            assert self.new() == [violation(problem, text)]

    @rule(versions=st.sampled_from([["0.1"], ["1.0", "0.1"], ["1.0"]]))
    def handshakes(self, versions: list[str]) -> None:
        problem = None if self.handshake == "not initiated" else "Unexpected Handshake message."
        if problem is None:
            self.handshake = "handshaking"
        self.send({"MessageType": "Handshake", "Versions": versions}, problem)

    @rule(callback_id=IDS)
    def acts(self, callback_id: str) -> None:
        problem = None
        if self.handshake != "initiated":
            problem = "Handshake required."
        elif callback_id in self.actions:
            problem = "Action message reused an outstanding CallbackId."
        else:
            self.actions.add(callback_id)
        full = len(self.actions) > MAX_ACTIONS
        self.send(action("x", {}, callback_id), problem)
        if problem is None and full:
            assert [message.get("ErrorCode") for message in self.new()] == ["TOO_MANY_ACTIONS"]

    @rule(feed=FEEDS)
    def opens(self, feed: tuple[str, dict[str, str]] | None) -> None:
        name, args = feed or self.focus
        key, problem = (name, frozenset(args.items())), None
        if self.handshake != "initiated":
            problem = "Handshake required."
        elif self.state(key) not in ("closed", "terminated"):
            problem = "Unexpected FeedOpen message."
        else:
            self.feeds[key] = "opening"
        full = len([state for state in self.feeds.values() if state != "terminated"]) > MAX_FEEDS
        self.send(feed_open(name, **args), problem)
        if problem is None and full:
            assert [message.get("ErrorCode") for message in self.new()] == ["TOO_MANY_FEEDS"]

    @rule(feed=FEEDS)
    def closes(self, feed: tuple[str, dict[str, str]] | None) -> None:
        name, args = feed or self.focus
        key, problem = (name, frozenset(args.items())), None
        if self.handshake != "initiated":
            problem = "Handshake required."
        elif self.state(key) not in ("open", "terminated"):
            problem = "Unexpected FeedClose message."
        else:
            self.feeds[key] = "closing"
        self.send(feed_close(name, **args), problem)

    @rule(text=GARBAGE)
    def sends_garbage(self, text: str) -> None:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            self.send(text, "Invalid JSON.")
        else:
            self.send(text, "Schema violation.")

    # -- what the application does

    @precondition(lambda self: self.calls)
    @rule(place=st.integers(0, 9), outcome=st.sampled_from(["data", "live", "data", "live", "refusal", "nonsense"]))
    def a_handler_returns(self, place: int, outcome: str) -> None:
        """Like the dispatcher: what `succeed` raises counts as raised by the handler."""
        call = self.calls.pop(place % len(self.calls))
        results = {"data": {"n": 5}, "live": self.guarded, "nonsense": [1]}
        try:
            if outcome == "refusal":
                call.fail(Refusal("NO", {"why": 1}))
            else:
                call.succeed(results[outcome])
        except ValueError:
            call.fail(ZeroDivisionError())

    @rule(live=st.booleans())
    def a_live_feed_changes(self, live: bool) -> None:
        feed = self.live if live else self.guarded
        with feed.change("more", {"by": 1}) as draft:
            draft["n"] += 1

    @rule()
    def an_action_is_revealed(self) -> None:
        channel = self.core.channels.get(feed_key(*PLAIN[0]))
        if channel is not None:
            message = self.core.notification(*PLAIN[1], "more", freeze({}), [Delta("Set", ("n",), 6)])
            self.core.channels.publish(channel, encode(message))

    @rule(feed=FEEDS)
    def a_feed_is_terminated(self, feed: tuple[str, dict[str, str]] | None) -> None:
        name, args = feed or self.focus
        state = self.state((name, frozenset(args.items())))
        done = self.talk.terminate(name, args)
        assert done == (state in ("open", "opening"))

    @rule(live=st.booleans())
    def a_live_feed_is_terminated_for_everyone(self, live: bool) -> None:
        feed, key = (self.live, ("live", frozenset())) if live else (self.guarded, ("guarded", frozenset([("a", "1")])))
        assert feed.terminate("OVER") == (self.state(key) in ("open", "opening"))

    @rule()
    def all_feeds_are_terminated(self) -> None:
        count = len([state for state in self.feeds.values() if state in ("open", "opening")])
        assert self.conversation.terminate("OVER", freeze({})) == count

    @rule(seconds=st.sampled_from([1.0, WINDOW / 2, WINDOW, 2 * WINDOW]))
    def time_passes(self, seconds: float) -> None:
        self.talk.now += seconds

    # -- the judge

    def state(self, key: Any) -> str:
        state = self.feeds.get(key, "closed")
        return "closed" if state == "terminated" and self.talk.now > self.until[key] else state

    def new(self) -> list[dict[str, Any]]:
        """Judge what the server has sent since the last call, and return it."""
        messages = self.talk.sent[self.seen :]
        self.seen = len(self.talk.sent)
        for message in messages:
            judge: Callable[[dict[str, Any]], None] = getattr(self, f"judge_{message['MessageType']}")
            judge(message)
        return messages

    @invariant()
    def nothing_is_out_of_turn(self) -> None:
        self.new()
        feeds = {key for key, state in self.feeds.items() if state == "open"}
        assert {(name, frozenset(args.items())) for name, args in self.open_feeds()} == feeds

    @invariant()
    def the_client_has_the_servers_data(self) -> None:
        for key, feed in (("live", self.live), ("guarded", self.guarded)):
            identity = (key, frozenset(feed.args.items()))
            if self.state(identity) == "open":
                assert self.data[identity] == feed.data

    def open_feeds(self) -> list[tuple[str, dict[str, str]]]:
        channels = [self.core.channels[key] for key in self.conversation.open_feeds]
        assert all(self.conversation._state in channel.subscribers for channel in channels)
        return [(channel.name, channel.args) for channel in channels]

    def judge_ViolationResponse(self, message: dict[str, Any]) -> None:  # noqa: N802
        """Judged where the client sends."""

    def judge_HandshakeResponse(self, message: dict[str, Any]) -> None:  # noqa: N802
        assert self.handshake == "handshaking"
        self.handshake = "initiated" if message["Success"] else "not initiated"
        assert message == {"MessageType": "HandshakeResponse", "Success": message["Success"]} | (
            {"Version": "0.1", "ClientId": "c"} if message["Success"] else {}
        )

    def judge_ActionResponse(self, message: dict[str, Any]) -> None:  # noqa: N802
        self.actions.remove(message["CallbackId"])
        assert ("ActionData" in message) == message["Success"] == ("ErrorCode" not in message)

    def judge_FeedOpenResponse(self, message: dict[str, Any]) -> None:  # noqa: N802
        key = identity_of(message)
        assert self.feeds[key] == "opening"
        if message["Success"]:
            self.feeds[key] = "open"
            self.data[key] = freeze(message["FeedData"])
        else:
            del self.feeds[key]

    def judge_FeedCloseResponse(self, message: dict[str, Any]) -> None:  # noqa: N802
        assert self.feeds.pop(identity_of(message)) == "closing"

    def judge_ActionRevelation(self, message: dict[str, Any]) -> None:  # noqa: N802
        key = identity_of(message)
        assert self.feeds[key] == "open"
        deltas = [Delta(one["Operation"], tuple(one["Path"]), one["Value"]) for one in message["FeedDeltas"]]
        self.data[key] = apply_deltas(self.data[key], deltas)
        assert message.get("FeedMd5", feed_md5(self.data[key])) == feed_md5(self.data[key])

    def judge_FeedTermination(self, message: dict[str, Any]) -> None:  # noqa: N802
        key = identity_of(message)
        assert self.feeds[key] == "open"
        self.feeds[key], self.until[key] = "terminated", self.talk.now + WINDOW

    def teardown(self) -> None:
        """Let every handler return: then each message has been answered."""
        for call in self.calls:
            call.fail(Refusal("NO"))
        self.new()
        assert self.handshake != "handshaking"
        assert self.actions == set()
        assert {*self.feeds.values()} <= {"open", "terminated"}
        told = len(self.calls)
        feeds = len(self.open_feeds())
        self.conversation.end()
        assert len(self.calls) == told + feeds
        assert not self.live.subscribers
        assert not self.guarded.subscribers
        assert {*self.core.channels._channels} == {feed_key("live", {}), feed_key("guarded", {"a": "1"})}
        assert not self.live._channel.opening
        assert not self.guarded._channel.opening


def identity_of(message: dict[str, Any]) -> Any:
    return message["FeedName"], frozenset(message["FeedArgs"].items())


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=300, stateful_step_count=40)
