"""rcex_ws as a client of Feedme, a contender: an application that takes the changes of a feed by a sync handler."""

from __future__ import annotations

import os
import sys
from typing import Any

import anyio

from benchmarks.common.idling import footprint
from benchmarks.common.worker import measured, run, serve
from benchmarks.drain.feedme import BURST, SOCKET
from rcex_ws.feedme import Events, Feed, FeedEvents, FeedmeClient

#: The queue has room for a whole burst: what it costs to drop is not asked.
ROOM: Any = {"max_pending": 1_000_000, "max_pending_bytes": 2**30, "proxy": False}


class Ours:
    """Take orders.

    Args:
        client: connected.
    """

    def __init__(self, client: FeedmeClient) -> None:
        self._client = client
        self._feeds: dict[str, Feed] = {}

    async def open(self, feed: str) -> dict[str, float]:
        """Open a feed."""
        self._feeds[feed] = opened = self._client.feed(feed)
        opened.desire_open()
        await opened.wait_open()
        return {}

    async def revelations(self, feed: str, document: str, count: int) -> dict[str, float]:
        """Take a burst, every hash of it verified."""
        done = anyio.Event()

        def on_action(*_: object) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        off = self._feeds[feed].on(FeedEvents.ACTION, on_action)
        with measured() as sample:
            await self._client.action(BURST, {"document": document, "count": count})
            await done.wait()
        off()
        return sample()

    async def grow(self, names: list[str]) -> dict[str, float]:
        """Open so many feeds, and tell by how much that makes it grow."""
        with footprint() as grown:
            for name in names:
                await self.open(name)
        return {"count": len(names), "bytes": grown.bytes}


def fail(error: Exception) -> None:
    """End at once: what was refused is not measured."""
    print(f"a message was refused: {error}", file=sys.stderr, flush=True)
    os._exit(1)


async def main(server: str) -> None:
    """Connect, serve."""
    async with FeedmeClient(server.replace("http", "ws", 1) + SOCKET, **ROOM) as client:
        client.on(Events.BAD_SERVER_MESSAGE, fail)
        await serve(Ours(client))


if __name__ == "__main__":
    run(main, sys.argv[2])
