"""Clients on the fake Slack that reconnect fast, and a record of what they tell."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from rcex_ws.slack import Events, RTMClient
from rcex_ws.testing import FakeSlack

LIFECYCLE = tuple(event for event in Events if event not in (Events.RAW_MESSAGE, Events.SLACK_EVENT))


class Told:
    """What the application was told, in order: (event, arguments)."""

    def __init__(self) -> None:
        self.items: list[tuple[str, tuple[Any, ...]]] = []
        self._changed = anyio.Event()

    def add(self, name: str, *args: Any) -> None:
        self.items.append((name, args))
        self._changed.set()
        self._changed = anyio.Event()

    def listen(self, client: RTMClient, *events: str) -> None:
        for event in events:
            client.on(event, lambda *args, event=event: self.add(str(event), *args))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.items]

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [args for found, args in self.items if found == name]

    def clear(self) -> None:
        self.items.clear()

    async def until(self, condition: Callable[[], bool], within: float = 10) -> None:
        """Wait for a condition that can only change when something is told."""
        with anyio.move_on_after(within):
            while not condition():
                await self._changed.wait()
            return
        pytest.fail(f"told only {self.items}")

    async def wait(self, name: str, count: int = 1, within: float = 10) -> tuple[Any, ...]:
        """Wait for an event for the n-th time; give its arguments."""
        await self.until(lambda: len(self.of(name)) >= count, within)
        return self.of(name)[count - 1]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def slack(fake_slack: FakeSlack) -> FakeSlack:
    return fake_slack


@pytest.fixture
async def make_client(slack: FakeSlack, told: Told) -> AsyncIterator[Callable[..., RTMClient]]:
    """Make a client whose lifecycle events are recorded and which does not wait long; it is closed at the end."""
    made: list[RTMClient] = []

    def make(*, listen: tuple[str, ...] = LIFECYCLE, token: str = "", **options: Any) -> RTMClient:
        defaults = {"api_url": slack.api_url, "reconnect_delays": lambda n: 0.02, "close_timeout": 1.0}
        client = RTMClient(token or slack.token, **{**defaults, **options})
        told.listen(client, *listen)
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
async def client(make_client: Callable[..., RTMClient]) -> RTMClient:
    """A connected client."""
    client = make_client()
    await client.start()
    return client


@pytest.fixture
def push(slack: FakeSlack, told: Told) -> Callable[..., Any]:
    """Push frames to the client, and wait until all were handled."""
    count = 0

    async def push(*frames: Any, client: RTMClient, connection: int | None = None) -> None:
        nonlocal count
        count += 1
        name = f"last-{count}"
        off = client.on(name, lambda event: told.add(name))
        assert slack.push(*frames, {"type": name}, connection=connection)
        await told.wait(name)
        off()
        told.items.remove((name, ()))

    return push


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until a condition holds, also one that another thread brings about."""

    async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
        with anyio.fail_after(within):
            while not condition():
                await anyio.sleep(0.002)

    return until


@pytest.fixture
def no_secrets(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Assert that neither the token nor a single-use address stands in the log, nor in a text."""
    caplog.set_level(logging.DEBUG)

    def no_secrets(*texts: object) -> None:
        for text in (caplog.text, *map(repr, texts), *map(str, texts)):
            assert slack.token not in text
            assert "ticket-" not in text

    return no_secrets


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """Make a message of Alice's."""

    def message(text: str = "hi", ts: str = "1500000000.000001", **more: Any) -> dict[str, Any]:
        event = {"type": "message", "channel": "C0GENERAL", "user": "U000ALICE", "text": text, "ts": ts, **more}
        return json.loads(json.dumps(event))

    return message
