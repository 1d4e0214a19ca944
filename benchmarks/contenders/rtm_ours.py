"""rcex_ws as a server of RTM, a contender."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import anyio

from benchmarks.common.events import EVENT, arguments
from benchmarks.common.serving import Serving, publish_all
from benchmarks.common.worker import run, serve
from rcex_ws.broker import RedisBroker
from rcex_ws.rtm.server import RtmServer

#: No pings: the audience reads only while something comes.
NEVER = 1e6


class Ours(Serving):
    """Takes orders.

    Args:
        stack: closes the servers.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, RtmServer] = {}

    async def listen(self, group: str, redis: str | None = None) -> dict[str, int]:
        """Start a server for a group of clients; with Redis each is a user."""
        server = RtmServer(
            authenticate=None if redis is None else _believe,
            broker=None if redis is None else RedisBroker(redis, prefix=group),
            heartbeat_interval=NEVER,
            heartbeat_timeout=NEVER,
        )
        self._servers[group] = await self._stack.enter_async_context(server)
        return {"port": int(server.url.rstrip("/").rpartition(":")[2])}

    async def emit(self, group: str, times: int, size: int) -> dict[str, int]:
        """Send so many events to all."""
        server = self._servers[group]
        for _ in range(times):
            server.emit(EVENT, None, *arguments(size))
            await anyio.lowlevel.checkpoint()
        return {}

    async def publish(self, group: str, *, wait: bool = False, **how: Any) -> dict[str, float]:
        """Publish, see `publish_all`."""
        publish: Callable[..., Awaitable[Any]] = self._servers[group].publish
        return await publish_all(partial(_publish, publish, wait), **how)


def _believe(_: object, user: str) -> str:
    return user


def _publish(publish: Callable[..., Awaitable[Any]], wait: bool, user: str, *data: str) -> Awaitable[Any]:
    return publish(user, EVENT, *data, wait=wait)


async def main() -> None:
    """Serve."""
    async with AsyncExitStack() as stack:
        await serve(Ours(stack))


if __name__ == "__main__":
    run(main)
