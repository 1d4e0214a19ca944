"""What publishes and emits: numbered events, each written down before and after."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable

import anyio

from oracle.lines import Pen
from oracle.rtm.faults import USERS
from oracle.rtm.records import Emitted, Emitting, Published, Publishing
from rcex_ws import RcexError
from rcex_ws.rtm.server import RemoteClient, RtmServer

__all__ = ["CANCELLED", "NOBODY", "Streams", "conn_of", "describe", "publish"]

#: A user who is never connected.
NOBODY = "nobody"
#: What is written down as the error of a call whose caller went away.
CANCELLED = "cancelled"
_SIZES = (0, 0, 0, 20, 300, 3000)


def describe(error: BaseException) -> str:
    """Put an error into a line."""
    return f"{type(error).__name__}: {error}"


def conn_of(client: RemoteClient) -> str:
    """Name the connection of a client, as it has named itself."""
    return client.authentication["conn"] if client.authentication else ""


async def publish(pen: Pen, event: Publishing, give_away: Callable[[], Awaitable[int | None]]) -> None:
    """Publish one event, and write down how that went."""
    pen.put(event)
    try:
        took = await give_away()
    except RcexError as error:
        sent = getattr(error, "sent", None)
        pen.put(Published(stream=event.stream, n=event.n, error=describe(error), sent=sent))
    except anyio.get_cancelled_exc_class():
        pen.put(Published(stream=event.stream, n=event.n, error=CANCELLED))
        raise
    else:
        pen.put(Published(stream=event.stream, n=event.n, took=took))


class Streams:
    """The events of one life of a server, in several streams.

    Args:
        server: sends them.
        who: its name and life.
        pen: writes the journal.
        rng: decides about all.
    """

    def __init__(self, server: RtmServer, who: str, pen: Pen, rng: random.Random) -> None:
        self._server = server
        self._who = who
        self._pen = pen
        self._rng = rng
        self._numbers: dict[str, itertools.count[int]] = {}

    async def run(self) -> None:
        """Publish and emit until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._one_by_one, "wait", 0.25)
            tasks.start_soon(self._one_by_one, "mixed", 0.3)
            tasks.start_soon(self._bursts)
            tasks.start_soon(self._at_once)
            tasks.start_soon(self._emits)

    async def last(self) -> None:
        """Publish to everybody once more, in both ways, and emit."""
        for user in (*USERS, NOBODY):
            await self._publish("last", user, wait=True)
            await self._publish("last", user, wait=False)
        self._emit("last-emit")

    async def _one_by_one(self, stream: str, every: float) -> None:
        while True:
            await anyio.sleep(self._rng.expovariate(1 / every))
            await self._publish(stream, self._user(), wait=stream == "wait" or self._rng.random() < 0.4)

    async def _bursts(self) -> None:
        while True:
            await anyio.sleep(self._rng.expovariate(1 / 0.5))
            user = self._user()
            for _ in range(self._rng.choice((1, 1, 1, 2, 3, 10))):
                await self._publish("no-wait", user, wait=False)

    async def _at_once(self) -> None:
        """Wait for several at once, whose order is open."""
        while True:
            await anyio.sleep(self._rng.expovariate(1 / 1.0))
            async with anyio.create_task_group() as tasks:
                for _ in range(self._rng.choice((2, 3, 5))):
                    tasks.start_soon(self._publish_one, "any-order", self._user())

    async def _emits(self) -> None:
        while True:
            await anyio.sleep(self._rng.expovariate(1 / 0.4))
            self._emit("emit")

    async def _publish_one(self, stream: str, user: str) -> None:
        await self._publish(stream, user, wait=True)

    async def _publish(self, stream: str, user: str, *, wait: bool) -> None:
        name, n = self._next(stream)
        event = Publishing(stream=name, n=n, user=user, how="wait" if wait else "no-wait")
        padding = "x" * self._rng.choice(_SIZES)

        async def give_away() -> int | None:
            if wait:
                return await self._server.publish(user, "news", name, n, user, padding)
            await self._server.publish(user, "news", name, n, user, padding, wait=False)
            return None

        await publish(self._pen, event, give_away)

    def _emit(self, stream: str) -> None:
        name, n = self._next(stream)
        clients: list[str] = []

        def wanted(client: RemoteClient) -> bool:
            clients.append(client.id)
            return True

        self._pen.put(Emitting(stream=name, n=n))
        count = self._server.emit("local", wanted, name, n, "")
        self._pen.put(Emitted(stream=name, n=n, clients=clients, count=count))

    def _user(self) -> str:
        return self._rng.choice((*USERS, *USERS, *USERS, NOBODY))

    def _next(self, stream: str) -> tuple[str, int]:
        return f"{self._who}/{stream}", next(self._numbers.setdefault(stream, itertools.count(1)))
