"""The `Lock`: one task at a time, first come, first served, whichever task is cancelled."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.loop import Lock


class Queue:
    """Tasks that take a lock one after the other, and record it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.had: list[int] = []
        self.scopes: list[anyio.CancelScope] = []

    async def take(self, number: int) -> None:
        with self.scopes[number]:
            async with self.lock:
                self.had.append(number)
                await checkpoint()
                assert self.had[-1] == number, "two had it at a time"

    async def line_up(self, group: anyio.abc.TaskGroup, count: int) -> None:
        for number in range(count):
            self.scopes.append(anyio.CancelScope())
            group.start_soon(self.take, number)
            await anyio.wait_all_tasks_blocked()


async def test_who_comes_first_has_it_first() -> None:
    queue = Queue()
    async with anyio.create_task_group() as group, queue.lock:
        await queue.line_up(group, 5)
        assert queue.had == []
    assert queue.had == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cancelled", [0, 1, 2])
@pytest.mark.parametrize("had_its_turn", [False, True])
async def test_one_that_is_cancelled_lets_the_others_pass(cancelled: int, had_its_turn: bool) -> None:
    queue = Queue()
    async with anyio.create_task_group() as group:
        async with queue.lock:
            await queue.line_up(group, 3)
            if not had_its_turn:
                queue.scopes[cancelled].cancel()
                await anyio.wait_all_tasks_blocked()
        queue.scopes[cancelled].cancel()  # maybe after it was woken and before it runs
    assert set(queue.had) >= {0, 1, 2} - {cancelled}
    with anyio.fail_after(1):
        async with queue.lock:
            pass


async def test_it_is_free_after_an_error() -> None:
    lock = Lock()
    with pytest.raises(ValueError, match="inside"):
        async with lock:
            raise ValueError("inside")
    with anyio.fail_after(1):
        async with lock:
            pass
