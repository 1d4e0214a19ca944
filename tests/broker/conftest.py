"""Nodes of a service over either broker, and readers that keep what they get."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import anyio
import pytest

from rcex_ws.broker import Appended, Broker, BrokerError, Entry, Hole, MemoryBroker, MemoryHub, RedisBroker
from tests.redis_server import RedisServer, redis_is_installed


class Reading:
    """A reader that keeps what it gets."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.holes: list[Hole] = []
        self.told: list[bytes | Hole] = []  # both, in order
        self.starts: list[str] = []

    def on_entry(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.told.append(entry.data)

    def on_hole(self, hole: Hole, position: str) -> None:
        self.holes.append(hole)
        self.told.append(hole)
        self.starts.append(position)

    @property
    def data(self) -> list[bytes]:
        return [entry.data for entry in self.entries]


class Node:
    """A running broker, and what it told."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.signals: list[bytes] = []
        self.changes: list[bool] = []
        self.errors: list[Exception | None] = []
        self.outcomes: list[Appended | BrokerError] = []
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()

    def on_change(self, connected: bool, error: Exception | None) -> None:
        self.changes.append(connected)
        self.errors.append(error)

    async def run(self) -> None:
        with self.scope:
            await self.broker.run(self.signals.append, self.on_change)
        self.ended.set()

    async def stop(self) -> None:
        """Leave cleanly."""
        await self.kill()
        await self.broker.aclose()

    async def kill(self) -> None:
        """End without leaving."""
        self.scope.cancel()
        await self.ended.wait()

    def send(self, topic: str, *data: bytes, within: float = 10.0) -> None:
        """Append without waiting; the outcomes are kept."""
        for one in data:
            self.broker.append(topic, one, self.outcomes.append, within=within)

    async def append(self, topic: str, data: bytes, within: float = 10.0) -> Appended:
        """Append and wait for the outcome."""
        outcomes: list[Appended | BrokerError] = []
        done = anyio.Event()

        def on_done(outcome: Appended | BrokerError) -> None:
            outcomes.append(outcome)
            done.set()

        self.broker.append(topic, data, on_done, within=within)
        await done.wait()
        (outcome,) = outcomes
        if isinstance(outcome, BrokerError):
            raise outcome
        return outcome


class World(Protocol):
    """Makes nodes of one service."""

    async def node(self, **options: Any) -> Node: ...


@asynccontextmanager
async def nodes_of(make: Callable[..., Broker]) -> AsyncIterator[Callable[..., Any]]:
    """Run what `make` returns; leave at the end."""
    nodes: list[Node] = []
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(anyio.create_task_group())

        async def node(*, connected: bool = True, **options: Any) -> Node:
            made = Node(make(**options))
            nodes.append(made)
            group.start_soon(made.run)
            if connected:
                with anyio.fail_after(10):
                    while not made.broker.connected:
                        await anyio.sleep(0.002)
            return made

        yield node
        for one in nodes:
            await one.stop()
        group.cancel_scope.cancel()


class MemoryWorld:
    """A service whose nodes share a hub."""

    def __init__(self, hub: MemoryHub, node: Callable[..., Any]) -> None:
        self.hub = hub
        self.node = node


@asynccontextmanager
async def memory_world(**options: Any) -> AsyncIterator[MemoryWorld]:
    hub = MemoryHub(**options)
    async with nodes_of(lambda **more: MemoryBroker(hub, **more)) as node:
        yield MemoryWorld(hub, node)


@pytest.fixture
def reading() -> type[Reading]:
    return Reading


@pytest.fixture
def memory() -> Callable[..., Any]:
    """A service over `MemoryBroker`, with the options of its hub."""
    return memory_world


class RedisWorld:
    """A service whose nodes share a Redis."""

    def __init__(self, server: RedisServer, node: Callable[..., Any]) -> None:
        self.server = server
        self.node = node


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer | None]:
    """A Redis for the tests of a file that do it no harm."""
    if not redis_is_installed():
        yield None
        return
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(need: Any, shared_server: RedisServer | None) -> RedisServer:
    """An empty Redis, for tests that do it no harm."""
    need(shared_server is not None, "redis-server", "Debian's package has that name")
    assert shared_server is not None
    shared_server.command("FLUSHALL")
    return shared_server


@pytest.fixture
def redis(redis_server: RedisServer, ms: float) -> Callable[..., Any]:
    """A service over `RedisBroker`, with options of its nodes."""

    @asynccontextmanager
    async def redis_world(*, url: str = redis_server.url, **options: Any) -> AsyncIterator[RedisWorld]:
        options = {"reconnect_delays": lambda _: 20 * ms, **options}
        options = {"url": url, **options}
        async with nodes_of(lambda **more: RedisBroker(**options | more)) as node:
            yield RedisWorld(redis_server, node)

    return redis_world


@pytest.fixture(params=["memory", "redis"])
def world(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A service over either broker, with the bounds of its logs."""
    return request.getfixturevalue(request.param)
