"""What all servers of the RTM benchmark do alike: tell what they have used, and publish one event after the other."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from benchmarks.common.events import arguments
from benchmarks.common.idling import resident

__all__ = ["AT_ONCE", "Serving", "publish_all"]

#: Events that are published, or sent to all, before others get a turn.
AT_ONCE = 10
#: Tasks that publish, each one event after the other.
IN_FLIGHT = 20


class Serving:
    """Orders that every server takes."""

    async def usage(self, memory: bool = False) -> dict[str, float]:
        """Tell the CPU that this process has used so far, and its memory if asked for; garbage does not count."""
        return {"cpu": time.process_time(), "bytes": resident() if memory else 0}


async def publish_all(
    publish: Callable[..., Awaitable[Any]], *, users: int, count: int, size: int, pace: float
) -> dict[str, float]:
    """Publish so many events, to one user after the other.

    Args:
        publish: takes a user, and the arguments of an event.
        users: how many there are.
        count: of the events.
        size: of an event, in bytes.
        pace: events per second, one at a time; 0 for as many as possible, several at a time.
    """
    start, numbers = anyio.current_time(), iter(range(count))

    async def publish_some() -> None:
        for number in numbers:
            if pace:
                await anyio.sleep_until(start + number / pace)
            elif not number % AT_ONCE:
                await anyio.lowlevel.checkpoint()
            await publish(f"user{number % users}", *arguments(size))

    async with anyio.create_task_group() as group:
        for _ in range(1 if pace else IN_FLIGHT):
            group.start_soon(publish_some)
    return {"count": count}
