"""The turns that the delivery queue gives to other tasks while a consumer is busy."""

from __future__ import annotations

from collections import deque

import anyio

from rcex_ws.connection import DeliveryQueue


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
