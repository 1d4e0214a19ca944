"""A random bot that uses nothing but the public API of `rcex_ws.slack`, and writes down all it is told."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup

from oracle import resources
from oracle.lines import LeftOver, Pen
from oracle.plain import LogToPen, left_over
from oracle.slack.records import (
    Began,
    Ended,
    Ending,
    Happened,
    Heard,
    Logged,
    Raised,
    Started,
    Waited,
)
from oracle.slack.talker import TIMES, Bot, Talker, describe
from rcex_ws import RcexError
from rcex_ws.slack import Events, RTMClient

LIFECYCLE = (
    *("connecting", "authenticated", "unable_to_rtm_start", "rate_limited", "ws_opening", "ws_opened", "open"),
    *("ws_error", "ws_close", "attempting_reconnect", "disconnect", "client_error"),
)


class Boom(Exception):
    """What handlers raise on purpose."""


class Application:
    """Run one life after the other until the time is over.

    Args:
        api_url: of the fake Slack.
        pen: writes the journal.
        seed: decides what the bot does.
        calm_at: when faults end, on the monotonic clock.
        faults: what the bot does of them.
    """

    def __init__(self, api_url: str, pen: Pen, seed: int, calm_at: float, faults: frozenset[str]) -> None:
        self._api_url = api_url
        self._pen = pen
        self._rng = random.Random(f"bot {seed}")
        self._calm_at = calm_at
        self._talker = Talker(pen, self._rng, by_hand="by-hand" in faults)
        self._life = 0

    async def run(self) -> None:
        """Live until some seconds after the calm."""
        logging.getLogger("rcex_ws").addHandler(LogToPen(self._log, logging.WARNING))
        bot: Bot | None = None
        while (remaining := self._calm_at - time.monotonic()) > 0:
            self._life += 1
            last = remaining < 4
            if bot is None or last or self._rng.random() < 0.6:
                bot = self._make_bot(last=last)
            before = resources.sample()
            await self._live(bot, last=last)
            what = await left_over(before)
            if what:
                self._pen.put(LeftOver(life=self._life, what=what))
            if last:
                break

    def _log(self, record: logging.LogRecord) -> None:
        self._pen.put(Logged(life=self._life, level=record.levelname, text=record.getMessage()))

    def _make_bot(self, *, last: bool) -> Bot:
        rng = self._rng
        options: dict[str, Any] = {
            **TIMES,
            "while_disconnected": rng.choice(["refuse", "queue"]),
            "monitor": rng.choice(["traffic", "traffic", "replies"]),
            "start_method": rng.choice(["rtm.connect", "rtm.start"]),
            "subtype_events": rng.choice(["message", "all"]),
        }
        if rng.random() < 0.5:
            options["data_store"] = None
        if rng.random() < 0.15 and not last:
            options["auto_reconnect"] = False
        self._options = options
        client = RTMClient(
            f"xoxb-{rng.getrandbits(30)}",
            api_url=self._api_url,
            proxy=False,
            reconnect_delays=lambda n: min(0.02 * 2**n, 0.3),
            **options,
        )
        bot = Bot(client)
        self._listen(bot)
        return bot

    def _listen(self, bot: Bot) -> None:
        pen, rng = self._pen, self._rng

        def lifecycle(event: str) -> Callable[..., None]:
            def happened(*arguments: object) -> None:
                what = " ".join(describe(one) for one in arguments if not isinstance(one, dict))
                pen.put(Happened(life=bot.life, event=event, what=what))

            return happened

        for event in LIFECYCLE:
            bot.client.on(event, lifecycle(event))

        def heard(_type: str, event: dict[str, Any]) -> None:
            if "n" in event:
                pen.put(Heard(life=bot.life, n=event["n"]))

        bot.client.on(Events.SLACK_EVENT, heard)

        async def on_message(event: dict[str, Any]) -> None:
            if bot.close_in_handler:
                bot.close_in_handler = False
                await self._close(bot, "handler")
                bot.handler_closed.set()
            elif rng.random() < 0.03:
                pen.put(Raised(life=bot.life))
                raise Boom(event["type"])
            elif rng.random() < 0.08 and not bot.closing:
                await self._talker.send(bot, "handler")

        bot.client.on("message", on_message)

    async def _live(self, bot: Bot, *, last: bool) -> None:
        bot.life, bot.number, bot.given = self._life, 0, []
        bot.close_in_handler = bot.closing = False
        bot.handler_closed = anyio.Event()
        self._pen.put(Began(life=bot.life, options={**self._options, "reused": bot.client.start_data is not None}))
        for_so_long = self._calm_at - time.monotonic() if last else self._rng.uniform(0.3, 4.0)
        how = "aclose" if last else self._rng.choice(["aclose", "aclose", "handler", "cancel", "twice"])
        async with anyio.create_task_group() as tasks:
            if how == "cancel":
                await self._live_until_cancelled(bot, tasks, for_so_long)
            elif await self._start(bot, last=last):
                tasks.start_soon(self._wait_closed, bot)
                for _ in range(3):
                    tasks.start_soon(self._talker.talk, bot)
                await anyio.sleep(for_so_long)
                if last:
                    await self._talker.probe(bot)
                await self._end(bot, how)
            bot.closing = True
        await self._talker.collect(bot)

    async def _start(self, bot: Bot, *, last: bool = False) -> bool:
        wait = self._rng.random() < 0.7
        began = time.monotonic()
        try:
            await bot.client.start(wait=wait, life=str(bot.life), **({"last": "1"} if last else {}))
        except Exception as error:  # noqa: BLE001 - the judge says which may come
            self._pen.put(Started(life=bot.life, seconds=time.monotonic() - began, error=describe(error)))
            return False
        self._pen.put(Started(life=bot.life, seconds=time.monotonic() - began))
        return True

    async def _live_until_cancelled(self, bot: Bot, tasks: TaskGroup, for_so_long: float) -> None:
        began = time.monotonic()
        entered = False
        with anyio.CancelScope() as scope:
            tasks.start_soon(self._cancel_later, scope, bot, for_so_long)
            # Cancelled in here, or failing, `start` leaves nothing that would have to be closed.
            if await self._start(bot):
                try:
                    async with bot.client:
                        entered = True
                        for _ in range(3):
                            tasks.start_soon(self._talker.talk, bot)
                        await anyio.sleep_forever()
                except RcexError as error:  # what `start` did not wait for has failed
                    self._pen.put(Started(life=bot.life, seconds=0.0, error=describe(error)))
                finally:
                    if not entered:
                        with anyio.CancelScope(shield=True):
                            await bot.client.aclose()
            await anyio.sleep_forever()
        self._pen.put(Ended(life=bot.life, seconds=time.monotonic() - began - for_so_long))

    async def _cancel_later(self, scope: anyio.CancelScope, bot: Bot, seconds: float) -> None:
        await anyio.sleep(seconds)
        bot.closing = True
        self._pen.put(Ending(life=bot.life, how="cancel"))
        scope.cancel()

    async def _end(self, bot: Bot, how: str) -> None:
        if how == "handler":
            bot.close_in_handler = True
            with anyio.move_on_after(6):  # no event may come while it is not connected
                await bot.handler_closed.wait()
                return
            bot.close_in_handler = False
        bot.closing = how != "aclose"  # senders go on into a plain close
        if how == "twice":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._close, bot, how)
                tasks.start_soon(self._close, bot, how)
        else:
            await self._close(bot, "aclose")

    async def _close(self, bot: Bot, how: str) -> None:
        bot.closing = how != "aclose"
        self._pen.put(Ending(life=bot.life, how=how))
        began = time.monotonic()
        error = ""
        try:
            await bot.client.aclose()
        except Exception as raised:  # noqa: BLE001 - the judge says that none may come
            error = describe(raised)
        self._pen.put(Ended(life=bot.life, seconds=time.monotonic() - began, error=error))

    async def _wait_closed(self, bot: Bot) -> None:
        error = ""
        try:
            await bot.client.wait_closed()
        except Exception as raised:  # noqa: BLE001 - the judge says which may come
            error = describe(raised)
        self._pen.put(Waited(life=bot.life, error=error))
