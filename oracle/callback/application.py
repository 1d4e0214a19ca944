"""A program with one client after the other, each with a random handler, casts and messages of its own."""

from __future__ import annotations

import random
import time
from typing import Any

import anyio
from anyio.abc import TaskStatus

from oracle import resources
from oracle.callback.handler import RandomHandler, Temper, describe
from oracle.callback.records import Began, Informed, Probed, Returned, Stopped, Stopping
from oracle.lines import LeftOver, Pen
from oracle.plain import left_over
from rcex_ws.callback import Binary, CloseFrame, Ping, Pong, Text, WebSocketClient

KEEPALIVE = 0.25
ATTEMPT_TIMEOUT = 1.0
CLOSE_TIMEOUT = 1.0
LONGEST_WAIT = 0.3
PROBE_WITHIN = 8.0


class _Began:
    """Pass on that `init` is done, and remember it."""

    def __init__(self, outer: TaskStatus[WebSocketClient | None]) -> None:
        self.called = False
        self._outer = outer

    def started(self, value: WebSocketClient | None = None) -> None:
        """Take the client."""
        self.called = True
        self._outer.started(value)


class Application:
    """Run one life after the other until the time is over.

    Args:
        url: of the server, without the query.
        pen: writes the journal.
        seed: decides what the program does.
        calm_at: when faults end, on the monotonic clock.
        faults: what the handler does of them.
    """

    def __init__(self, url: str, pen: Pen, seed: int, calm_at: float, faults: frozenset[str]) -> None:
        self._url = url
        self._pen = pen
        self._rng = random.Random(f"handler {seed}")
        self._calm_at = calm_at
        self._faults = faults
        self._life = 0
        self._informed = 0
        self._cancelling = anyio.CancelScope()

    async def run(self) -> None:
        """Live until some seconds after the calm."""
        while (remaining := self._calm_at - time.monotonic()) > 0:
            self._life += 1
            last = remaining < 4
            before = resources.sample()
            await self._live(last=last)
            what = await left_over(before)
            if what:
                self._pen.put(LeftOver(life=self._life, what=what))
            if last:
                break

    async def _live(self, *, last: bool) -> None:
        rng = self._rng
        temper = Temper()
        if not last:
            temper.close = rng.choice([0.0, 0.01])
            temper.end = rng.choice([0.0, 0.1])
            temper.fail = rng.choice([0.0, 0.0, 0.005])
            temper.stop = rng.choice([0.0, 0.0, 0.005])
            temper.once = rng.random() < 0.15
        temper.close_offline = "close-offline" in self._faults
        slow = rng.choice([0.0, 0.005, 0.02])
        handler = RandomHandler(self._life, self._pen, rng, temper, slow)
        options: dict[str, Any] = {"keepalive": KEEPALIVE if last else rng.choice([KEEPALIVE, KEEPALIVE, None])}
        if rng.random() < 0.2:
            options["max_pending"] = rng.choice([1, 5])
        fresh = rng.random() < 0.5
        self._pen.put(Began(life=self._life, options={**options, "fresh": fresh}))
        if fresh:
            options["next_url"] = self._next_url()
        options |= {"attempt_timeout": ATTEMPT_TIMEOUT, "close_timeout": CLOSE_TIMEOUT, "proxy": False}
        options["reconnect_delays"] = lambda n: min(0.02 * 2**n, LONGEST_WAIT)
        seconds = self._calm_at - time.monotonic() if last else rng.uniform(0.2, 4.0)
        how = "stop" if last else rng.choice(["stop", "stop", "cancel"])
        ended = anyio.Event()
        async with anyio.create_task_group() as tasks:
            client = await tasks.start(self._run, handler, options, fresh, ended)
            if client is not None:
                await self._use(client, handler, ended, seconds, last=last)
                if not ended.is_set():
                    await self._end(client, how)
            await ended.wait()

    async def _run(
        self,
        handler: RandomHandler,
        options: dict[str, Any],
        fresh: bool,
        ended: anyio.Event,
        *,
        task_status: TaskStatus[WebSocketClient | None],
    ) -> None:
        url = f"{self._url}?life={self._life}&try={int(fresh)}"
        line = Returned(life=self._life, how="cancelled")
        began = _Began(task_status)
        self._cancelling = anyio.CancelScope()
        with self._cancelling:
            try:
                reason = await WebSocketClient.run(url, handler, 0, task_status=began, **options)
            except Exception as error:  # noqa: BLE001 - the judge says which may come
                line.how, line.what = "raised", describe(error)
            else:
                line.how, line.what = "returned", describe(reason)
        self._pen.put(line)
        ended.set()
        if not began.called:
            task_status.started(None)

    def _next_url(self) -> Any:
        number = 1

        async def next_url() -> str:
            nonlocal number
            number += 1
            await anyio.sleep(self._rng.choice([0, 0.02]))
            return f"{self._url}?life={self._life}&try={number}"

        return next_url

    async def _use(
        self,
        client: WebSocketClient,
        handler: RandomHandler,
        ended: anyio.Event,
        seconds: float,
        *,
        last: bool,
    ) -> None:
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as talkers:
                for _ in range(2):
                    talkers.start_soon(self._talk, client, handler)
                await ended.wait()
                talkers.cancel_scope.cancel()
        if last:
            await self._probe(client, handler)

    async def _talk(self, client: WebSocketClient, handler: RandomHandler) -> None:
        rng = self._rng
        while True:
            await anyio.sleep(rng.choice([0.001, 0.01, 0.03]))
            choice = rng.random()
            if choice < 0.5:
                text = handler.key("cast")
                client.cast(Text(text) if rng.random() < 0.5 else Binary(text.encode()))
            elif choice < 0.8:
                self._informed += 1
                self._pen.put(Informed(life=self._life, k=self._informed))
                client.info(self._informed)
            elif choice < 0.9:
                client.cast(Ping(b"ping") if rng.random() < 0.5 else Pong(b"pong"))
            elif choice < 0.903:
                client.cast(CloseFrame(4001, "cast"))

    async def _probe(self, client: WebSocketClient, handler: RandomHandler) -> None:
        """Ask for an echo until it comes, now that nothing goes wrong any more."""
        began = time.monotonic()
        handler.echoed = anyio.Event()
        with anyio.move_on_after(PROBE_WITHIN):
            while not handler.echoed.is_set():
                client.cast(Text(f"probe:{handler.key('cast')}"))
                await anyio.sleep(0.05)
        self._pen.put(Probed(life=self._life, echoed=handler.echoed.is_set(), seconds=time.monotonic() - began))

    async def _end(self, client: WebSocketClient, how: str) -> None:
        self._pen.put(Stopping(life=self._life, how=how))
        began = time.monotonic()
        if how == "cancel":
            self._cancelling.cancel()
        else:
            await client.stop()
            self._pen.put(Stopped(life=self._life, seconds=time.monotonic() - began))
