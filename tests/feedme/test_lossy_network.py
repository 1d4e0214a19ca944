"""Client and server with a network between them that delays, cuts, loses and falsifies, in virtual time.

When it is quiet, every feed that says it is synced has the server's data, and every feed that is desired is synced. Who
follows the changes of a feed gets from each data to the next without a hole.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rcex_ws.feedme import (
    BadFeedAction,
    Disconnected,
    Feed,
    FeedmeClient,
    FeedmeServer,
    InvalidFeedState,
    LiveFeed,
    Refusal,
    Rejected,
    TransportState,
)
from rcex_ws.feedme.server.memory import MemoryTransport

FEEDS = ("Board", "Chat", "Users")


class Network:
    """What happens to messages; `faults` is how likely each fault is."""

    def __init__(self, chance: random.Random) -> None:
        self.faults = 0.02
        self._chance = chance

    def happens(self) -> bool:
        return self._chance.random() < self.faults

    async def delay(self) -> None:
        await trio.sleep(self._chance.choice((0.0, 0.001, 0.01, 0.3)))

    def falsify(self, text: bytes) -> bytes | None:
        """Return a message as it arrives: with other deltas, without some, with another hash, or unreadable.

        Notifications may be lost, which the hash of the next one shows; nothing would show the loss of a termination.
        """
        message: dict[str, Any] = json.loads(text)
        match self._chance.choice(("lose", "deltas", "hash", "path", "garbage")):
            case "lose" if message["MessageType"] == "FeedAction":
                return None
            case "deltas" if message.get("FeedDeltas"):
                message["FeedDeltas"] = message["FeedDeltas"][:-1]
            case "path" if message.get("FeedDeltas"):
                message["FeedDeltas"][0]["Path"] = ["no such", "place"]
            case "hash" if "FeedMd5" in message:
                message["FeedMd5"] = "A" * 24
            case "garbage":
                return text[: len(text) // 2]
            case _:
                pass
        return json.dumps(message).encode()


class LossyTransport:
    """A transport of the application, over such a network."""

    def __init__(self, inner: MemoryTransport, network: Network) -> None:
        self._inner = inner
        self._network = network

    @property
    def state(self) -> TransportState:
        return self._inner.state

    async def connect(self) -> None:
        await self._network.delay()
        if self._network.happens():
            raise OSError("no route")
        await self._inner.connect()

    def send(self, text: bytes) -> None:
        if self._network.happens():
            self._inner.disconnect()
        self._inner.send(text)

    async def receive(self) -> bytes | None:
        while (text := await self._inner.receive()) is not None:
            await self._network.delay()
            if self._network.happens():
                self._inner.disconnect()  # what is under way is lost
                raise ConnectionResetError("cut")
            if self._network.happens():
                text = self._network.falsify(text)
            if text is not None:
                return text
        return None

    def disconnect(self) -> None:
        self._inner.disconnect()


class World:
    """A server with live feeds, a client with feed objects, and what an application does with both at random."""

    def __init__(self, server: FeedmeServer, client: FeedmeClient, chance: random.Random) -> None:
        self.live = [server.live_feed(name, {}, {"n": 0, "list": [], "text": ""}) for name in FEEDS]
        self.feeds = [(client.feed(live.name), live) for live in self.live for _ in range(2)]
        self._server = server
        self._client = client
        self._chance = chance

        @server.action()
        def on_action(_: object, name: str, args: Any) -> Any:
            if name == "refuse":
                raise Refusal("NO")
            self.change(self.live[0])
            return args

    def change(self, live: LiveFeed) -> None:
        with live.change("changed") as draft:
            for _ in range(self._chance.randrange(1, 4)):
                self._chance.choice(CHANGES)(self._chance, draft)

    def step(self) -> None:
        feed, live = self._chance.choice(self.feeds)
        match self._chance.randrange(8):
            case 0 | 1 if feed.desired_state == "closed":
                feed.desire_open()
            case 0 if feed.desired_state == "open":
                feed.desire_closed()
            case 2:
                live.terminate("OVER")
            case 3:
                self._client.action(self._chance.choice(("do", "refuse")), {})
            case 4 if self._chance.random() < 0.1:
                for one in self._server.clients:
                    one.disconnect()
            case _:
                self.change(live)


CHANGES: list[Callable[[random.Random, Any], None]] = [
    lambda chance, draft: draft.update(n=draft["n"] + 1),
    lambda chance, draft: draft["list"].append(chance.random()),
    lambda chance, draft: draft["list"].insert(0, {"deep": [chance.randrange(9)]}),
    lambda chance, draft: draft["list"].pop() if draft["list"] else None,
    lambda chance, draft: draft.update(text=draft["text"][-20:] + chance.choice("abc\u00e9")),
    lambda chance, draft: draft.update({chance.choice("xyz"): chance.choice((None, True, [], {"m": 1e21}))}),
    lambda chance, draft: draft.pop(chance.choice("xyz"), None),
]


async def follow(feed: Feed) -> None:
    """Check that each change begins where the one before it ended."""
    known: Any = None
    with suppress(Rejected, BadFeedAction, Disconnected, InvalidFeedState):  # it is not opened again by itself
        async for change in feed:
            assert known is None or change.old_data == known
            known = change.new_data


async def live_for(seed: int) -> None:
    chance = random.Random(seed)
    network = Network(chance)
    async with FeedmeServer(heartbeat_interval=1e6) as server, trio.open_nursery() as nursery:
        client = FeedmeClient(
            transport=lambda: LossyTransport(server.memory_transport(), network),
            connect_timeout=2,
            connect_retry=0.1,
            connect_retry_backoff=0.1,
            connect_retry_max=1,
            feed_timeout=1,
            action_timeout=1,
            reopen_max_attempts=chance.choice((-1, 0, 1, 3)),
            reopen_trailing=chance.choice((0, 5)),
        )
        client.on("bad_server_message", lambda error: None)
        client.connect()
        world = World(server, client, chance)
        for feed, _ in world.feeds:
            if chance.random() < 0.5:
                feed.desire_open()
                nursery.start_soon(follow, feed)
        for _ in range(200):
            world.step()
            await trio.sleep(chance.choice((0.0, 0.0, 0.01, 0.2)))
        await check_when_quiet(world, network, server)
        client.disconnect()
        assert client.pending == ()
        await client.aclose()


async def check_when_quiet(world: World, network: Network, server: FeedmeServer) -> None:
    network.faults = 0
    for feed, _ in world.feeds:
        if feed.desired_state == "open":
            feed.desire_closed()
            feed.desire_open()
    await trio.sleep(10)
    for live in world.live:
        world.change(live)  # a hash shows what was lost before it
    await trio.sleep(10)
    for feed, live in world.feeds:
        if feed.synced:
            assert feed.data == live.data
    # What the network has swallowed, a FeedOpen say, nobody repeats over the same connection.
    for one in server.clients:
        one.disconnect()
    await trio.sleep(10)
    for feed, live in world.feeds:
        if feed.desired_state == "open":
            assert feed.synced, feed
            assert feed.data == live.data


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_synced_feeds_equal_the_servers_data(seed: int) -> None:
    trio.run(live_for, seed, clock=MockClock(autojump_threshold=0))
