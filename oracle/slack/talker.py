"""What a bot says: messages of all kinds, given away in all ways, and what it is told of them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import anyio

from oracle.lines import Pen
from oracle.slack.records import Happened, Probed, Sending, Settled, StoppedWaiting, Updated, Updating
from rcex_ws.slack import RTMClient, Sent

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
# How often to look whether all is settled: time may have passed in one leap, while the process was suspended.
PATIENCE = 3


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


class Talker:
    """Talk for any bot.

    Args:
        pen: writes the journal.
        rng: decides.
        by_hand: whether to call `reconnect` now and then.
    """

    def __init__(self, pen: Pen, rng: random.Random, *, by_hand: bool) -> None:
        self._pen = pen
        self._rng = rng
        self._by_hand = by_hand

    async def talk(self, bot: Bot) -> None:
        """Say one thing after the other until the bot is closing."""
        rng = self._rng
        while not bot.closing:
            await anyio.sleep(rng.choice([0, 0.001, 0.01, 0.05, 0.1]))
            if rng.random() < 0.01 and self._by_hand:
                await self._reconnect(bot)
            if bot.closing:
                return
            if rng.random() < 0.02:
                await self._update(bot)
            await self.send(bot, rng.choice(["await", "await", "callback", "forget", "cancel"]))

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

    async def _reconnect(self, bot: Bot) -> None:
        self._pen.put(Happened(life=bot.life, event="reconnect()"))
        try:
            await bot.client.reconnect()
        except Exception as error:  # noqa: BLE001 - it may fail; the judge reads why
            self._pen.put(Happened(life=bot.life, event="reconnect() failed", what=describe(error)))

    async def send(self, bot: Bot, how: str) -> None:
        """Say one thing."""
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

    async def probe(self, bot: Bot) -> None:
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

    async def collect(self, bot: Bot) -> None:
        """Ask for what became of all that was given away; after the end of a life nothing may be open."""
        for _ in range(PATIENCE):
            with anyio.move_on_after(0.3):
                while any(given.callback and not given.called for given in bot.given):  # noqa: ASYNC110
                    await anyio.sleep(0.02)
        for given in bot.given:
            if not await self._settles(bot, given):
                self._pen.put(Settled(life=bot.life, key=given.key, via="await", how="open"))
            if given.callback and not given.called:
                self._pen.put(Settled(life=bot.life, key=given.key, via="callback", how="open"))

    async def _settles(self, bot: Bot, given: Given) -> bool:
        for _ in range(PATIENCE):
            with anyio.move_on_after(0.3):
                await self._wait(bot, given)
                return True
        return False


def describe(one: object) -> str:
    """Put an argument of an event, or an error, into words."""
    return f"{type(one).__name__}: {one}" if isinstance(one, BaseException) else str(one)
