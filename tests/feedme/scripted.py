"""A server under the control of a test, in place of the network: `Script` makes the transports of a client."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.events import Events, FeedEvents
from rcex_ws.feedme.feed import Feed
from rcex_ws.feedme.transport import TransportState
from tests.feedme.wire import WELCOME, Message, answered, opened

__all__ = [
    "PATIENCE",
    "Rig",
    "Script",
    "ScriptedTransport",
    "Told",
    "connected",
    "disconnected",
]

PATIENCE = 10  # seconds; those of a clock that a test turns pass at once


class ScriptedTransport:
    """One connection: what the client sends is kept, what the test says is received."""

    def __init__(self, script: Script) -> None:
        self.state: TransportState = "disconnected"
        self.sent: list[Message] = []
        self._script = script
        self._inbox: deque[bytes | Exception | None] = deque()
        self._came = anyio.Event()

    async def connect(self) -> None:
        self._script.attempts.append(anyio.current_time())
        self.state = "connecting"
        if self._script.hang:
            await anyio.sleep_forever()
        if self._script.refuse is not None:
            raise self._script.refuse
        self.state = "connected"

    def send(self, text: bytes) -> None:
        message = json.loads(text)
        self.sent.append(message)
        match message:
            case {"MessageType": "Handshake"}:
                if self._script.handshake is not None:
                    self.say(self._script.handshake)
            case {"ActionName": "settle"}:
                self.say(answered(message["CallbackId"]))
            case _:
                self._script.take(message)

    async def receive(self) -> bytes | None:
        while not self._inbox:
            await self._came.wait()
            self._came = anyio.Event()
        item = self._inbox.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    def disconnect(self) -> None:
        self.end(None)

    def say(self, message: Message | bytes) -> None:
        """Let the client receive a message, a dict or raw text."""
        self._put(message if isinstance(message, bytes) else json.dumps(message).encode())

    def end(self, error: Exception | None) -> None:
        """End the connection, with an error or in order."""
        self.state = "disconnected"
        self._put(error)

    def _put(self, item: bytes | Exception | None) -> None:
        self._inbox.append(item)
        self._came.set()


class Script:
    """The other side of a client, over one transport after another.

    Attributes:
        transports: those it has made.
        attempts: the time of each `connect`.
        refuse: what `connect` raises from now on.
        hang: whether `connect` never returns.
        handshake: the answer to the handshake; None for no answer.
    """

    def __init__(self) -> None:
        self.transports: list[ScriptedTransport] = []
        self.attempts: list[float] = []
        self.refuse: Exception | None = None
        self.hang = False
        self.handshake: Message | None = WELCOME
        self._taken: deque[Message] = deque()
        self._came = anyio.Event()

    def __call__(self) -> ScriptedTransport:
        self.transports.append(ScriptedTransport(self))
        return self.transports[-1]

    @property
    def current(self) -> ScriptedTransport:
        return self.transports[-1]

    def say(self, *messages: Message | bytes) -> None:
        """Let the client receive messages over the current connection."""
        for message in messages:
            self.current.say(message)

    def lose(self, error: Exception | None = None) -> None:
        """End the current connection."""
        self.current.end(error or OSError("lost"))

    def take(self, message: Message) -> None:
        """Keep a message of the client for `next`."""
        self._taken.append(message)
        self._came.set()
        self._came = anyio.Event()

    async def next(self) -> Message:
        """Wait for the next message of the client; the handshake and the action `settle` do not count."""
        with anyio.fail_after(PATIENCE):
            while not self._taken:
                await self._came.wait()
        return self._taken.popleft()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that other tasks bring about soon."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                await anyio.lowlevel.checkpoint()

    async def until_sent(self, count: int) -> None:
        """Wait for so many messages over the current connection, the handshake included."""
        await self.until(lambda: self.transports and len(self.current.sent) >= count)

    async def kinds(self, count: int) -> list[str]:
        """Wait for so many messages of the client, and return their types."""
        return [(await self.next())["MessageType"] for _ in range(count)]

    @property
    def unseen(self) -> list[Message]:
        """The messages that `next` has not returned yet."""
        return [*self._taken]


class Told:
    """What the application was told: a line for each event, with its arguments.

    A line is the name of the event, before it the name of the feed if it is one's, behind it the code of an error or
    the name of an action.
    """

    def __init__(self) -> None:
        self.items: list[tuple[str, tuple[Any, ...]]] = []
        self._changed = anyio.Event()

    def add(self, name: str, *args: Any) -> None:
        self.items.append((" ".join([name, *map(_short, args[:1])]).rstrip(), args))
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def lines(self) -> list[str]:
        return [line for line, _ in self.items]

    def of(self, line: str) -> list[tuple[Any, ...]]:
        return [args for found, args in self.items if found == line]

    def clear(self) -> None:
        self.items.clear()

    async def wait(self, line: str, count: int = 1) -> tuple[Any, ...]:
        """Wait for a line for the n-th time; give the arguments."""
        with anyio.move_on_after(PATIENCE):
            while len(self.of(line)) < count:
                await self._changed.wait()
            return self.of(line)[count - 1]
        raise AssertionError(f"{line} did not come, only {self.lines}")


def _short(argument: Any) -> str:
    return argument if isinstance(argument, str) else getattr(argument, "code", "")


class Rig:
    """A client, the script that it talks to, and what it tells."""

    def __init__(self, **options: Any) -> None:
        self.script, self.told = Script(), Told()
        self.client = FeedmeClient(transport=self.script, **options)
        for event in Events:
            self.client.on(event, partial(self.told.add, str(event)))

    def feed(self, label: str = "board", args: Mapping[str, str] | None = None) -> Feed:
        """Return a feed object for the feed "Board", of which all is told."""
        feed = self.client.feed("Board", args)
        for event in FeedEvents:
            feed.on(event, partial(self.told.add, f"{label} {event}"))
        return feed

    async def open_feed(self, data: Message | None = None, label: str = "board", args: Any = None) -> Feed:
        """Return such a feed object that is open, with nothing told and nothing sent so far."""
        feed = self.feed(label, args)
        feed.desire_open()
        await self.script.next()
        self.script.say(opened(data, args))
        await self.told.wait(f"{label} open")
        self.told.clear()
        return feed

    async def say(self, *messages: Message | bytes) -> list[str]:
        """Let the client receive messages, and return what it tells."""
        self.told.clear()
        self.script.say(*messages)
        await self.settle()
        return self.told.lines

    async def settle(self) -> None:
        """Wait until all that was sent, received and told so far has arrived."""
        arrived = anyio.Event()
        self.client.action("settle", {}, lambda *_: arrived.set())
        with anyio.fail_after(PATIENCE):
            await arrived.wait()

    async def aclose(self) -> None:
        with anyio.fail_after(PATIENCE, shield=True):
            await self.client.aclose()


@asynccontextmanager
async def disconnected(**options: Any) -> AsyncGenerator[Rig]:
    """Give a client that has not connected yet."""
    rig = Rig(**options)
    try:
        yield rig
    finally:
        await rig.aclose()


@asynccontextmanager
async def connected(prepare: Callable[[Rig], None] = lambda _: None, **options: Any) -> AsyncGenerator[Rig]:
    """Give a client that is connected, and has told nothing more than that."""
    async with disconnected(**options) as rig:
        prepare(rig)
        rig.client.connect()
        await rig.told.wait("connect")
        yield rig
