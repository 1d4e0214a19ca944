"""All clients, as one process; the soak starts it."""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import time
from collections.abc import Awaitable
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from oracle import resources
from oracle.lines import Escaped, Finished, LeftOver, Pen
from oracle.plain import LOOPS, LogToPen, left_over, measure_lag, run_plainly, watch_for_escapes
from oracle.rtm import times
from oracle.rtm.control import Message, answer_orders
from oracle.rtm.faults import CONNECTIONS, USERS, VISITOR
from oracle.rtm.records import (
    Asked,
    Asking,
    Began,
    Ended,
    Ending,
    Erred,
    Gapped,
    Heard,
    Logged,
    Lost,
    Opened,
    Publishing,
)
from oracle.rtm.streams import CANCELLED, NOBODY, describe, publish
from rcex_ws import RcexError
from rcex_ws.rtm import RtmClient, RtmEvents, RtmGap


class Connection:
    """One client, in one life after the other.

    Args:
        place: its name.
        user: who it is.
        url: where it connects to.
        pen: writes the journal.
        rng: decides about all.
        options: of the client.
    """

    def __init__(self, place: str, user: str, url: str, pen: Pen, rng: random.Random, **options: Any) -> None:
        self.place = place
        self.user = user
        self.name = f"{place}.0"
        self.slow_until = 0.0
        self._life = 0
        self._pen = pen
        self._rng = rng
        self._numbers = itertools.count(1)
        self._keys = itertools.count(1)
        self.client = RtmClient(
            url,
            authentication=lambda: {"id": user, "conn": self.name},
            reconnect_delays=times.client_delays,
            proxy=False,
            **{**times.CLIENT, **options},
        )
        self._listen()

    async def start(self, *, wait: bool = True) -> bool:
        """Begin a life; return whether that went well."""
        self._life += 1
        self.name = f"{self.place}.{self._life}"
        self._pen.put(Began(conn=self.name, user=self.user))
        return await self.ask("start", times.CLIENT["open_timeout"], self.client.start(wait=wait))

    async def keep_starting(self, *, wait: bool = True) -> None:
        """Begin a life, as often as it takes."""
        while not await self.start(wait=wait):  # noqa: ASYNC110 - a new attempt, and nothing that could be waited for
            await anyio.sleep(0.2)

    async def close(self) -> None:
        """End a life."""
        self._pen.put(Ending(conn=self.name))
        await self.ask("aclose", times.CLIENT["close_timeout"], self.client.aclose())
        self._pen.put(Ended(conn=self.name))

    async def ask(self, what: str, within: float, waited_for: Awaitable[Any]) -> bool:
        """Wait for something, and write down how long that took, and how it went."""
        who, key = self.name, f"{what} {next(self._keys)}"
        self._pen.put(Asking(who=who, key=key, what=what, within=within))
        error = ""
        try:
            await waited_for
        except RcexError as raised:
            error = describe(raised)
        except anyio.get_cancelled_exc_class():
            error = CANCELLED
            raise
        finally:
            self._pen.put(Asked(who=who, key=key, error=error))
        return not error

    async def talk(self) -> None:
        """Publish and call until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._publish_now_and_then)
            tasks.start_soon(self._call_now_and_then)

    async def publish(self, kind: str, user: str) -> None:
        """Publish one event."""
        stream, n = f"{self.name}/{kind}", next(self._numbers)
        event = Publishing(stream=stream, n=n, user=user, how="client")
        await publish(self._pen, event, lambda: self.client.publish(user, "news", stream, n, user, ""))

    async def _publish_now_and_then(self) -> None:
        while True:
            await anyio.sleep(self._rng.expovariate(1 / 0.8))
            await self.publish("wait", self._rng.choice((*USERS, *USERS, NOBODY)))

    async def _call_now_and_then(self) -> None:
        while True:
            await anyio.sleep(self._rng.expovariate(1 / 1.0))
            key = f"{self.name} {next(self._keys)}"
            await self.ask("call", times.CLIENT["call_timeout"], self._call(self._rng.choice((0.0, 0.0, 0.5)), key))

    async def _call(self, seconds: float, key: str) -> None:
        answer = await self.client.call_wait("echo", seconds, key)
        if answer != key:
            self._pen.put(Escaped(where="call", error=f"{self.name}: {answer!r} came as the result for {key!r}"))

    def _listen(self) -> None:
        pen, client = self._pen, self.client

        async def news(data: list[Any]) -> None:
            stream, n, user = data[:3]
            pen.put(Heard(conn=self.name, stream=stream, n=n, user=user))
            if time.monotonic() < self.slow_until:
                await anyio.sleep(0.4)

        def gap(told: RtmGap) -> None:
            pen.put(
                Gapped(
                    conn=self.name,
                    since=_at(told.since),
                    until=_at(told.until),
                    certain=told.certain,
                    published=told.published,
                    reason=told.reason,
                )
            )

        def erred(error: Exception) -> None:
            pen.put(Erred(conn=self.name, name=type(error).__name__, what=str(error)))

        client.subscribe("news", news)
        client.subscribe("local", news)
        client.on(RtmEvents.OPEN, lambda: pen.put(Opened(conn=self.name)))
        client.on(RtmEvents.CLOSE, lambda loss: pen.put(Lost(conn=self.name, why=str(loss))))
        client.on(RtmEvents.ERROR, erred)
        client.on(RtmEvents.GAP, gap)


def _at(moment: datetime) -> float:
    """Put a moment of the wall clock on the clock of the journals."""
    return moment.timestamp() - time.time() + time.monotonic()


class Clients:
    """All of them.

    Args:
        options: those of the command line.
        pen: writes the journal.
    """

    def __init__(self, options: argparse.Namespace, pen: Pen) -> None:
        self._options = options
        self._pen = pen
        rng = self._rng = random.Random(f"clients {options.seed}")
        users = {**{place: user for place, (user, _) in CONNECTIONS.items()}, VISITOR: "bob"}
        queues = (20, 10_000) if options.small_queue else (10_000, 10_000)
        urls = dict(word.split("=", 1) for word in options.urls)
        self._all = {
            place: Connection(
                place, user, urls[place], pen, random.Random(rng.random()), max_pending=rng.choice(queues)
            )
            for place, user in users.items()
        }

        self._visitor_stays = False

    async def run(self) -> None:
        """Live until the soak says stop."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(measure_lag, self._pen)
            for place, connection in self._all.items():
                tasks.start_soon(self._visit if place == VISITOR else self._stay, connection)
            await answer_orders(self._options.control, {"who": "clients"}, self._carry_out)
            async with anyio.create_task_group() as closing:
                for connection in self._all.values():
                    closing.start_soon(connection.close)
            tasks.cancel_scope.cancel()

    async def _stay(self, connection: Connection) -> None:
        await connection.keep_starting(wait=self._rng.random() < 0.7)
        with anyio.move_on_after(self._options.calm_at - time.monotonic()):
            await connection.talk()

    async def _visit(self, connection: Connection) -> None:
        """Come and go; after the faults stay."""
        while time.monotonic() < self._options.calm_at:
            if await connection.start(wait=self._rng.random() < 0.7):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(connection.talk)
                    left = self._options.calm_at - time.monotonic()
                    await anyio.sleep(max(0.0, min(left, self._rng.expovariate(1 / 3.0))))
                    if self._rng.random() < 0.5:  # else with calls under way
                        tasks.cancel_scope.cancel()
                    await connection.close()
                    tasks.cancel_scope.cancel()
            await anyio.sleep(self._rng.expovariate(1 / 0.7))
        await connection.keep_starting()
        self._visitor_stays = True

    async def _carry_out(self, order: Message) -> Message:
        if order["do"] == "slow":
            connection = self._all[order["place"]]
            connection.slow_until = time.monotonic() + order["seconds"]
        elif order["do"] == "last":
            for connection in self._all.values():
                for user in (*USERS, NOBODY):
                    await connection.publish("last", user)
        elif order["do"] == "status":
            states = {place: str(connection.client.state) for place, connection in self._all.items()}
            if not self._visitor_stays:
                states[VISITOR] = "about to go"
            queued = sum(connection.client.stats.undelivered for connection in self._all.values())
            return {"states": states, "queued": queued}
        return {}


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--calm-at", type=float, required=True)
    parser.add_argument("--small-queue", action="store_true", help="let few events wait for some handlers")
    parser.add_argument("urls", nargs="+", help="connection=url")
    options = parser.parse_args()
    pen = Pen(options.journal)

    def log(record: logging.LogRecord) -> None:
        pen.put(Logged(who="clients", level=record.levelname, text=record.getMessage()))

    async def program() -> None:
        watch_for_escapes(pen)
        logging.getLogger("rcex_ws").addHandler(LogToPen(log, logging.WARNING))
        before = resources.sample()
        try:
            await Clients(options, pen).run()
        except Exception as error:
            pen.put(Escaped(where="program", error=repr(error)))
            raise
        what = await left_over(before)
        if what:
            pen.put(LeftOver(life=0, what=what))

    run_plainly(options.loop, program)
    pen.put(Finished())


if __name__ == "__main__":
    main()
