"""The ceiling for Slack: the bare `websockets` client and msgspec, with one function per event and a dict of waiters.

Same frames; no time-outs, no order of events and lifecycle, no queue between the reader and the application, no store.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import count as count_from
from typing import Any

import anyio
import httpx
import msgspec
import websockets.asyncio.client
import websockets.trio.client

from benchmarks.common.worker import keep_in_flight, measured, run, serve
from benchmarks.contenders.ceiling import OPTIONS, TrioFuture
from benchmarks.drain.slack import API, BURST, CHANNEL

TEXT = "The quick brown fox jumps over the lazy dog."

decode = msgspec.json.Decoder(dict[str, Any]).decode
encode = msgspec.json.encode


class Ceiling:
    """Take orders.

    Args:
        websocket: connected; hello is taken.
        texts: another one, whose frames are not decoded.
    """

    def __init__(self, websocket: Any, texts: Any) -> None:
        self._websocket = websocket
        self._texts = texts
        self._waiter: Callable[[], Any] = TrioFuture if sys.argv[1] == "trio" else asyncio.Future
        self._waiters: dict[int, Any] = {}
        self._ids = count_from(1)
        self._on_event: Callable[[dict[str, Any]], None] = lambda _: None

    async def read(self) -> None:
        """Read until the connection ends."""
        recv, waiters = self._websocket.recv, self._waiters
        while True:
            event = decode(await recv(False))
            number = event.get("reply_to")
            if number is None:
                self._on_event(event)
            else:
                waiters.pop(number).set_result(event)

    async def send_message(self, text: str) -> dict[str, Any]:
        """Send a message; wait until it is acknowledged."""
        number = next(self._ids)
        self._waiters[number] = waiter = self._waiter()
        frame = encode({"text": text, "channel": CHANNEL, "type": "message", "id": number})
        await self._websocket.send(frame, text=True)
        event: dict[str, Any] = await waiter
        return event

    async def events(self, count: int, size: int) -> dict[str, float]:
        """Take a burst of events, decoded."""
        done = anyio.Event()

        def on_event(_: dict[str, Any]) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        self._on_event = on_event
        with measured() as sample:
            await self.send_message(f"{BURST} {count} {size}")
            await done.wait()
        return sample()

    async def frames(self, count: int, size: int) -> dict[str, float]:
        """Take a burst as texts."""

        def on_text(_: str) -> None:
            sample.count += 1

        recv = self._texts.recv
        order = {"text": f"{BURST} {count} {size}", "channel": CHANNEL, "type": "message", "id": 1}
        with measured() as sample:
            await self._texts.send(encode(order), text=True)
            await recv()  # its acknowledgement
            while sample.count < count:
                on_text(await recv())
        return sample()

    async def send(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send messages."""
        return await keep_in_flight(lambda: self.send_message(TEXT), in_flight, seconds)


async def main(server: str) -> None:
    """Connect, serve."""
    trio = sys.argv[1] == "trio"
    connect: Any = websockets.trio.client.connect if trio else websockets.asyncio.client.connect
    async with AsyncExitStack() as stack, httpx.AsyncClient(trust_env=False) as http:
        opened: list[Any] = []
        for _ in range(2):
            answer = await http.post(f"{server}{API}rtm.connect")
            opened.append(await stack.enter_async_context(connect(answer.json()["url"], **OPTIONS)))
            await opened[-1].recv()  # hello
        ceiling = Ceiling(*opened)
        async with anyio.create_task_group() as group:
            group.start_soon(ceiling.read)
            await serve(ceiling)
            group.cancel_scope.cancel()


if __name__ == "__main__":
    run(main, sys.argv[2])
