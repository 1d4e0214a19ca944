"""The pause before an attempt: how long it lasts, and who changes that."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import anyio
import pytest

from rcex_ws.connection.pause import Pause
from rcex_ws.named_log import NamedLog


@pytest.fixture
def pause() -> Pause:
    return Pause(NamedLog(logging.getLogger("test"), "test"))


async def test_a_pause_of_thousands_of_years_ends_at_the_last_moment_there_is(pause: Pause) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(pause.wait, 1e12)
        await anyio.wait_all_tasks_blocked()
        assert pause.ends_at == datetime.max.replace(tzinfo=UTC)
        pause.cut_short()
    assert pause.ends_at is None


async def test_a_pause_that_was_cut_short_beforehand_is_skipped(pause: Pause) -> None:
    pause.cut_short()
    with anyio.fail_after(1):
        await pause.wait(60.0)


async def test_a_pause_lasts_as_long_as_it_was_last_told(pause: Pause) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(pause.wait, 60.0)
        await anyio.wait_all_tasks_blocked()
        pause.change(0.01)
        with anyio.fail_after(1):
            while pause.ends_at is not None:
                await anyio.sleep(0.001)
