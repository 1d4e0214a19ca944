"""A random bot that uses nothing but the public API of `rcex_ws.slack`, and writes down all it is told."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
    Probed,
    Raised,
    Sending,
    Settled,
    Started,
    StoppedWaiting,
    Updated,
    Updating,
    Waited,
)
from rcex_ws import RcexError
from rcex_ws.slack import Events, RTMClient, Sent

LIFECYCLE = (
    *("connecting", "authenticated", "unable_to_rtm_start", "rate_limited", "ws_opening", "ws_opened", "open"),
    *("ws_error", "ws_close", "attempting_reconnect", "disconnect", "client_error"),
)
TIMES = {
    "ping_interval": 0.2,
    "pong_timeout": 1.0,
    "reply_timeout": 3.0,
    "replay_window": 0.5,
    "open_timeout": 4.0,
    "attempt_timeout": 1.0,
    "close_timeout": 1.0,
}
# Frozen, refused with a Retry-After, and the schedule at its longest: nothing lasts longer after the calm.
PROBE_WITHIN = 8.0


class Boom(Exception):
    """What handlers raise on purpose."""


@dataclass
class Given:
    """A message that was given away, for the end of the life."""

    key: str
    sent: Sent
    awaited: bool = False
    callback: bool = False
    called: int = 0


@dataclass
class Bot:
    """One client object, and what its present life is up to."""

    client: RTMClient
    life: int = 0
    number: int = 0
    given: list[Given] = field(default_factory=list)
    close_in_handler: bool = False
    closing: bool = False
    handler_closed: anyio.Event = field(default_factory=anyio.Event)


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
        self._faults = faults
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
                await self._send(bot, "handler")

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
                    tasks.start_soon(self._talk, bot)
                await anyio.sleep(for_so_long)
                if last:
                    await self._probe(bot)
                await self._end(bot, how)
            bot.closing = True
        await self._collect(bot)

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
                            tasks.start_soon(self._talk, bot)
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

    async def _talk(self, bot: Bot) -> None:
        rng = self._rng
        while not bot.closing:
            await anyio.sleep(rng.choice([0, 0.001, 0.01, 0.05, 0.1]))
            if rng.random() < 0.01 and "by-hand" in self._faults:
                await self._reconnect(bot)
            if bot.closing:
                return
            if rng.random() < 0.02:
                await self._update(bot)
            await self._send(bot, rng.choice(["await", "await", "callback", "forget", "cancel"]))

    async def _update(self, bot: Bot) -> None:
        bot.number += 1
        key = f"K{bot.life}-{bot.number}"
        self._pen.put(Updating(life=bot.life, key=key))
        error = ""
        try:
            await bot.client.update_message("1.0", "C0GENERAL", key)
        except Exception as raised:  # noqa: BLE001 - the judge says which may come
            error = describe(raised)
        self._pen.put(Updated(life=bot.life, key=key, error=error))

    async def _wait_closed(self, bot: Bot) -> None:
        error = ""
        try:
            await bot.client.wait_closed()
        except Exception as raised:  # noqa: BLE001 - the judge says which may come
            error = describe(raised)
        self._pen.put(Waited(life=bot.life, error=error))

    async def _reconnect(self, bot: Bot) -> None:
        self._pen.put(Happened(life=bot.life, event="reconnect()"))
        try:
            await bot.client.reconnect()
        except Exception as error:  # noqa: BLE001 - it may fail; the judge reads why
            self._pen.put(Happened(life=bot.life, event="reconnect() failed", what=describe(error)))

    async def _send(self, bot: Bot, how: str) -> None:
        bot.number += 1
        kind = self._rng.choice(["message"] * 8 + ["typing", "presence", "custom"])
        given = self._give(bot, f"K{bot.life}-{bot.number}", kind, how)
        if given is None:
            return
        if how == "cancel":
            queued = not bot.client.connected
            with anyio.move_on_after(self._rng.choice([0, 0.001, 0.02])) as scope:
                await self._wait(bot, given)
            if scope.cancelled_caught:
                self._pen.put(StoppedWaiting(life=bot.life, key=given.key, queued=queued))
                if self._rng.random() < 0.5:
                    await self._wait(bot, given)
        elif how in {"await", "handler"}:
            await self._wait(bot, given)
            if self._rng.random() < 0.1:
                await self._wait(bot, given)  # as often as one likes

    def _give(self, bot: Bot, key: str, kind: str, how: str) -> Given | None:
        line = Sending(life=bot.life, key=key, kind=kind, how=how)
        given: Given

        def callback(error: BaseException | None, reply: Any) -> None:
            given.called += 1
            self._settled(bot, key, "callback", error, reply)

        listener = callback if how == "callback" and kind in {"message", "custom"} else None
        client = bot.client
        try:
            self._pen.put(line)
            if kind == "message":
                sent = client.send_message(key, "C0GENERAL", callback=listener)
            elif kind == "typing":
                sent = client.send_typing(key)
            elif kind == "presence":
                sent = client.subscribe_presence([key])
            else:
                sent = client.send("custom", {"key": key}, callback=listener)
        except Exception as error:  # noqa: BLE001 - the judge says which may come
            self._settled(bot, key, "raise", error, None)
            return None
        given = Given(key, sent, callback=listener is not None)
        bot.given.append(given)
        return given

    async def _wait(self, bot: Bot, given: Given) -> None:
        try:
            reply = await given.sent
        except Exception as error:  # noqa: BLE001 - the judge says which may come
            given.awaited = True
            self._settled(bot, given.key, "await", error, None)
        else:
            given.awaited = True
            self._settled(bot, given.key, "await", None, reply)

    def _settled(self, bot: Bot, key: str, via: str, error: BaseException | None, reply: Any) -> None:
        line = Settled(life=bot.life, key=key, via=via, how=type(error).__name__ if error else reply.outcome.value)
        if error is None:
            line.id, line.ts = reply.id, str(reply.message.get("ts", ""))
        else:
            line.sent, line.code = getattr(error, "sent", None), getattr(error, "code", None)
        self._pen.put(line)

    async def _probe(self, bot: Bot) -> None:
        """Try to say something, now that nothing goes wrong any more."""
        began = time.monotonic()
        how = ""
        while time.monotonic() - began < PROBE_WITHIN and how != "acknowledged":
            bot.number += 1
            key = f"K{bot.life}-{bot.number}"
            given = self._give(bot, key, "message", "await")
            if given is None:
                break
            await self._wait(bot, given)
            try:
                how = (await given.sent).outcome.value
            except Exception as error:  # noqa: BLE001 - tried again
                how = type(error).__name__
            await anyio.sleep(0.05)
        self._pen.put(Probed(life=bot.life, how=how, seconds=time.monotonic() - began))

    async def _collect(self, bot: Bot) -> None:
        """Ask for what became of all that was given away; after the end of a life nothing may be open."""
        with anyio.move_on_after(0.5):
            while any(given.callback and not given.called for given in bot.given):  # noqa: ASYNC110
                await anyio.sleep(0.02)
        for given in bot.given:
            with anyio.move_on_after(0.5) as scope:
                await self._wait(bot, given)
            if scope.cancelled_caught:
                self._pen.put(Settled(life=bot.life, key=given.key, via="await", how="open"))
            if given.callback and not given.called:
                self._pen.put(Settled(life=bot.life, key=given.key, via="callback", how="open"))


def describe(one: object) -> str:
    """Put an argument of an event, or an error, into words."""
    return f"{type(one).__name__}: {one}" if isinstance(one, BaseException) else str(one)
