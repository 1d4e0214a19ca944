"""Who calls: the task itself or the one that it stands for, and whether because of an exception."""

from __future__ import annotations

import threading

import anyio

from rcex_ws.caller import CallOrigin, current_caller, on_behalf_of, this_thread


async def test_each_task_calls_for_itself_unless_it_does_so_for_another() -> None:
    mine = current_caller()
    seen: list[CallOrigin] = []

    async def other() -> None:
        seen.append(current_caller())

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        with on_behalf_of(mine):
            group.start_soon(other)
    assert sorted(origin.who is mine.who for origin in seen) == [False, True]
    assert current_caller() == mine


async def test_an_exception_counts_while_it_is_handled_also_in_calls() -> None:
    async def close() -> bool:
        return current_caller().failing

    assert not await close()
    try:
        raise ValueError
    except ValueError:
        assert await close()
    assert not await close()


def test_a_thread_calls_for_itself() -> None:
    assert this_thread() == CallOrigin(threading.current_thread(), failing=False)
