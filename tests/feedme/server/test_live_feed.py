"""Live feeds: whoever opens one follows it, no revelation is lost or doubled, and many clients cost one encoding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.deltas import Delta, DeltaError, apply_deltas, delta_from_json
from rcex_ws.feedme.digest import feed_md5
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.messages import feed_key
from rcex_ws.feedme.server import Refusal, channel, live_feed
from rcex_ws.feedme.server.conversation import ServerConversation
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.values import freeze
from tests.feedme.server.conversing import Conversing
from tests.feedme.wire import HANDSHAKE, feed_close, feed_open, notified, setting, terminated


class Follower:
    """A client of a server, and its copy of the one feed, as a client has to keep it."""

    def __init__(self, talk: Conversing, name: str) -> None:
        self.copy: Any = None
        self.revelations = 0
        self.closed_by = ""
        self.shared: list[Any] = []
        self.name = name
        self._conversation = ServerConversation(talk.core, talk.client, self)  # type: ignore[arg-type]
        self.say(HANDSHAKE)

    def say(self, message: Any) -> None:
        self._conversation.receive(json.dumps(message).encode())

    def send(self, messages: Any) -> bool:
        for message in map(json.loads, messages):
            if message["MessageType"] == "FeedOpenResponse":
                assert self.copy is None
                if message["Success"]:
                    self.copy = freeze(message["FeedData"])
                else:
                    self.closed_by = "FeedOpenResponse"
            elif message["MessageType"] == "FeedCloseResponse":
                self.copy = None
            elif message["MessageType"] == "FeedAction":
                self.copy = apply_deltas(self.copy, map(delta_from_json, message["FeedDeltas"]))
                assert feed_md5(self.copy) == message["FeedMd5"]
                self.revelations += 1
            elif message["MessageType"] == "FeedTermination":
                self.copy, self.closed_by = None, "FeedTermination"
            else:
                assert message["MessageType"] == "HandshakeResponse"
        return True

    def send_shared(self, shared: Any) -> bool:
        self.shared.append(shared)
        return self.send(shared.messages)


def conversing() -> tuple[Conversing, LiveFeed, LiveFeed]:
    """Return two live feeds, the second one with a handler that has to let clients in."""
    talk = Conversing()
    feed, guarded = (talk.live_feed(name, {}, {"log": [], "n": 0}) for name in ("feed", "guarded"))
    talk.core.handlers.add_feed("guarded")(lambda *_: guarded)
    return talk, feed, guarded


STEPS = st.lists(st.sampled_from(["change", "reveal", "return", "0", "1", "2", "3"]), max_size=40)


@given(STEPS)
def test_no_revelation_is_lost_or_doubled(steps: list[str]) -> None:
    """Clients open and close between changes, two of them through a handler that takes its time."""
    talk, feed, guarded = conversing()
    feeds = {"feed": feed, "guarded": guarded}
    followers = [Follower(talk, name) for name in ("feed", "feed", "guarded", "guarded")]
    asking: set[Follower] = set()
    for number, step in enumerate(steps):
        if step == "change":
            for one in feeds.values():
                with one.change("more", {"step": number}) as draft:
                    draft["n"] += 1
                    draft["log"].append(number)
        elif step == "reveal":
            for one in feeds.values():
                following = [follower for follower in followers if follower.copy and follower.name == one.name]
                assert one.reveal("more", None, [Delta("Increment", ("n",), 1)]) == len(following)
        elif step == "return":
            for call in talk.calls:
                call.succeed(call.call())
            talk.calls.clear()
            asking.clear()
        else:
            follower = followers[int(step)]
            if follower.copy is not None:
                follower.say(feed_close(follower.name))
            elif follower not in asking:
                if follower.name == "guarded":
                    asking.add(follower)
                follower.say(feed_open(follower.name))
        for follower in followers:
            assert follower.copy in (None, feeds[follower.name].data)
        for one in feeds.values():
            assert one.subscribers == len([f for f in followers if f.copy is not None and f.name == one.name])


def test_a_thousand_clients_cost_one_encoding_and_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, feed, _ = conversing()
    counted = {"encode": 0, "md5": 0}
    encode, md5 = live_feed.encode, live_feed.FeedDigest.md5

    def count(name: str, function: Any) -> Any:
        def counting(*args: Any) -> Any:
            counted[name] += 1
            return function(*args)

        return counting

    monkeypatch.setattr(live_feed, "encode", count("encode", encode))
    monkeypatch.setattr(live_feed.FeedDigest, "md5", count("md5", md5))
    followers = [Follower(talk, "feed") for _ in range(1000)]
    for follower in followers:
        follower.say(feed_open())
    assert counted == {"encode": 1, "md5": 0}
    for number in range(3):
        assert feed.reveal("more", {}, [Delta("Set", ("n",), number)]) == 1000
    assert counted == {"encode": 4, "md5": 3}
    assert {follower.revelations for follower in followers} == {3}
    assert len({id(follower.shared[0]) for follower in followers}) == 1  # so the frames are encoded once, too


def test_a_termination_costs_one_encoding_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, feed, guarded = conversing()
    followers = [Follower(talk, name) for name in ("feed", "guarded") for _ in range(50)]
    for follower in followers:
        follower.say(feed_open(follower.name))  # those of the guarded feed wait for its handler
    encoded: list[Any] = []
    monkeypatch.setattr(channel, "encode", lambda message: encoded.append(message) or encode(message))
    assert (feed.terminate("OVER"), guarded.terminate("OVER")) == (50, 50)
    assert [type(message).__name__ for message in encoded] == ["FeedTermination", "FeedOpenResponse"]
    assert {follower.closed_by for follower in followers} == {"FeedTermination", "FeedOpenResponse"}
    for call in talk.calls:
        call.succeed(call.call())
    assert (feed.subscribers, guarded.subscribers) == (0, 0)


def test_a_termination_reaches_clients_that_wait_after_others_have_left() -> None:
    talk = Conversing()
    talk.core.handlers.add_feed("plain")(lambda *_: {})
    followers = [Follower(talk, "plain") for _ in range(3)]
    for follower in followers:
        follower.say(feed_open("plain"))
    talk.calls[0].fail(Refusal("NO"))
    talk.calls[1].succeed({})
    followers[1].say(feed_close("plain"))
    assert followers[2].closed_by == ""
    assert talk.core.channels.terminate(feed_key("plain", {}), "OVER", freeze({})) == 1
    assert followers[2].closed_by == "FeedOpenResponse"
    assert talk.core.channels.get(feed_key("plain", {})) is None


def test_closing_a_feed_asks_only_clients_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, feed, guarded = conversing()
    followers = [Follower(talk, "feed") for _ in range(3)]
    for follower in followers[:2]:
        follower.say(feed_open())
    asked: list[Any] = []
    monkeypatch.setattr(channel.FeedChannels, "leave", lambda _, key, state: asked.append(state))
    guarded.close()
    assert asked == []
    feed.terminate("OVER")
    assert len(asked) == 2


def test_without_clients_nothing_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, feed, _ = conversing()
    monkeypatch.setattr(live_feed, "encode", None)
    monkeypatch.setattr(live_feed.FeedDigest, "md5", None)
    assert feed.reveal("more", {}, [Delta("Set", ("n",), 1)]) == 0
    assert feed.data == {"log": [], "n": 1}


def test_a_change_is_one_revelation() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    before = feed.data
    with feed.change("scored", {"player": "ann"}) as draft:
        draft["n"] += 1
        draft["log"].append("ann scored")
        assert feed.data is before
        assert len(talk.sent) == 2
    assert talk.sent[2:] == [
        notified(
            setting("n", 1),
            {"Operation": "InsertLast", "Path": ["log"], "Value": "ann scored"},
            name="scored",
            data={"player": "ann"},
            md5=feed_md5(freeze({"n": 1, "log": ["ann scored"]})),
            feed="feed",
        )
    ]
    assert (before, feed.data) == ({"log": [], "n": 0}, {"log": ["ann scored"], "n": 1})


def test_an_action_that_changes_nothing_is_revealed_too() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    with feed.change("greeted"):
        pass
    assert (talk.sent[-1]["ActionName"], talk.sent[-1]["ActionData"], talk.sent[-1]["FeedDeltas"]) == (
        "greeted",
        {},
        [],
    )


def test_a_block_that_raises_changes_nothing() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    with pytest.raises(ZeroDivisionError), feed.change("more") as draft:
        draft["n"] = 1 / 0
    with pytest.raises(KeyError), feed.change("more") as draft:
        del draft["n"], draft["none"]
    assert (feed.data, len(talk.sent)) == ({"log": [], "n": 0}, 2)
    feed.reveal("more")
    assert len(talk.sent) == 3


def test_a_feed_is_changed_by_one_at_a_time() -> None:
    _, feed, _ = conversing()
    with feed.change("more") as draft:
        draft["n"] = 1
        with pytest.raises(InvalidState, match="the feed is being changed"):
            feed.reveal("more")
        with pytest.raises(InvalidState, match="do not await anything in it"), feed.change("more"):
            pass
    assert feed.data["n"] == 1


def test_deltas_that_do_not_fit_change_nothing() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    with pytest.raises(DeltaError):
        feed.reveal("more", {}, [Delta("Set", ("n",), 1), Delta("Append", ("n",), "x")])
    with pytest.raises(InvalidArgument, match="deltas: there is no operation 'Sets'"):
        feed.reveal("more", {}, [{"Operation": "Sets", "Path": []}])
    assert (feed.data, len(talk.sent)) == ({"log": [], "n": 0}, 2)
    feed.reveal("more", {}, [MappingProxyType({"Operation": "InsertFirst", "Path": ["log"], "Value": {"a": 1}})])
    assert feed.data == {"log": [{"a": 1}], "n": 0}


def test_deltas_that_are_made_while_the_feed_changes_are_applied_to_what_it_is_then() -> None:
    _, feed, _ = conversing()

    def deltas() -> Iterator[Delta]:
        feed.reveal("first", {}, [Delta("Set", ("first",), True)])
        yield Delta("Increment", ("n",), 1)

    feed.reveal("second", {}, deltas())
    assert feed.data == {"first": True, "log": [], "n": 1}


def test_a_feed_that_is_closed_while_it_changes_stays_closed() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())

    def deltas() -> Iterator[Delta]:
        feed.close()
        yield Delta("Increment", ("n",), 1)

    def change() -> None:
        with feed.change("more") as draft:
            draft["n"] += 1
            feed.close()

    with pytest.raises(InvalidState, match="the feed is closed"):
        change()
    again = talk.live_feed("feed", {}, {"n": 5})
    talk.ask(feed_open())
    count = len(talk.sent)
    with pytest.raises(InvalidState, match="the feed is closed"):
        feed.reveal("more", {}, deltas())
    assert (feed.data["n"], again.data["n"], again.subscribers, len(talk.sent)) == (0, 5, 1, count)


def test_the_name_of_an_action_may_be_a_text_of_any_class() -> None:
    class Name(str):
        __slots__ = ()

    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    feed.reveal(Name("revealed"))
    with feed.change(Name("changed")):
        pass
    assert [message["ActionName"] for message in talk.sent[2:]] == ["revealed", "changed"]


@pytest.mark.parametrize("data", [[], "x", {"a": {1}}, {1: 2}])
def test_action_data_that_is_no_json_object_is_refused(data: Any) -> None:
    _, feed, _ = conversing()
    with pytest.raises(InvalidArgument, match="action_data"):
        feed.reveal("more", data)
    with pytest.raises(InvalidArgument, match="action_data"), feed.change("more", data):
        pass
    with pytest.raises(InvalidArgument, match="action_name: expected a text"):
        feed.reveal(1)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="deltas: expected a list of deltas, got an object of the type int"):
        feed.reveal("more", {}, 5)  # type: ignore[arg-type]
    assert feed.data == {"log": [], "n": 0}


def test_a_text_with_half_a_character() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    with feed.change("more") as draft:
        draft["\ud800"] = "\udc00"
        draft["n"] = 1e21
    assert apply_deltas(freeze({"log": [], "n": 0}), map(delta_from_json, talk.sent[-1]["FeedDeltas"])) == feed.data
    follower = Follower(talk, "feed")
    follower.say(feed_open())
    assert follower.copy == feed.data


def test_a_terminated_feed_may_be_opened_again_and_a_closed_one_not() -> None:
    talk, feed, _ = conversing()
    talk.ask(HANDSHAKE, feed_open())
    assert feed.terminate("OVER", {"why": 1}) == 1
    assert talk.sent[-1] == terminated("OVER", {"why": 1}, feed="feed")
    assert (feed.subscribers, feed.closed) == (0, False)
    talk.ask(feed_open())
    assert feed.subscribers == 1
    feed.close()
    feed.close()
    assert talk.sent[-1]["ErrorCode"] == "FEED_CLOSED"
    assert (feed.subscribers, feed.closed) == (0, True)
    assert talk.core.channels.get(feed_key("feed", {})) is None
    with pytest.raises(InvalidState, match="the feed is closed"):
        feed.reveal("more")
    with pytest.raises(InvalidState, match="the feed is closed"), feed.change("more"):
        pass


def test_the_attributes_of_a_live_feed() -> None:
    talk = Conversing()
    feed = talk.live_feed("room", {"id": "1"}, {"a": [1]})
    feed.args["id"] = "2"
    assert (feed.name, feed.args, feed.data) == ("room", {"id": "1"}, {"a": [1]})
    assert repr(feed) == "<LiveFeed 'room' {'id': '1'}: 0 subscribers>"
    with pytest.raises(TypeError, match="read-only"):
        feed.data["a"].append(2)


def test_an_infinite_number_is_refused_as_json_cannot_express_it() -> None:
    _, feed, _ = conversing()
    with pytest.raises(InvalidArgument, match="deltas: the number inf cannot be expressed in JSON"):
        feed.reveal("more", {}, [Delta("Set", ("n",), math.inf)])


def test_deltas_without_a_value() -> None:
    _, feed, _ = conversing()
    feed.reveal("more", {}, [Delta("Set", ("flag",), True), {"Operation": "Toggle", "Path": ["flag"]}])
    assert feed.data["flag"] is False
