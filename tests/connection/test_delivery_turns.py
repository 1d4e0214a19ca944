"""The consumer of a delivery queue: there is one, and it gives others a turn."""

from __future__ import annotations

from collections import deque

import anyio
import pytest

from rcex_ws.connection import DeliveryQueue
from rcex_ws.errors import ConfigurationError


async def test_a_handler_that_is_dear_gives_others_a_turn_after_each_item() -> None:
    queue: DeliveryQueue[int] = DeliveryQueue(max_items=100, max_bytes=100, on_overflow=lambda *_: None)
    for number in range(10):
        queue.put(number, 1)
    queue.close()
    seen: deque[int] = deque()
    turns: list[int] = []

    async def count_turns() -> None:
        while True:
            turns.append(len(seen))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        async for number in queue:
            seen.append(number)
            busy(0.006)
        group.cancel_scope.cancel()
    assert len(set(turns)) >= 5, "nearly one for each; trio runs its tasks in a random order"


def busy(seconds: float) -> None:
    import time

    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_a_queue_has_one_consumer() -> None:
    queue: DeliveryQueue[int] = DeliveryQueue(max_items=1, max_bytes=1, on_overflow=lambda *_: None)

    async def consume() -> None:
        async for _ in queue:
            pass

    async with anyio.create_task_group() as group:
        group.start_soon(consume)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ConfigurationError, match="it has one consumer"):
            await queue.wait()
        group.cancel_scope.cancel()
