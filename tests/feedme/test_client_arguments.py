"""Arguments of `FeedmeClient` and its methods."""

from __future__ import annotations

import math
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import InvalidArgument
from tests.feedme.scripted import Script, connected, disconnected
from tests.feedme.wire import feed_open


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value
    return value


NOT_JSON: list[Any] = [
    {"a": math.nan},
    {"a": [math.inf]},
    {"a": -math.inf},
    {"a": object()},
    {"a": b"bytes"},
    {"a": {1, 2}},
    {1: "a"},
    {"a": {None: 1}},
    {"a": 10**400},
    deep(10_000),
    itself(),
    [],
    "text",
    7,
]


@pytest.mark.parametrize("args", NOT_JSON, ids=[f"{type(one).__name__}{n}" for n, one in enumerate(NOT_JSON)])
async def test_arguments_of_an_action_that_json_cannot_express(args: Any) -> None:
    async with connected() as rig:
        for callback in (None, lambda *_: pytest.fail("it was not sent")):
            with pytest.raises(InvalidArgument, match="args"):
                rig.client.action("x", args, callback)
        await rig.settle()
        assert rig.script.unseen == []
        assert rig.client.pending == ()


@pytest.mark.parametrize("name", [None, 7, b"x", ["x"]])
async def test_a_name_is_a_text(name: Any) -> None:
    async with disconnected() as rig:
        with pytest.raises(InvalidArgument, match="name"):
            rig.client.action(name, {})
        with pytest.raises(InvalidArgument, match="name"):
            rig.client.feed(name)


@pytest.mark.parametrize("callback", [7, "text", []])
async def test_a_callback_is_callable(callback: Any) -> None:
    async with disconnected() as rig:
        with pytest.raises(InvalidArgument, match="callback"):
            rig.client.action("x", {}, callback)


@pytest.mark.parametrize(
    "args", [{"a": 1}, {"a": None}, {"a": {}}, {"a": True}, {1: "a"}, {None: "a"}, [], "text", 7, [("a", "b")]]
)
async def test_arguments_of_a_feed_are_texts(args: Any) -> None:
    async with disconnected() as rig:
        with pytest.raises(InvalidArgument, match="args"):
            rig.client.feed("x", args)


async def test_any_mapping_will_do_and_tuples_are_arrays() -> None:
    async with connected() as rig:
        rig.client.action("x", MappingProxyType({"a": (1, 2.0, "\ud83d\ude00"), "b": OrderedDict(z=None)}))
        message = await rig.script.next()
        assert message["ActionArgs"] == {"a": [1, 2, "\U0001f600"], "b": {"z": None}}
        rig.client.feed("y", MappingProxyType({"k": "v"})).desire_open()
        assert (await rig.script.next())["FeedArgs"] == {"k": "v"}


async def test_a_feed_has_no_arguments_unless_given() -> None:
    async with disconnected() as rig:
        assert dict(rig.client.feed("x").args) == {}


async def test_later_changes_of_the_arguments_have_no_effect() -> None:
    async with connected() as rig:
        feed_args, action_args = {"k": "v"}, {"list": [1]}
        feed = rig.client.feed("y", feed_args)
        rig.client.action("x", action_args)
        feed_args["k"] = "other"
        action_args["list"].append(2)
        feed.desire_open()
        assert (await rig.script.next())["ActionArgs"] == {"list": [1]}
        assert (await rig.script.next())["FeedArgs"] == {"k": "v"}
        assert feed.args == {"k": "v"}
        with pytest.raises(TypeError):
            feed.args["k"] = "other"  # type: ignore[index] # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize("name", ["", "toString", "__proto__", "constructor", "\ud800", "caf\u00e9 \U0001f600", "\0"])
async def test_any_text_is_a_name_and_an_argument(name: str) -> None:
    async with connected() as rig:
        rig.client.action(name, {name: name})
        action = await rig.script.next()
        assert (action["ActionName"], action["ActionArgs"]) == (name, {name: name})
        rig.client.feed(name, {name: name}).desire_open()
        opening = await rig.script.next()
        assert (opening["FeedName"], opening["FeedArgs"]) == (name, {name: name})
        answer = {"MessageType": "FeedOpenResponse", "Success": True, "FeedData": {name: 1}}
        answer |= {"FeedName": name, "FeedArgs": {name: name}}
        assert await rig.say(answer) == []


async def test_an_unknown_event_or_a_handler_that_is_none_is_refused() -> None:
    async with disconnected() as rig:
        with pytest.raises(ConfigurationError, match="event"):
            rig.client.on("badServerMessage", print)
        with pytest.raises(ConfigurationError, match="handler"):
            rig.client.on("connect", None)  # type: ignore[call-overload] # pyright: ignore
        with pytest.raises(ConfigurationError, match="event"):
            rig.client.feed("x").on("closed", print)


def test_a_name_of_the_original_is_answered_with_ours() -> None:
    client: Any = FeedmeClient(transport=Script())
    with pytest.raises(AttributeError, match="cancel_retry"):
        _ = client.cancelRetry
    with pytest.raises(AttributeError, match="nothing"):
        _ = client.nothing


class Text(str):
    """A text of another class, like those of numpy and markupsafe."""

    __slots__ = ()


async def test_texts_of_other_classes_are_texts() -> None:
    async with connected() as rig:
        feed = rig.client.feed(Text("Board"), {Text("a"): Text("b")})
        feed.desire_open()
        rig.client.action(Text("move"), {Text("a"): Text("b")})
        assert await rig.script.next() == feed_open("Board", a="b")
        assert (await rig.script.next())["ActionArgs"] == {"a": "b"}
        assert len(rig.client.pending) == 1


async def test_two_halves_of_a_surrogate_pair_are_one_character() -> None:
    async with connected() as rig:
        feed = rig.client.feed("\ud83d\ude00", {"\ud83d\ude00": "\ud83d\ude00"})
        feed.desire_open()
        message = await rig.script.next()
        assert (message["FeedName"], message["FeedArgs"]) == ("\U0001f600", {"\U0001f600": "\U0001f600"})
        await rig.say({**message, "MessageType": "FeedOpenResponse", "Success": True, "FeedData": {}})
        assert feed.data == {}
