"""rcex_ws as a server of Feedme, a contender: an application that holds feeds and changes them."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.common.feeds import Changes
from benchmarks.common.idling import footprint
from benchmarks.common.process import ROOT
from benchmarks.common.worker import measured, run, serve
from rcex_ws.feedme import Dialect, FeedmeServer, LiveFeed

#: Bytes that may wait to be read.
BATCH = 2**20
#: No pings: what is read is counted.
NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Play:
    """What is shown to the audience.

    Attributes:
        feeds: take turns.
        action: what happens to them, each time; with its `name` and `data`.
        changes: of each feed, and whose turn it is, one after the other.
        clients: have all of them open.
        frame: the bytes that each client reads for one revelation.
    """

    feeds: list[LiveFeed]
    action: dict[str, Any]
    changes: Iterator[tuple[LiveFeed, list[dict[str, Any]]]]
    clients: int
    frame: int


class Audience:
    """The clients, in a process of their own.

    Args:
        process: runs.
    """

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("it has no pipes")
        self._process = process
        self._orders = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    async def expect(self, size: int) -> None:
        """Tell them to read so many bytes, all together."""
        await self._orders.send(b"%d\n" % size)

    async def hear(self) -> str:
        """Wait until they have done so."""
        return (await self._answers.receive_until(b"\n", 100)).decode()

    async def leave(self) -> None:
        """End them."""
        self._process.kill()
        await self._process.aclose()


class Ours:
    """Take orders.

    Args:
        server: running.
    """

    def __init__(self, server: FeedmeServer) -> None:
        self._server = server
        self._audience: Audience | None = None
        self._play: Play | None = None

    async def gather(
        self, clients: int, names: list[str], document: Any, action: dict[str, Any], changes: Changes, frame: int
    ) -> dict[str, float]:
        """Let so many clients open these feeds."""
        with measured() as sample:
            feeds = await self._gather(clients, names, document)
            sample.count = clients * len(names)
        turns = (zip(feeds, [deltas] * len(feeds), strict=True) for deltas in itertools.cycle(changes))
        self._play = Play(feeds, action, itertools.chain.from_iterable(turns), clients, frame)
        return sample()

    async def reveal(self, count: int, *, draft: bool) -> dict[str, float]:
        """Reveal changes until about so many messages have been read, by deltas or by a draft; count these."""
        play, audience = self._play, self._audience
        if play is None or audience is None:
            raise RuntimeError("there is no audience")
        at_once = max(1, BATCH // (play.frame * play.clients))
        left = times = max(1, round(count / play.clients))
        audience_cpu, start = 0.0, time.perf_counter()
        with measured() as sample:
            while left:
                batch = min(left, at_once)
                await audience.expect(batch * play.clients * play.frame)
                for feed, deltas in itertools.islice(play.changes, batch):
                    if draft:
                        _change(feed, play.action, deltas)
                    else:
                        feed.reveal(play.action["name"], play.action["data"], deltas)
                audience_cpu += float(await audience.hear())
                left -= batch
            sample.count = times * play.clients
        return {**sample(), "audience_cpu": audience_cpu / (time.perf_counter() - start)}

    async def disperse(self) -> dict[str, float]:
        """End the clients and the feeds."""
        if self._audience is not None:
            await self._audience.leave()
        if self._play is not None:
            for feed in self._play.feeds:
                feed.close()
        self._audience = self._play = None
        return {}

    async def grow(self, names: list[str], document: Any) -> dict[str, float]:
        """Hold feeds, have one client open them, and tell by how much that makes it grow."""
        with footprint() as grown:
            await self._gather(1, names, document)
        return {"count": len(names), "bytes": grown.bytes}

    async def _gather(self, clients: int, names: list[str], document: Any) -> list[LiveFeed]:
        feeds = [self._server.live_feed(name, {}, document) for name in names]
        port = self._server.url.rstrip("/").rpartition(":")[2]
        command = [sys.executable, "-m", "benchmarks.contenders.feedme_audience", port, str(clients), *names]
        self._audience = Audience(await anyio.open_process(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=None))
        await self._audience.hear()
        return feeds


def _change(feed: LiveFeed, action: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
    """Do what the deltas say, as an application would that knows nothing of deltas."""
    with feed.change(action["name"], action["data"]) as draft:
        for delta in deltas:
            *path, last = delta["Path"]
            functools.reduce(lambda node, step: node[step], path, draft)[last] = delta["Value"]


async def main(_: str) -> None:
    """Listen, serve."""
    async with FeedmeServer(dialect=Dialect.CLIENT_ID, heartbeat_interval=NEVER) as server:
        ours = Ours(server)
        await serve(ours)
        await ours.disperse()


if __name__ == "__main__":
    run(main, sys.argv[2])
