"""A server as a process of its own; the soak starts two, and starts them again."""

from __future__ import annotations

import argparse
import logging
import random
import time
from pathlib import Path
from typing import Any

import anyio

from oracle import resources
from oracle.lines import Escaped, Finished, LeftOver, Pen
from oracle.plain import LOOPS, LogToPen, left_over, measure_lag, run_plainly, watch_for_escapes
from oracle.rtm import times
from oracle.rtm.control import Message, answer_orders
from oracle.rtm.faults import USERS
from oracle.rtm.records import Asked, Asking, Counted, Joined, Left, Logged, Present, Serving, Told
from oracle.rtm.streams import NOBODY, Streams, conn_of, describe
from rcex_ws import RcexError
from rcex_ws.broker import RedisBroker
from rcex_ws.rtm.server import ClientGone, RemoteClient, RtmServer, RtmServerEvents


class Service:
    """One life of a server.

    Args:
        options: those of the command line.
        pen: writes the journal.
    """

    def __init__(self, options: argparse.Namespace, pen: Pen) -> None:
        self._options = options
        self._pen = pen
        self._who: str = options.who
        self._orders = 0
        service: dict[str, Any] = {}
        if options.redis and options.plain:
            service["redis"] = options.redis
        elif options.redis:
            broker = RedisBroker(options.redis, reconnect_delays=times.broker_delays, **times.BROKER)
            service["broker"] = broker
        self._server = RtmServer(
            authenticate=lambda _client, given: given, may_publish=lambda *_: True, **service, **times.SERVER
        )
        self._streams = Streams(self._server, self._who, pen, random.Random(f"streams {self._who} {options.seed}"))
        self._listen()
        self._register()

    async def run(self) -> None:
        """Serve until the soak says stop."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(measure_lag, self._pen)
            await self._ask("start", times.CLIENT["open_timeout"], self._server.start())
            self._pen.put(Serving(who=self._who, id=self._server.id, alone=not self._options.redis))
            tasks.start_soon(self._publish)
            hello = {"who": self._who, "url": self._server.url, "id": self._server.id}
            await answer_orders(self._options.control, hello, self._carry_out)
            await self._ask("aclose", times.SERVER["close_timeout"], self._server.aclose())
            tasks.cancel_scope.cancel()

    async def _publish(self) -> None:
        with anyio.move_on_after(self._options.calm_at - time.monotonic()):
            await self._streams.run()

    async def _carry_out(self, order: Message) -> Message:
        if order["do"] == "drain":
            await self._ask("drain", order["seconds"], self._server.drain(order["seconds"]))
        elif order["do"] == "last":
            await self._streams.last()
        elif order["do"] == "presence":
            return await self._presence()
        return {}

    async def _presence(self) -> Message:
        try:
            users = {user: dict(await self._server.presence(user)) for user in (*USERS, NOBODY)}
            count = await self._server.count()
        except RcexError as error:
            return {"error": describe(error)}
        for user, counts in users.items():
            self._pen.put(Present(who=self._who, user=user, counts=counts))
        self._pen.put(Counted(who=self._who, count=count))
        return {"users": users, "count": count}

    async def _ask(self, what: str, within: float, waited_for: Any) -> None:
        self._orders += 1
        key = f"{what} {self._orders}"
        self._pen.put(Asking(who=self._who, key=key, what=what, within=within))
        error = ""
        try:
            await waited_for
        except Exception as raised:
            error = describe(raised)
            raise
        finally:
            self._pen.put(Asked(who=self._who, key=key, error=error))

    def _listen(self) -> None:
        pen, who = self._pen, self._who

        def joined(client: RemoteClient, *, resumed: bool) -> None:
            pen.put(Joined(who=who, client=client.id, conn=conn_of(client), resumed=resumed))

        def left(client: RemoteClient, reason: ClientGone) -> None:
            pen.put(Left(who=who, client=client.id, conn=conn_of(client), why=describe(reason)))

        def told(event: str, error: object = None) -> None:
            what = describe(error) if isinstance(error, BaseException) else ""
            pen.put(Told(who=who, event=event, what=what))

        self._server.on(RtmServerEvents.CONNECT, lambda client: joined(client, resumed=False))
        self._server.on(RtmServerEvents.RESUME, lambda client: joined(client, resumed=True))
        self._server.on(RtmServerEvents.DISCONNECT, left)
        self._server.on(RtmServerEvents.BROKER_LOST, lambda error: told("broker_lost", error))
        self._server.on(RtmServerEvents.BROKER_READY, lambda: told("broker_ready"))
        self._server.on(RtmServerEvents.ERROR, lambda error: told("error", error))

    def _register(self) -> None:
        async def echo(_client: RemoteClient, seconds: float, key: str) -> str:
            await anyio.sleep(seconds)
            return key

        self._server.register(echo)


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", required=True, help="its name and the number of its life")
    parser.add_argument("--redis", default="", help="URL; none for a server by itself")
    parser.add_argument("--plain", action="store_true", help="give the server the URL, and not a broker")
    parser.add_argument("--control", required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--calm-at", type=float, required=True)
    options = parser.parse_args()
    pen = Pen(options.journal)

    def log(record: logging.LogRecord) -> None:
        pen.put(Logged(who=options.who, level=record.levelname, text=record.getMessage()))

    async def program() -> None:
        watch_for_escapes(pen)
        logging.getLogger("rcex_ws").addHandler(LogToPen(log, logging.WARNING))
        before = resources.sample()
        try:
            await Service(options, pen).run()
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
