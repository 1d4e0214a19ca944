"""Functions, push subscriptions and what is reserved: each call gets one reply, and what is forbidden is not done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.broker import BrokerFull
from rcex_ws.errors import ConfigurationError
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.server import RemoteClient, RtmServer
from tests.rtm.server.wire import Frame, running, service, settle

pytestmark = pytest.mark.anyio


def invoke(function: str, *data: Any, id_: Any = "c") -> Frame:
    return {"id": id_, "type": "invoke", "function": function, "data": data}


def subscribe(event: Any, *tags: str, id_: Any = "s") -> Frame:
    return {"id": id_, "type": "subscribe", "event": event, "tags": tags}


# -- registering -------------------------------------------------------------------------------------------------------


def test_functions_are_registered_by_name() -> None:
    server = RtmServer()

    @server.register
    def first(client: Any) -> None: ...

    @server.register(name="other name")
    def second(client: Any) -> None: ...

    assert server.register(first, name="again") is first
    with pytest.raises(ConfigurationError, match="name: there is a function 'first' already"):
        server.register(first)
    for function in (lambda client: 1, functools_partial()):
        with pytest.raises(ConfigurationError, match="name: the function has no name of its own"):
            server.register(function)
        server.register(function, name=f"n{id(function)}")
    for name in ("", 5, b"x"):
        with pytest.raises(ConfigurationError, match="name: "):
            server.register(first, name=name)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="name: 'rtm:publish' is reserved"):
        server.register(first, name="rtm:publish")
    with pytest.raises(ConfigurationError, match="function: expected a function"):
        server.register("first")  # type: ignore[type-var]


def functools_partial() -> Callable[..., Any]:
    from functools import partial

    return partial(lambda client: 1)


# -- calling -----------------------------------------------------------------------------------------------------------


async def test_a_function_gets_the_client_and_the_arguments() -> None:
    async with running() as node:
        seen: list[Any] = []

        @node.server.register
        def sync(client: RemoteClient, *args: Any) -> Any:
            seen.append((client.user_id, client.connected, *args))
            return {"n": args}

        @node.server.register(name="später")
        async def later(client: RemoteClient, value: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            return value

        client = await node.connect("ann")
        assert await client.call("sync", 1, [2], {"x": None}) == {"n": [1, [2], {"x": None}]}
        assert seen == [("ann", True, 1, [2], {"x": None})]
        for number, value in enumerate((0, "", False, [], "é\u2028", 1e300, 2**70, -0.5, {"error": "e"})):
            assert await client.call("später", value, id_=number) == value
        assert await client.call("später", None, id_="none") is None
        assert client.replies("none") == [{"id": "none"}]


@pytest.mark.parametrize("id_", ["x", 7, 1.5, None, 2**70, ""])
async def test_the_reply_has_the_id_of_the_call(id_: Any) -> None:
    async with running() as node:
        node.server.register(lambda client: 1, name="one")
        client = await node.connect("ann")
        assert await client.ask(invoke("one", id_=id_)) == {"id": id_, "data": 1}


async def test_a_call_without_data() -> None:
    async with running(authenticate=None) as node:
        node.server.register(lambda client, *args: len(args), name="count")
        client = await node.connect(resume=None)
        assert (await client.ask({"id": 1, "type": "invoke", "function": "count"}))["data"] == 0
        assert (await client.ask({"id": 2, "type": "invoke", "function": "count", "data": None}))["data"] == 0


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (invoke("unknown"), "unknown function 'unknown'"),
        (invoke("rtm:unknown"), "unknown function 'rtm:unknown'"),
        ({"id": "c", "type": "invoke"}, "unknown function None"),
        ({"id": "c", "type": "invoke", "function": "two"}, "wrong number of arguments"),
        (invoke("two", 1, 2, 3), "wrong number of arguments"),
        (invoke("later"), "wrong number of arguments"),
        ({"id": "c", "type": "what"}, "unknown type 'what'"),
        ({"id": "c"}, "unknown type ''"),
        (invoke("rtm:publish"), "a user id is expected, a text"),
        (invoke("rtm:publish", 5, "e"), "a user id is expected, a text"),
        (invoke("rtm:publish", "ann"), "event: expected a text that is not empty, got None"),
        (invoke("rtm:publish", "ann", "rtm:gap"), "event: 'rtm:gap' is reserved, as all names that begin with 'rtm:'"),
        (invoke("rtm:publish", "ann", "e"), "forbidden"),
        (invoke("rtm:unsubscribe"), "event: expected a text that is not empty, got None"),
        (invoke("rtm:unsubscribe", "e", "x"), "tags: a list of texts is expected"),
        (invoke("rtm:unsubscribe", "e", [1]), "tags: a list of texts is expected"),
        (subscribe(None, id_="c"), "event: expected a text that is not empty, got None"),
        (subscribe("rtm:gap", id_="c"), "event: 'rtm:gap' is reserved, as all names that begin with 'rtm:'"),
        (subscribe("e" * 1001, id_="c"), "event, tags: texts of at most 1000 characters are expected"),
        (subscribe("e", "t", "t" * 1001, id_="c"), "event, tags: texts of at most 1000 characters are expected"),
    ],
)
async def test_what_cannot_be_called_is_refused_and_is_no_error_of_the_server(frame: Frame, error: str) -> None:
    async with running() as node:
        node.server.register(lambda client, a, b: 1, name="two")

        @node.server.register
        async def later(client: Any, a: Any) -> None: ...

        client = await node.connect("ann")
        assert await client.ask(frame) == {"id": "c", "data": {"error": error}}
        assert client.is_open
        await settle()
        assert node.errors == []


async def test_a_function_refuses_with_any_json() -> None:
    async with running() as node:

        @node.server.register
        def refuse(client: Any, why: Any) -> None:
            raise RemoteError(why)

        @node.server.register
        async def later(client: Any, why: Any) -> None:
            raise RemoteError(why)

        client = await node.connect("ann")
        for why in ("no", {"code": 7}, ["a", None], 1, True):
            assert await client.call("refuse", why) == {"error": why}
            assert await client.call("later", why) == {"error": why}
        await settle()
        assert node.errors == []


@pytest.mark.parametrize("value", [None, False, 0, "", 0.0])
async def test_an_error_has_to_be_true(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="error: expected something that is true"):
        RemoteError(value)


async def test_what_json_cannot_express_is_an_internal_error() -> None:
    async with running() as node:
        node.server.register(lambda client: object(), name="result")

        @node.server.register
        def error(client: Any) -> None:
            raise RemoteError(object())

        client = await node.connect("ann")
        assert await client.call("result") == {"error": "internal error"}
        assert await client.call("error", id_="e") == {"error": "internal error"}
        await settle()
        (reported,) = node.errors
        assert isinstance(reported, ConfigurationError)
        assert str(reported).startswith("result: JSON cannot express it")


async def test_what_a_function_raises_is_not_told_to_the_client() -> None:
    async with running() as node:

        @node.server.register
        def fail(client: Any) -> None:
            raise TypeError("secret")

        @node.server.register
        async def fail_later(client: Any) -> None:
            raise ZeroDivisionError("secret")

        client = await node.connect("ann")
        assert await client.call("fail") == {"error": "internal error"}
        assert await client.call("fail_later", id_="l") == {"error": "internal error"}
        await settle()
        assert [type(error) for error in node.errors] == [TypeError, ZeroDivisionError]


async def test_unanswered_calls_are_bounded() -> None:
    async with running(max_calls=3) as node:
        go = anyio.Event()

        @node.server.register
        async def wait(client: Any) -> str:
            await go.wait()
            return "done"

        client = await node.connect("ann")
        client.say(*(invoke("wait", id_=number) for number in range(5)))
        assert client.received[2:] == [{"id": number, "data": {"error": "too many calls"}} for number in (3, 4)]
        go.set()
        await client.until(lambda: len(client.received) == 7)
        assert await client.call("wait") == "done"


async def test_calls_of_a_client_that_has_left_are_finished_and_hurt_nobody() -> None:
    async with running() as node:
        go, done = anyio.Event(), list[bool]()

        @node.server.register
        async def wait(client: Any) -> None:
            await go.wait()
            done.append(client.emit("e", 1))

        client = await node.connect("ann")
        client.say(invoke("wait"))
        await settle()
        client.drop()
        go.set()
        await settle()
        assert done == [False]
        back = await node.connect("ann", resume=client.header())
        assert back.data == [1]
        assert back.replies("c") == []


async def test_a_function_may_emit_and_publish_and_disconnect() -> None:
    async with running() as node:

        @node.server.register
        async def all_of_it(client: RemoteClient) -> int:
            client.emit("own", 1)
            node.server.emit("all", None, 2)
            count = await node.server.publish("ann", "mine", 3)
            client.disconnect("enough")
            return count

        client = await node.connect("ann")
        client.say(invoke("all_of_it"))
        await client.until(lambda: not client.is_open)
        assert [(event["event"], event["data"]) for event in client.events] == [
            ("own", [1]),
            ("all", [2]),
            ("mine", [3]),
        ]
        assert (client.code, client.reason) == (1000, "enough")
        await settle()
        reason = node.events[-1][2]
        assert (str(reason), reason.by_server) == ("1000: enough", True)
        assert await node.leftovers() == []


# -- push subscriptions ------------------------------------------------------------------------------------------------


async def test_pushes_go_to_those_that_share_a_tag() -> None:
    async with running() as node:
        client = await node.connect("ann")
        assert await client.ask(subscribe("e", "a", "b")) == {"id": "s", "data": True}
        assert await client.ask(subscribe("e", "a", "b")) == {"id": "s", "data": True}
        for tags, reached in ((["a"], 1), (("b", "c"), 1), ({"c"}, 0), ((), 1)):
            assert node.server.push("e", tags, "x") == reached
        assert node.server.push("other", ["a"]) == 0
        assert len(client.events) == 3
        await client.ask(subscribe("all"))
        assert node.server.push("all", ["any"]) == node.server.push("all") == 1


async def test_a_subscription_ends_by_unsubscribing_or_with_its_client() -> None:
    async with running(resume_window=0) as node:
        client, other = await node.connect("ann"), await node.connect("bob")
        for one in (client, other):
            one.say(subscribe("e", "a"), subscribe("e", "b"), subscribe("e"))
        await settle()
        assert await client.call("rtm:unsubscribe", "e", ["a"]) is True
        assert await client.call("rtm:unsubscribe", "e", ["z"]) is True
        assert await client.call("rtm:unsubscribe", "e") is True
        assert node.server.push("e", ["a"]) == 1
        assert node.server.push("e", ["b"]) == 2
        assert await client.call("rtm:unsubscribe", "e", ["b"]) is True
        assert node.server.push("e", ["b"]) == 1
        other.drop()
        client.drop()
        assert node.server.push("e") == 0
        assert await node.leftovers() == []


async def test_a_subscription_outlives_a_loss() -> None:
    async with running() as node:
        client = await node.connect("ann")
        await client.ask(subscribe("e", "a"))
        client.drop()
        assert node.server.push("e", ["a"], 1) == 0
        back = await node.connect("ann", resume=client.header())
        assert node.server.push("e", ["a"], 2) == 1
        assert back.data == [1, 2]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_hook_decides_who_may_subscribe(asynchronous: bool) -> None:
    asked: list[Any] = []

    def may(client: RemoteClient, event: str, tags: list[str]) -> bool:
        asked.append((client.user_id, event, tags))
        return event == "public"

    async def may_later(client: RemoteClient, event: str, tags: list[str]) -> bool:
        await anyio.lowlevel.checkpoint()
        return may(client, event, tags)

    async with running(may_subscribe=may_later if asynchronous else may) as node:
        client = await node.connect("ann")
        assert (await client.ask(subscribe("public", "b", "a", "b")))["data"] is True
        assert (await client.ask(subscribe("private")))["data"] == {"error": "forbidden"}
        assert asked == [("ann", "public", ["a", "b"]), ("ann", "private", [])]
        assert node.server.push("private") == 0
        assert node.server.push("public") == 1


async def test_a_hook_that_raises_forbids() -> None:
    def may(*_: Any) -> bool:
        raise KeyError("x")

    async with running(may_subscribe=may) as node:
        client = await node.connect("ann")
        assert (await client.ask(subscribe("e")))["data"] == {"error": "internal error"}
        assert node.server.push("e") == 0
        await settle()
        assert [type(error) for error in node.errors] == [KeyError]


async def test_subscriptions_are_bounded_by_their_tags() -> None:
    async with running(max_subscriptions=3) as node:
        client = await node.connect("ann")
        for tags, reply in (
            (["a", "b"], True),
            (["c", "d"], {"error": "too many subscriptions"}),
            ([], True),
            (["a", "b"], True),  # it has that one
            (["e"], {"error": "too many subscriptions"}),
        ):
            assert (await client.ask(subscribe("e", *tags)))["data"] == reply


async def test_the_bound_holds_for_subscriptions_that_are_decided_together() -> None:
    go = anyio.Event()

    async def may(*_: Any) -> bool:
        await go.wait()
        return True

    async with running(max_subscriptions=2, may_subscribe=may) as node:
        client = await node.connect("ann")
        client.say(*(subscribe("e", str(number), id_=number) for number in range(4)))
        await settle()
        go.set()
        await client.until(lambda: len(client.received) == 6)
        assert node.server.push("e", [str(number) for number in range(4)]) == 1
        assert sorted(str(frame["data"]) for frame in client.received[2:])[:2] == ["True", "True"]


@pytest.mark.parametrize("hook", [False, True])
async def test_calls_that_follow_each_other_at_once_keep_their_order(hook: bool) -> None:
    async def may(*_: Any) -> bool:
        await anyio.lowlevel.checkpoint()
        return True

    async with running(may_subscribe=may if hook else None) as node:
        client = await node.connect("ann")
        client.say(subscribe("e", "a"), invoke("rtm:unsubscribe", "e", ["a"]))
        await client.until(lambda: len(client.received) == 4)
        await settle()
        assert node.server.push("e", ["a"]) == 0
        client.say(subscribe("e", "a"), invoke("rtm:unsubscribe", "e", ["b"]))
        client.say(invoke("rtm:unsubscribe", "e", ["a"]), subscribe("e", "a"))
        await client.until(lambda: len(client.received) == 8)
        await settle()
        assert node.server.push("e", ["a"]) == 1


async def test_a_client_that_is_gone_when_the_hook_allows_it_is_not_subscribed() -> None:
    go = anyio.Event()

    async def may(*_: Any) -> bool:
        await go.wait()
        return True

    async with running(may_subscribe=may) as node:
        client = await node.connect("ann", resume=None)
        client.say(subscribe("e"))
        await settle()
        client.drop()
        go.set()
        assert await node.leftovers() == []


# -- rtm:publish -------------------------------------------------------------------------------------------------------


async def test_a_client_publishes_what_the_hook_allows() -> None:
    asked: list[Any] = []

    def may(client: RemoteClient, user_id: str, event: str) -> bool:
        asked.append((client.user_id, user_id, event))
        return user_id == "bob"

    async with service() as servers:
        one, two = await servers.node(may_publish=may), await servers.node()
        ann, bob = await one.connect("ann"), await two.connect("bob")
        assert await ann.call("rtm:publish", "bob", "hello", 1, [2]) == 1
        assert await ann.call("rtm:publish", "cid", "hello") == {"error": "forbidden"}
        assert await bob.call("rtm:publish", "ann", "hello") == {"error": "forbidden"}
        assert asked == [("ann", "bob", "hello"), ("ann", "cid", "hello")]
        assert (bob.events[0]["event"], bob.events[0]["data"]) == ("hello", [1, [2]])
        assert ann.events == []


async def test_a_client_is_told_that_nothing_can_be_published_now() -> None:
    async def may(*_: Any) -> bool:
        return True

    async with service() as servers:
        node = await servers.node(may_publish=may)
        ann = await node.connect("ann")

        def full(*_: Any, **__: Any) -> None:
            raise BrokerFull("full")

        node.core.broker.append = full  # type: ignore[method-assign]
        assert await ann.call("rtm:publish", "bob", "hello") == {"error": "unavailable"}
        await settle()
        assert node.errors == []
