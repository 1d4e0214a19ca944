"""Frames that are almost right: a client is answered or sent away, whatever it sends, and the server is as before."""

from __future__ import annotations

import json
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rcex_ws.rtm.errors import RemoteError
from tests.rtm.server.wire import Frame, running, settle

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["echo", "later", "refuse", "fail", "rtm:publish", "rtm:unsubscribe", "no"]) | JSON
FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(["auth", "invoke", "invoke", "subscribe"]) | JSON},
    optional={
        "id": st.integers(0, 9) | JSON,
        "data": st.lists(JSON, max_size=3) | JSON,
        "function": NAMES,
        "event": st.sampled_from(["e", "rtm:gap", ""]) | JSON,
        "tags": st.lists(st.text(max_size=2), max_size=3) | JSON,
    },
)
CHANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255), st.sampled_from("=+-")), max_size=3)
MESSAGES = st.lists(st.tuples(FRAMES, CHANGES) | st.tuples(JSON, CHANGES) | st.binary(max_size=20), max_size=12)


def encoded(message: Any) -> bytes:
    """Return a frame, with some of its bytes changed, added or removed."""
    if isinstance(message, bytes):
        return message
    value, changes = message
    data = bytearray(json.dumps(value).encode())
    for at, byte, how in changes:
        place = at % (len(data) + 1)
        data[place : place + (how != "+")] = b"" if how == "-" else bytes([byte])
    return bytes(data)


async def fuzz(messages: list[Any], *, named: bool, hook: bool) -> None:
    async def may(*_: Any) -> bool:
        await trio.lowlevel.checkpoint()
        return True

    async with running(may_publish=may, may_subscribe=may if hook else None, max_subscriptions=5) as node:

        @node.server.register
        def echo(client: Any, *args: Any) -> Any:
            return args

        @node.server.register
        async def later(client: Any, *args: Any) -> Any:
            await trio.lowlevel.checkpoint()
            return args[0]

        @node.server.register
        def refuse(client: Any, why: Any) -> None:
            raise RemoteError(why)

        wire, other = await node.connect("ann" if named else None), await node.connect("bob")
        for message in messages:
            wire.say(encoded(message))
        await settle()
        replies: list[Frame] = [frame for frame in wire.received if "event" not in frame]
        assert all("id" in frame for frame in replies)
        assert wire.is_open or wire.code == 4401
        assert len(replies) >= (len(messages) if wire.is_open else 0)
        assert await other.call("echo", 1) == [1]
        assert {type(error) for error in node.errors} <= {IndexError, type(None)} | bugs(node.errors)
        assert node.core.dispatcher.unfinished == 0
        wire.drop()
        other.drop()
        await trio.sleep(100)
        assert await node.leftovers() == []


def bugs(errors: list[Exception]) -> set[type]:
    """Return the kinds of errors that the functions of this test raise themselves: RemoteError takes no false value."""
    return {type(error) for error in errors if "error: expected something that is true" in str(error)}


@settings(max_examples=150)
@given(MESSAGES, st.booleans(), st.booleans())
def test_any_frames(messages: list[Any], named: bool, hook: bool) -> None:
    async def main() -> None:
        await fuzz(messages, named=named, hook=hook)

    trio.run(main, clock=MockClock(autojump_threshold=0))
