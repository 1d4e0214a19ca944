"""rcex_ws for Slack as a contender: `RTMClient` without and with a store, and the callback client below `Bot`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import anyio
import msgspec

from benchmarks.common.worker import keep_in_flight, measured, run, serve
from benchmarks.contenders.slack_ceiling import TEXT
from benchmarks.drain.slack import API, BURST, CHANNEL, SOCKET
from rcex_ws.callback import Frame, Ok, Text, WebSocketClient, WebSocketHandler
from rcex_ws.slack import RTMClient

#: The queue has room for a whole burst: what it costs to drop is not asked.
ROOM: Any = {"max_pending": 1_000_000, "max_pending_bytes": 2**30, "proxy": False}


class Handler(WebSocketHandler[None]):
    """Give each frame to a function."""

    def __init__(self) -> None:
        self.connected = anyio.Event()
        self.on_frame: Callable[[Frame], None] = lambda _: None

    def websocket_handle(self, frame: Frame, ref: int, state: None) -> type[Ok[Any]]:
        """Take a frame; the first is hello."""
        self.connected.set()
        self.on_frame(frame)
        return Ok


class Ours:
    """Take orders.

    Args:
        clients: connected; by the name of their store.
        callback_client: connected.
        handler: of that.
    """

    def __init__(self, clients: dict[str, RTMClient], callback_client: WebSocketClient, handler: Handler) -> None:
        self._clients = clients
        self._callback_client = callback_client
        self._handler = handler

    async def events(self, store: str, count: int, size: int) -> dict[str, float]:
        """Take a burst by a sync handler of the event "message"."""
        client = self._clients[store]
        done = anyio.Event()

        def on_message(_: dict[str, Any]) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        off = client.on("message", on_message)
        with measured() as sample:
            await client.send_message(f"{BURST} {count} {size}", CHANNEL)
            await done.wait()
        off()
        return sample()

    async def frames(self, count: int, size: int) -> dict[str, float]:
        """Take a burst by the callback client, with a handler that gives a bare Ok."""
        done = anyio.Event()

        def on_frame(_: Frame) -> None:
            sample.count += 1
            if sample.count == count + 1:  # the first one is an acknowledgement
                done.set()

        self._handler.on_frame = on_frame
        order = {"text": f"{BURST} {count} {size}", "channel": CHANNEL, "type": "message", "id": 1}
        with measured() as sample:
            self._callback_client.cast(Text(msgspec.json.encode(order).decode()))
            await done.wait()
        sample.count = count
        return sample()

    async def send(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send messages and wait for their acknowledgements."""
        client = self._clients["no store"]
        return await keep_in_flight(lambda: client.send_message(TEXT, CHANNEL), in_flight, seconds)


async def main(server: str) -> None:
    """Connect, serve."""
    logging.getLogger("rcex_ws").setLevel(logging.ERROR)  # that the callback client is closed is no news
    api = f"{server}{API}"
    bare = RTMClient("xoxb-a-token", api_url=api, data_store=None, **ROOM)
    # rtm.start tells the channel, without which the store would have nothing to do.
    storing = RTMClient("xoxb-a-token", api_url=api, start_method="rtm.start", **ROOM)
    handler = Handler()
    async with bare, storing, anyio.create_task_group() as group:
        url = server.replace("http", "ws", 1) + SOCKET
        callback_client = await WebSocketClient.start(url, handler, None, task_group=group, **ROOM)
        await handler.connected.wait()
        await serve(Ours({"no store": bare, "MemoryDataStore": storing}, callback_client, handler))
        await callback_client.stop()


if __name__ == "__main__":
    run(main, sys.argv[2])
