"""Whatever the application desires and whatever arrives: a whole client, judged by a model of section 3.3."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rcex_ws.feedme.digest import FeedDigest
from rcex_ws.feedme.errors import InvalidFeedState
from rcex_ws.feedme.values import freeze
from tests.feedme.feed_model import Identity, Observer, ServerSide
from tests.feedme.scripted import PATIENCE, Rig
from tests.feedme.wire import Message, closed, notified, opened, refused, setting, terminated

FEED_TIMEOUT, TRAILING = 1000.0, 5000.0

identities = st.sampled_from([(), (("game", "1"),)])
indexes = st.integers(0, 30)
incomplete = st.sampled_from([opened(), closed(), notified(), terminated()]).flatmap(
    lambda message: st.sampled_from([*message]).map(lambda left_out: without(message, left_out))
)


def without(message: Message, name: str) -> bytes:
    return json.dumps({key: value for key, value in message.items() if key != name}).encode()


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test can set forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Client(RuleBasedStateMachine):
    """A client with several feed objects on two feeds, and a server that says anything."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        asyncio.set_event_loop(None)
        self.observers: list[Observer] = []
        self.run(self.begin())
        self.feeds: dict[Identity, ServerSide] = {(): ServerSide(), (("game", "1"),): ServerSide()}
        self.refused: set[Identity] = set()
        self.number = 0

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(coroutine)

    async def begin(self) -> None:
        self.rig = Rig(
            connect_retry=-1,
            reconnect=False,
            feed_timeout=FEED_TIMEOUT,
            reopen_max_attempts=-1,
            reopen_trailing=TRAILING,
        )
        self.rig.client.connect()
        await self.rig.client.wait_connected()
        for identity in ((), (), (("game", "1"),)):
            self.observers.append(Observer(self.rig.client.feed("Board", dict(identity)), identity))

    async def quiet(self) -> None:
        """Let all of it arrive, and check what the client has sent."""
        await self.rig.settle()
        if self.rig.client.state != "disconnected":
            await self.rig.client.wait_connected()
            await self.rig.settle()
        while self.rig.script.unseen:
            message = await self.rig.script.next()
            identity = tuple(message["FeedArgs"].items())
            self.feeds[identity].sent(message["MessageType"])
        assert "error" not in self.rig.told.lines, self.rig.told.of("error")

    def desire(self, act: Any) -> None:
        async def call() -> None:
            act()
            await self.quiet()

        self.run(call())

    @property
    def connected(self) -> bool:
        return self.rig.client._core.state == "connected"  # pyright: ignore[reportPrivateUsage] - not in the loop here

    # -- the application -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.observers) < 5)
    @rule(identity=identities)
    def make_a_feed(self, identity: Identity) -> None:
        async def make() -> None:
            self.observers.append(Observer(self.rig.client.feed("Board", dict(identity)), identity))

        self.run(make())

    @precondition(lambda self: any(not one.desired for one in self.observers))
    @rule(index=indexes, thrice=st.booleans())
    def desire_open(self, index: int, thrice: bool) -> None:
        closed_ones = [one for one in self.observers if not one.desired]
        observer = closed_ones[index % len(closed_ones)]

        def act() -> None:
            is_connected = self.rig.client.state == "connected"
            if is_connected:
                self.refused.discard(observer.identity)
            for _ in range(2 if thrice else 1):
                observer.due += [] if is_connected else ["NOT_CONNECTED"]
                observer.desired = True
                observer.feed.desire_open()
                if thrice:
                    observer.due.append("")
                    observer.feed.desire_closed()
            if thrice:
                observer.due += [] if is_connected else ["NOT_CONNECTED"]
                observer.feed.desire_open()
            with pytest.raises(InvalidFeedState):
                observer.feed.desire_open()
            with pytest.raises(InvalidFeedState):
                observer.feed.destroy()

        self.desire(act)

    @precondition(lambda self: any(one.desired for one in self.observers))
    @rule(index=indexes, destroy=st.booleans())
    def desire_closed(self, index: int, destroy: bool) -> None:
        open_ones = [one for one in self.observers if one.desired]
        observer = open_ones[index % len(open_ones)]

        def act() -> None:
            observer.desired = False
            observer.due.append("")
            observer.feed.desire_closed()
            with pytest.raises(InvalidFeedState):
                observer.feed.desire_closed()
            if destroy:
                observer.feed.destroy()
                self.observers.remove(observer)

        self.desire(act)

    @precondition(lambda self: self.connected)
    @rule(asked=st.booleans())
    def interrupt(self, asked: bool) -> None:
        async def interrupt() -> None:
            self.rig.told.clear()
            if asked:
                self.rig.client.disconnect()
            else:
                self.rig.script.lose()
            await self.rig.told.wait("disconnect" if asked else "disconnect TRANSPORT_FAILURE")
            await self.quiet()

        self.refused.clear()
        for feed in self.feeds.values():
            feed.state = "Closed"
        self.run(interrupt())

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.desire(self.rig.client.connect)

    @rule(seconds=st.sampled_from([400.0, FEED_TIMEOUT, TRAILING]))
    def pass_time(self, seconds: float) -> None:
        self.loop.ahead += seconds
        self.desire(lambda: None)

    # -- the server ------------------------------------------------------------------------------------------------

    def say(self, message: Message, identity: Identity, *, bad: str | None = None) -> None:
        async def say() -> None:
            message["FeedArgs"] = dict(identity)
            feed = self.feeds[identity]
            was_open, success = feed.state == "Open", message.get("Success", True)
            expected = feed.received(message["MessageType"], success)
            if expected and feed.state == "Closed" and (was_open or not success):
                self.refused.add(identity)
            if expected and feed.state == "Open" and bad is None:
                feed.data = message.get("FeedData", {"n": self.number})
            told = await self.rig.say(message)
            reports = [line.removeprefix("bad_server_message ") for line in told]
            if not expected:
                assert reports == ["UNEXPECTED_MESSAGE"]
            else:
                assert reports == ([bad] if bad and was_open else [])
            await self.quiet()

        self.run(say())

    @precondition(lambda self: self.connected)
    @rule(identity=identities, succeed=st.booleans())
    def answer(self, identity: Identity, succeed: bool) -> None:
        match self.feeds[identity].state:
            case "Opening" if succeed:
                self.number += 1
                self.say(opened({"n": self.number}), identity)
            case "Opening":
                self.say(refused(), identity)
            case "Closing" | "Terminated":
                self.say(closed(), identity)
            case _:
                pass

    @precondition(lambda self: self.connected)
    @rule(identity=identities, hashed=st.booleans())
    def notify(self, identity: Identity, hashed: bool) -> None:
        self.number += 1
        md5 = FeedDigest().md5(freeze({"n": self.number})) if hashed else None
        self.say(notified(setting("n", self.number), md5=md5), identity)

    @precondition(lambda self: self.connected)
    @rule(identity=identities, code=st.sampled_from(["INVALID_DELTA", "INVALID_HASH"]))
    def notify_badly(self, identity: Identity, code: str) -> None:
        delta = {"Operation": "Delete", "Path": ["x"]} if code == "INVALID_DELTA" else setting("n", -1)
        self.say(notified(delta, md5="A" * 24), identity, bad=code)

    @precondition(lambda self: self.connected)
    @rule(identity=identities)
    def terminate(self, identity: Identity) -> None:
        self.say(terminated(), identity)

    @precondition(lambda self: self.connected)
    @rule(identity=identities, which=st.integers(0, 2))
    def say_what_nobody_may_expect(self, identity: Identity, which: int) -> None:
        self.number += 1
        self.say([opened({"n": self.number}), refused(), closed()][which], identity)

    @precondition(lambda self: self.connected)
    @rule(message=st.one_of(st.binary(max_size=20), incomplete))
    def say_what_cannot_be_read(self, message: bytes) -> None:
        async def say() -> None:
            assert await self.rig.say(message) == ["bad_server_message INVALID_MESSAGE"]

        self.run(say())

    # -- what holds when all is quiet ------------------------------------------------------------------------------

    @invariant()
    def a_feed_is_open_exactly_if_somebody_wants_it_and_the_server_has_not_refused(self) -> None:
        if not self.connected:
            return
        for identity, feed in self.feeds.items():
            wanted = any(one.desired for one in self.observers if one.identity == identity)
            if identity in self.refused:
                assert feed.state == "Closed"
            if feed.state == "Open":
                assert wanted
            if feed.state == "Closed":
                assert not wanted or identity in self.refused

    @invariant()
    def a_state_is_what_the_last_event_said_and_data_is_the_servers(self) -> None:
        async def check() -> None:
            for one in self.observers:
                assert one.due == []
                assert one.feed.state == one.shown
                assert one.feed.desired_state == ("open" if one.desired else "closed")
                feed = self.feeds[one.identity]
                if one.feed.state == "open":
                    assert feed.state == "Open"
                    assert one.feed.data == feed.data
                elif one.desired and self.rig.client.state == "connected":
                    assert feed.state != "Open"

        self.run(check())

    def teardown(self) -> None:
        async def end() -> None:
            with anyio.fail_after(PATIENCE):
                await self.rig.client.aclose()

        self.run(end())
        self.loop.close()


Client.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
test_a_client_never_sends_what_its_state_forbids_and_tells_what_is_so = Client.TestCase
